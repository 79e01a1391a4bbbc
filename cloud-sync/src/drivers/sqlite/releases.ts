/** The releases made, newest last, with their lineage, in SQLite. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Form, ReleaseLog, ReleaseRecord } from '../store.ts';

/**
 * Releases kept per model with their bytes. A gateway only ever asks for a head; the older ones are for looking back,
 * and a release every few seconds for years must not fill the disk.
 */
const RELEASES_PER_MODEL_MAX = 1_000;

export function sqliteReleases(db: DatabaseSync): ReleaseLog {
  const insert = db.prepare(
    `INSERT INTO releases (hash, parent, task, schema, form, gateways, rows, created_ms, lineage)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const get = db.prepare('SELECT * FROM releases WHERE hash = ?');
  const removeRecord = db.prepare('DELETE FROM releases WHERE hash = ?');
  const has = db.prepare('SELECT 1 FROM releases WHERE hash = ?');
  const columns = 'hash, parent, task, schema, form, gateways, rows, created_ms';
  const all = db.prepare(`SELECT ${columns} FROM releases ORDER BY ordinal DESC LIMIT ?`);
  const byTask = db.prepare(`SELECT ${columns} FROM releases WHERE task = ? ORDER BY ordinal DESC LIMIT ?`);
  const bySchema = db.prepare(`SELECT ${columns} FROM releases WHERE schema = ? ORDER BY ordinal DESC LIMIT ?`);
  const oldest = db.prepare(
    `SELECT ordinal, hash FROM (
       SELECT ordinal, hash, schema FROM releases WHERE schema = ? ORDER BY ordinal DESC LIMIT -1 OFFSET ${RELEASES_PER_MODEL_MAX}
     ) AS old WHERE NOT EXISTS (
       SELECT 1 FROM heads WHERE heads.schema = old.schema AND old.hash IN (heads.pinned, heads.previous))`,
  );
  const remove = db.prepare('DELETE FROM releases WHERE ordinal = ?');
  const removeBlob = db.prepare('DELETE FROM blobs WHERE hash = ?');
  const find = db.prepare("SELECT hash FROM releases WHERE hash LIKE ? || '%' LIMIT 2");
  const madeWith = db.prepare(
    `SELECT ${columns} FROM releases
     WHERE EXISTS (SELECT 1 FROM json_each(lineage) WHERE value ->> 'gateway' = ?) ORDER BY ordinal`,
  );
  return {
    add(release) {
      const { hash, parent, task, schema, form, gateways, rows, createdMs, lineage } = release;
      insert.run(hash, parent, task, schema, form, gateways, rows, createdMs, JSON.stringify(lineage));
      for (const row of oldest.all(schema)) {
        remove.run(row.ordinal as number);
        removeBlob.run(row.hash as string);
      }
    },
    get(hash) {
      const row = get.get(hash);
      if (row === undefined) return null;
      return { ...releaseOf(row), lineage: JSON.parse(row.lineage as string) as ReleaseRecord['lineage'] };
    },
    remove: (hash) => void removeRecord.run(hash),
    has: (hash) => has.get(hash) !== undefined,
    find: (prefix) => find.all(prefix).map((row) => row.hash as string),
    madeWith: (gateway) => madeWith.all(gateway).map(releaseOf),
    list({ task, schema, limit }) {
      const found =
        schema !== undefined
          ? bySchema.all(schema, limit)
          : task !== undefined
            ? byTask.all(task, limit)
            : all.all(limit);
      return found.map(releaseOf);
    },
  };
}

function releaseOf(row: Record<string, SQLOutputValue>): Omit<ReleaseRecord, 'lineage'> {
  return {
    hash: row.hash as string,
    parent: row.parent as string | null,
    task: row.task as string,
    schema: row.schema as string,
    form: row.form as Form,
    gateways: row.gateways as number,
    rows: row.rows as number,
    createdMs: row.created_ms as number,
  };
}
