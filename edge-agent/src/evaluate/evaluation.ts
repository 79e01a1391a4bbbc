/**
 * Prequential evaluation over a table: predict, score, then learn, row after row, by the engine that runs live. Reads the
 * file twice, first for the types of its columns; the engine sees one row at a time, in file order.
 */
import { createHash } from 'node:crypto';
import {
  type Core,
  type EvaluationReport,
  type ExpertStatus,
  type LeaderStatus,
  planForEvaluation,
  RivuletError,
} from '@rivulet/host';
import { profileOf } from '../table/profile.ts';
import type { Table, TableRow } from '../table/table.ts';
import { columnsFor, type EvaluationRequest } from './columns.ts';
import { type Comparison, compare } from './compare.ts';
import { addPoint, type CurvePoint, curveStep, measureOf } from './curve.ts';
import { createPace } from './pace.ts';
import { encodeRows } from './rows.ts';
import { f1Of } from './scores.ts';

/** Rows per call of the engine: enough to make the call's price vanish, few enough for a lively progress bar. */
const BATCH_ROWS = 512;

/** The outcome; the JSON of `rivulet evaluate --json`. */
export interface EvaluationResult {
  rows: number;
  metrics: Record<string, number | null>;
  panel: ExpertStatus[];
  /** Who weighs most at the end, since which label, of how many. */
  leader: LeaderStatus;
  /** Classes only: per tenth of probability in which an answer was served, its mean and how often the answer was right. */
  reliability?: NonNullable<EvaluationReport['reliability']>;
  /** Microseconds per row by the account of the panel as it is at the end, which its budget is held against. */
  nominal_us_per_row: number;
  /** CPU microseconds in the engine per row, its code being warm (`pace.ts`). */
  us_per_row: number;
  /** CPU microseconds of the whole process per row, its code cold: engine, compiler, reading and coding the rows, garbage. */
  process_us_per_row: number;
  /** SHA-256 of the engine's final state, hex. */
  digest: string;
  /** Alarms of a drift detector on the error, and after how many rows; only when asked for. */
  drift?: { detector: string; run_length: number; alarms: number; rows: number[] };
  /** Each expert alone; only when asked for. */
  compare?: Comparison;
  /** Scores along the way; only when asked for. */
  curve?: CurvePoint[];
}

/** How an evaluation is told of and bounded. */
export interface EvaluationSettings {
  /** Rows to take; the others are not read. */
  readonly limit: number;
  /** The class that F1 is about; absent: the rarer one. */
  readonly positive: string | undefined;
  /** Compare each expert with the panel. */
  readonly compare?: boolean;
  /** Keep the learning curve. */
  readonly curve?: boolean;
  /** Called after each batch. */
  progress(done: number, all: number): void;
}

/**
 * Evaluates the panel on a table.
 * @throws RIV_USAGE, RIV_DATA, RIV_FILE_UNREADABLE, RIV_CORE_…
 */
export async function evaluate(
  core: Core,
  table: Table,
  request: EvaluationRequest,
  settings: EvaluationSettings,
): Promise<EvaluationResult> {
  const { rows: all, columns: profiles } = await profileOf(table, settings.limit);
  if (all === 0) {
    throw new RivuletError('RIV_DATA', { where: table.path, found: 'no rows behind the header', expected: 'some' });
  }
  const columns = columnsFor(table.path, profiles, request);
  const plan = planForEvaluation(columns.spec);
  const engine = core.newEngine();
  engine.open(plan);

  const pace = createPace(core, plan);
  const measure = measureOf(request.task);
  const curve: CurvePoint[] = [];
  // The experts are scored by the labels that were learned: the panel is compared over as many rows.
  const sameAt = settings.compare === true ? Math.max(0, all - request.labelDelay) : 0;
  let same: EvaluationReport | null = null;
  const step = settings.curve === true ? curveStep(all) : Number.POSITIVE_INFINITY;
  let done = 0;
  const processBegan = process.cpuUsage();
  for await (const batch of batches(table, settings.limit, step, sameAt)) {
    const bytes = encodeRows(columns, batch);
    engine.rows(bytes);
    pace.keep(bytes, batch.length);
    done += batch.length;
    if (done % step === 0) addPoint(curve, engine.evaluation(), measure);
    if (done === sameAt) same = engine.evaluation();
    settings.progress(done, all);
  }

  const spent = process.cpuUsage(processBegan);

  const report = engine.evaluation();
  const metrics = { ...report.metrics };
  if (request.task === 'classification') {
    const f1 = f1Of(report.confusion, columns.target.coder.names, settings.positive);
    if (f1 !== null) metrics.f1 = f1;
  }
  if (settings.curve === true) addPoint(curve, report, measure);
  return {
    rows: report.rows,
    metrics,
    panel: report.panel,
    leader: report.leader,
    ...(report.reliability === undefined ? {} : { reliability: report.reliability }),
    nominal_us_per_row: report.nominal_us,
    us_per_row: pace.usPerRow(),
    process_us_per_row: (spent.user + spent.system) / done,
    digest: createHash('sha256').update(engine.checkpoint()).digest('hex'),
    ...(request.drift !== undefined && report.drift !== undefined
      ? { drift: { detector: request.drift.detector, run_length: request.drift.runLength, ...report.drift } }
      : {}),
    ...(settings.compare === true ? { compare: compare(report, same ?? report, measure) } : {}),
    ...(settings.curve === true ? { curve } : {}),
  };
}

/** Batches that also end at every multiple of `step` rows and at row `cut`: how rows are cut changes no result. */
async function* batches(table: Table, limit: number, step: number, cut: number): AsyncGenerator<TableRow[]> {
  let done = 0;
  for await (const rows of table.rows()) {
    for (let at = 0; at < rows.length && done < limit; ) {
      const size = Math.min(BATCH_ROWS, limit - done, step - (done % step), done < cut ? cut - done : BATCH_ROWS);
      const batch = rows.slice(at, at + size);
      at += batch.length;
      done += batch.length;
      yield batch;
    }
    if (done >= limit) return;
  }
}
