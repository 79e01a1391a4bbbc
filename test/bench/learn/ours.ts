/** Our side: a prepared file through `evaluate`, the code of `rivulet evaluate`, with nothing set but what a row may cost. */
import { type Core, planForEvaluation } from '@rivulet/host';
import { columnsFor, type EvaluationRequest } from '../../../edge-agent/src/evaluate/columns.ts';
import { type EvaluationResult, evaluate } from '../../../edge-agent/src/evaluate/evaluation.ts';
import { encodeRows } from '../../../edge-agent/src/evaluate/rows.ts';
import { profileOf } from '../../../edge-agent/src/table/profile.ts';
import { openTable } from '../../../edge-agent/src/table/table.ts';
import { type BenchTask, LABEL } from './tasks.ts';

/** Rows whose single prediction is timed, how often each, and how many rows are predicted to warm the code. */
const TIMED_ROWS = 5_000;
const PASSES = 7;
const WARM_ROWS = 5_000;

/** Memory that a panel may take: the default. */
const MEMORY_BYTES = 16 * 2 ** 20;

/** Place of the label in one encoded row: behind both counts and the key. */
const LABEL_AT = 12;

/** What one prediction takes from JavaScript and back: the median and what 99 in 100 stay under. */
export interface PredictionTimes {
  p50_us: number;
  p99_us: number;
}

function requestOf(task: BenchTask, labelDelay: number): EvaluationRequest {
  return {
    task: task.kind,
    target: LABEL,
    time: undefined,
    key: undefined,
    drop: [],
    horizon: 1,
    labelDelay,
    classes: Array.from({ length: task.classes }, (_, index) => String(index)),
  };
}

/** Evaluates a task whose labels come `labelDelay` rows late; `nominalNs` is the budget, absent the default. */
export async function runOurs(
  core: Core,
  task: BenchTask,
  labelDelay: number,
  nominalNs?: number,
): Promise<EvaluationResult> {
  const budget = nominalNs === undefined ? {} : { budget: { perExampleNs: nominalNs, memoryBytes: MEMORY_BYTES } };
  const settings = { limit: Number.POSITIVE_INFINITY, positive: undefined, progress: () => {} };
  return evaluate(core, await openTable(task.path), { ...requestOf(task, labelDelay), ...budget }, settings);
}

/**
 * Times single predictions: an engine that has learned the table is given its last rows once more, one by one and without
 * labels. A row's time is the least of several, since a busy machine stops a process now and then for longer than that.
 */
export async function timePredictions(core: Core, task: BenchTask): Promise<PredictionTimes> {
  const table = await openTable(task.path);
  const { columns: profiles } = await profileOf(table, Number.POSITIVE_INFINITY);
  const columns = columnsFor(table.path, profiles, requestOf(task, 0));
  const engine = core.newEngine();
  engine.open(planForEvaluation(columns.spec));
  let last: Uint8Array[] = [];
  for await (const rows of table.rows()) {
    engine.rows(encodeRows(columns, rows));
    last = [...last, ...rows.map((row) => encodeRows(columns, [row]))].slice(-TIMED_ROWS);
  }
  for (const row of last) new DataView(row.buffer).setFloat64(LABEL_AT, Number.NaN, true);
  for (let done = 0; done < WARM_ROWS; done += last.length) for (const row of last) engine.rows(row);
  const least = last.map(() => Number.POSITIVE_INFINITY);
  for (let pass = 0; pass < PASSES; pass++) {
    last.forEach((row, place) => {
      const began = process.hrtime.bigint();
      engine.rows(row);
      least[place] = Math.min(least[place] ?? 0, Number(process.hrtime.bigint() - began) / 1e3);
    });
  }
  least.sort((a, b) => a - b);
  const at = (share: number): number => least[Math.floor(share * (least.length - 1))] ?? Number.NaN;
  return { p50_us: at(0.5), p99_us: at(0.99) };
}
