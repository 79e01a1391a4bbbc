/** The cores whose statistics are taken, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { Kernels } from '../store.ts';
import { type Forgetful, remembered } from './remembered.ts';

export function sqliteKernels(db: DatabaseSync, forgetful: Forgetful): Kernels {
  const known = remembered<boolean>(forgetful);
  const add = db.prepare('INSERT INTO kernels (hash, since_ms, own) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING');
  const remove = db.prepare('DELETE FROM kernels WHERE hash = ?');
  const has = db.prepare('SELECT 1 FROM kernels WHERE hash = ?');
  const all = db.prepare('SELECT hash, since_ms, own FROM kernels ORDER BY since_ms, hash');
  return {
    add(hash, atMs, own) {
      add.run(hash, atMs, Number(own));
      known.drop(hash);
    },
    remove(hash) {
      remove.run(hash);
      known.drop(hash);
    },
    has: (hash) => known.get(hash, () => has.get(hash) !== undefined),
    list: () =>
      all.all().map((row) => ({ hash: row.hash as string, sinceMs: row.since_ms as number, own: row.own === 1 })),
  };
}
