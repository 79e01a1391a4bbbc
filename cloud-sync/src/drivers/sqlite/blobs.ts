/** Immutable bytes by hash, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { BlobStore } from '../store.ts';

export function sqliteBlobs(db: DatabaseSync): BlobStore {
  const put = db.prepare('INSERT INTO blobs (hash, bytes) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING');
  const get = db.prepare('SELECT bytes FROM blobs WHERE hash = ?');
  return {
    put: (hash, bytes) => void put.run(hash, bytes),
    get: (hash) => (get.get(hash)?.bytes as Uint8Array | undefined) ?? null,
  };
}
