/**
 * Prequential evaluation over a table: predict, score, then learn, row after row, by the engine that runs live. Reads the
 * file twice, first for the types of its columns; the engine sees one row at a time, in file order.
 */
import { createHash } from 'node:crypto';
import { type Core, type ExpertStatus, planForEvaluation, RivuletError } from '@rivulet/host';
import { profileOf } from '../table/profile.ts';
import type { Table, TableRow } from '../table/table.ts';
import { columnsFor, type EvaluationRequest } from './columns.ts';
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
  /** CPU microseconds in the engine per row, its code being warm (`pace.ts`). */
  us_per_row: number;
  /** CPU microseconds of the whole process per row, its code cold: engine, compiler, reading and coding the rows, garbage. */
  process_us_per_row: number;
  /** SHA-256 of the engine's final state, hex. */
  digest: string;
}

/** How an evaluation is told of and bounded. */
export interface EvaluationSettings {
  /** Rows to take; the others are not read. */
  readonly limit: number;
  /** The class that F1 is about; absent: the rarer one. */
  readonly positive: string | undefined;
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
  let done = 0;
  const processBegan = process.cpuUsage();
  for await (const batch of batches(table, settings.limit)) {
    const bytes = encodeRows(columns, batch);
    engine.rows(bytes);
    pace.keep(bytes, batch.length);
    done += batch.length;
    settings.progress(done, all);
  }

  const spent = process.cpuUsage(processBegan);

  const report = engine.evaluation();
  const metrics = { ...report.metrics };
  if (request.task === 'classification') {
    const f1 = f1Of(report.confusion, columns.target.coder.names, settings.positive);
    if (f1 !== null) metrics.f1 = f1;
  }
  return {
    rows: report.rows,
    metrics,
    panel: report.panel,
    us_per_row: pace.usPerRow(),
    process_us_per_row: (spent.user + spent.system) / done,
    digest: createHash('sha256').update(engine.checkpoint()).digest('hex'),
  };
}

async function* batches(table: Table, limit: number): AsyncGenerator<TableRow[]> {
  let left = limit;
  for await (const rows of table.rows()) {
    for (let at = 0; at < rows.length && left > 0; at += BATCH_ROWS) {
      const batch = rows.slice(at, at + Math.min(BATCH_ROWS, left));
      left -= batch.length;
      yield batch;
    }
    if (left <= 0) return;
  }
}
