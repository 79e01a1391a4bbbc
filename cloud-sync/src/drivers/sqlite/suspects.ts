/** Gateways that stand apart in a model, with the evidence, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { Suspects } from '../store.ts';

export function sqliteSuspects(db: DatabaseSync): Suspects {
  const read = db.prepare('SELECT * FROM suspects WHERE schema = ? ORDER BY gateway');
  const clear = db.prepare('DELETE FROM suspects WHERE schema = ?');
  const insert = db.prepare(
    'INSERT INTO suspects (schema, gateway, since_ms, distance, limit_, rows) VALUES (?, ?, ?, ?, ?, ?)',
  );
  return {
    of: (schema) =>
      read.all(schema).map((row) => ({
        gateway: row.gateway as string,
        sinceMs: row.since_ms as number,
        distance: row.distance as number,
        limit: row.limit_ as number,
        rows: row.rows as number,
      })),
    set(schema, suspects) {
      clear.run(schema);
      for (const { gateway, sinceMs, distance, limit, rows } of suspects) {
        insert.run(schema, gateway, sinceMs, distance, limit, rows);
      }
    },
  };
}
