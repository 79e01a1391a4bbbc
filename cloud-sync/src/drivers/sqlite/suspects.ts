/** Gateways that stand apart in a model, with the evidence, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { Suspects } from '../store.ts';

export function sqliteSuspects(db: DatabaseSync): Suspects {
  const read = db.prepare('SELECT * FROM suspects WHERE schema = ? ORDER BY gateway');
  const clear = db.prepare('DELETE FROM suspects WHERE schema = ?');
  const insert = db.prepare(
    'INSERT INTO suspects (schema, gateway, since_ms, distance, limit_, rows, moved) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const hasFitted = db.prepare('SELECT 1 FROM fitted WHERE schema = ? AND gateway = ? AND incarnation = ?');
  const fits = db.prepare('INSERT OR IGNORE INTO fitted (schema, gateway, incarnation) VALUES (?, ?, ?)');
  return {
    hasFitted: (schema, gateway, incarnation) => hasFitted.get(schema, gateway, incarnation) !== undefined,
    fits: (schema, gateway, incarnation) => void fits.run(schema, gateway, incarnation),
    of: (schema) =>
      read.all(schema).map((row) => ({
        gateway: row.gateway as string,
        sinceMs: row.since_ms as number,
        distance: row.distance as number,
        limit: row.limit_ as number,
        rows: row.rows as number,
        moved: row.moved === 1,
      })),
    set(schema, suspects) {
      clear.run(schema);
      for (const { gateway, sinceMs, distance, limit, rows, moved } of suspects) {
        insert.run(schema, gateway, sinceMs, distance, limit, rows, Number(moved));
      }
    },
  };
}
