/** One head record per model, written by compare-and-set, in SQLite. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { Form, Head, HeadStore } from '../store.ts';
import { type Forgetful, remembered } from './remembered.ts';

export function sqliteHeads(db: DatabaseSync, forgetful: Forgetful): HeadStore {
  const known = remembered<Head | null>(forgetful);
  const counted = remembered<number>(forgetful);
  const get = db.prepare('SELECT * FROM heads WHERE schema = ?');
  const list = db.prepare('SELECT * FROM heads ORDER BY task, schema');
  const count = db.prepare('SELECT count(*) AS n FROM heads');
  const insert = db.prepare(
    `INSERT INTO heads (schema, task, schema_text, form, release, pinned, previous, release_offset, offset, releases, revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (schema) DO NOTHING`,
  );
  const update = db.prepare(
    `UPDATE heads SET release = ?, pinned = ?, previous = ?, release_offset = ?, offset = ?, releases = ?, revision = ?
     WHERE schema = ? AND revision = ?`,
  );
  return {
    get: (schema) =>
      known.get(schema, () => {
        const row = get.get(schema);
        return row === undefined ? null : headOf(row);
      }),
    list: () => list.all().map(headOf),
    count: () => counted.get('heads', () => count.get()?.n as number),
    compareAndSet(expected, next) {
      const { schema, task, schemaText, form, releaseOffset, offset, releases, revision } = next;
      const told = [next.release, next.pinned, next.previous] as const;
      const result =
        expected === null
          ? insert.run(schema, task, schemaText, form, ...told, releaseOffset, offset, releases, revision)
          : update.run(...told, releaseOffset, offset, releases, revision, schema, expected);
      if (result.changes === 1) known.set(schema, next);
      if (expected === null) counted.drop('heads');
      return result.changes === 1;
    },
  };
}

function headOf(row: Record<string, SQLOutputValue>): Head {
  return {
    schema: row.schema as string,
    task: row.task as string,
    schemaText: row.schema_text as string,
    form: row.form as Form,
    release: row.release as string | null,
    pinned: row.pinned as string | null,
    previous: row.previous as string | null,
    releaseOffset: row.release_offset as number,
    offset: row.offset as number,
    releases: row.releases as number,
    revision: row.revision as number,
  };
}
