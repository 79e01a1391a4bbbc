/** The points of the learning curves, in SQLite. */
import type { DatabaseSync } from 'node:sqlite';
import type { Directory } from '../store.ts';

type Curves = Pick<Directory, 'addCurvePoint' | 'curve' | 'halveCurve' | 'curves'>;

export function sqliteCurves(db: DatabaseSync): Curves {
  const insert = db.prepare(
    `INSERT INTO curve_points (gateway, task, ordinal, at_ms, matured, error_sum, baseline_sum)
     SELECT ?1, ?2, (SELECT coalesce(max(ordinal), -1) + 1 FROM curve_points WHERE gateway = ?1 AND task = ?2), ?3, ?4, ?5, ?6`,
  );
  const read = db.prepare('SELECT * FROM curve_points WHERE gateway = ? AND task = ? ORDER BY ordinal');
  const halve = db.prepare(
    `DELETE FROM curve_points WHERE gateway = ?1 AND task = ?2 AND ordinal IN (
       SELECT ordinal FROM (
         SELECT ordinal, row_number() OVER (ORDER BY ordinal DESC) AS place
         FROM curve_points WHERE gateway = ?1 AND task = ?2) WHERE place % 2 = 0)`,
  );
  const count = db.prepare('SELECT count(*) AS n FROM curve_points WHERE gateway = ? AND task = ?');
  const all = db.prepare('SELECT gateway, task, count(*) AS n FROM curve_points GROUP BY gateway, task');
  return {
    addCurvePoint: (gateway, task, { atMs, matured, errorSum, baselineSum }) =>
      void insert.run(gateway, task, atMs, matured, errorSum, baselineSum),
    curve: (gateway, task) =>
      read.all(gateway, task).map((row) => ({
        atMs: row.at_ms as number,
        matured: row.matured as number,
        errorSum: row.error_sum as number,
        baselineSum: row.baseline_sum as number,
      })),
    halveCurve(gateway, task) {
      halve.run(gateway, task);
      return count.get(gateway, task)?.n as number;
    },
    curves: () =>
      all.all().map((row) => ({
        gateway: row.gateway as string,
        task: row.task as string,
        points: row.n as number,
      })),
  };
}
