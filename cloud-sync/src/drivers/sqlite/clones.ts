/** Gateways that live twice with one key, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { Clones } from '../store.ts';

export function sqliteClones(db: DatabaseSync): Clones {
  const add = db.prepare('INSERT INTO clones (gateway, since_ms) VALUES (?, ?) ON CONFLICT (gateway) DO NOTHING');
  const remove = db.prepare('DELETE FROM clones WHERE gateway = ?');
  const since = db.prepare('SELECT since_ms FROM clones WHERE gateway = ?');
  const all = db.prepare('SELECT gateway, since_ms FROM clones');
  return {
    add: (gateway, atMs) => void add.run(gateway, atMs),
    remove: (gateway) => void remove.run(gateway),
    since: (gateway) => (since.get(gateway)?.since_ms as number | undefined) ?? null,
    all: () => new Map(all.all().map((row) => [row.gateway as string, row.since_ms as number])),
  };
}
