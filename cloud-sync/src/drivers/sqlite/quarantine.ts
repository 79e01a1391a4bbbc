/** The newest refused inputs, kept for a look, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { Quarantine } from '../store.ts';

/** Entries kept; the oldest makes way. */
const ENTRIES_MAX = 256;
/** Bytes kept of one entry: enough for any header and some statistics, and 16 MiB in all at most. */
const ENTRY_BYTES_MAX = 64 * 1024;

export function sqliteQuarantine(db: DatabaseSync): Quarantine {
  const insert = db.prepare('INSERT INTO quarantine (at_ms, gateway, code, reason, bytes) VALUES (?, ?, ?, ?, ?)');
  const trim = db.prepare('DELETE FROM quarantine WHERE ordinal <= ?');
  const forget = db.prepare('DELETE FROM quarantine WHERE gateway = ?');
  const list = db.prepare('SELECT * FROM quarantine ORDER BY ordinal DESC LIMIT ?');
  return {
    add({ atMs, gateway, code, reason, bytes }) {
      const written = insert.run(atMs, gateway, code, reason, bytes.subarray(0, ENTRY_BYTES_MAX));
      trim.run(Number(written.lastInsertRowid) - ENTRIES_MAX);
    },
    forget: (gateway) => void forget.run(gateway),
    list: (limit) =>
      list.all(limit).map((row) => ({
        atMs: row.at_ms as number,
        gateway: row.gateway as string | null,
        code: row.code as string,
        reason: row.reason as string,
        bytes: row.bytes as Uint8Array,
      })),
  };
}
