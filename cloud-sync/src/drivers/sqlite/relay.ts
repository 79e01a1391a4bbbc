/** What a site's coordinator hands on to the one above it, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { Relay } from '../store.ts';

export function sqliteRelay(db: DatabaseSync): Relay {
  const enrolled = db.prepare('INSERT OR REPLACE INTO relay_enrolments (gateway, body, signature) VALUES (?, ?, ?)');
  const enrolment = db.prepare('SELECT body, signature FROM relay_enrolments WHERE gateway = ?');
  // The ordinal is a new one each time: what is handed on meanwhile is not taken for what came in its place.
  const put = db.prepare(
    'INSERT OR REPLACE INTO relay (gateway, schema, incarnation, seq, envelope) VALUES (?, ?, ?, ?, ?)',
  );
  const waiting = db.prepare('SELECT * FROM relay WHERE ordinal > ? AND held = 0 ORDER BY ordinal LIMIT ?');
  const hold = db.prepare('UPDATE relay SET held = ? WHERE ordinal = ?');
  const drop = db.prepare('DELETE FROM relay WHERE ordinal = ?');
  const heldOf = db.prepare('SELECT ordinal, schema, incarnation, seq FROM relay WHERE gateway = ? AND held = 1');
  const forget = db.prepare('DELETE FROM relay WHERE gateway = ?');
  return {
    enrolled: (gateway, body, signature) => void enrolled.run(gateway, body, signature),
    enrolment(gateway) {
      const row = enrolment.get(gateway);
      return row === undefined ? null : { body: row.body as string, signature: row.signature as string };
    },
    put: ({ gateway, schema, incarnation, seq }, envelope) => void put.run(gateway, schema, incarnation, seq, envelope),
    waiting: (after, limit) =>
      waiting.all(after, limit).map((row) => ({
        ordinal: row.ordinal as number,
        gateway: row.gateway as string,
        incarnation: row.incarnation as string,
        seq: row.seq as number,
        envelope: row.envelope as Uint8Array,
      })),
    held: (ordinal) => void hold.run(1, ordinal),
    drop: (ordinal) => void drop.run(ordinal),
    compare(gateway, held) {
      const newest = new Map(held.map(({ schema, incarnation, seq }) => [`${schema} ${incarnation}`, seq]));
      const lost = heldOf
        .all(gateway)
        .filter((row) => (newest.get(`${row.schema} ${row.incarnation}`) ?? 0) < (row.seq as number));
      for (const row of lost) hold.run(0, row.ordinal as number);
      return lost.length;
    },
    forget: (gateway) => void forget.run(gateway),
  };
}
