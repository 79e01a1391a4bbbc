/** What operators decided, and the gateways that may not send again because of it, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { AuditEntry, AuditLog, Forgotten, Overrides } from '../store.ts';

export function sqliteAudit(db: DatabaseSync): AuditLog {
  const insert = db.prepare('INSERT INTO audit (at_ms, action, subject, detail) VALUES (?, ?, ?, ?)');
  const list = db.prepare('SELECT * FROM audit ORDER BY ordinal DESC LIMIT ?');
  return {
    add: ({ atMs, action, subject, detail }) => void insert.run(atMs, action, subject, JSON.stringify(detail)),
    list: (limit) =>
      list.all(limit).map((row) => ({
        atMs: row.at_ms as number,
        action: row.action as AuditEntry['action'],
        subject: row.subject as string,
        detail: JSON.parse(row.detail as string) as AuditEntry['detail'],
      })),
  };
}

export function sqliteForgotten(db: DatabaseSync): Forgotten {
  const add = db.prepare('INSERT INTO forgotten (gateway, at_ms) VALUES (?, ?) ON CONFLICT (gateway) DO NOTHING');
  const remove = db.prepare('DELETE FROM forgotten WHERE gateway = ?');
  const has = db.prepare('SELECT 1 FROM forgotten WHERE gateway = ?');
  const keep = db.prepare('INSERT OR IGNORE INTO removable_only (schema) VALUES (?)');
  const kept = db.prepare('SELECT 1 FROM removable_only WHERE schema = ?');
  return {
    keepRemovable: (schema) => void keep.run(schema),
    isRemovableOnly: (schema) => kept.get(schema) !== undefined,
    add: (gateway, atMs) => void add.run(gateway, atMs),
    remove: (gateway) => void remove.run(gateway),
    has: (gateway) => has.get(gateway) !== undefined,
  };
}

export function sqliteOverrides(db: DatabaseSync): Overrides {
  const put = db.prepare('INSERT OR REPLACE INTO overrides (gateway, trusted, at_ms) VALUES (?, ?, ?)');
  const remove = db.prepare('DELETE FROM overrides WHERE gateway = ?');
  const all = db.prepare('SELECT gateway, trusted FROM overrides ORDER BY gateway');
  return {
    set(gateway, trusted, atMs) {
      if (trusted === null) remove.run(gateway);
      else put.run(gateway, Number(trusted), atMs);
    },
    all: () => new Map(all.all().map((row) => [row.gateway as string, row.trusted === 1])),
  };
}
