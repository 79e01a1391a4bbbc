/**
 * A recorded table as a feed: one message per row, in file order, and for a labelled task the label on its own topic behind
 * the row. The position is the number of rows given out.
 */
import { basename } from 'node:path';
import { formatDuration } from '@rivulet/host';
import { isMissing, numberIn } from '../../table/cells.ts';
import { profileOf } from '../../table/profile.ts';
import { openTable, type Table, type TableRow } from '../../table/table.ts';
import type { Feed, FeedMessage, FeedStep } from '../feed.ts';
import type { FeedConfig } from '../feed_config.ts';
import { type GuessOptions, guessPlan, type SentColumn, type TablePlan } from './guess.ts';

/** First time of a table that has none. */
const MADE_UP_START = Date.UTC(2025, 0, 1);
const MADE_UP_STEP_MS = 1000;

/** Rows looked at to find the usual distance between two. */
const SPACING_ROWS = 1000;

/** A table with the plan to play it. */
export interface PlayedTable {
  readonly table: Table;
  readonly plan: TablePlan;
  /** The key: the file's name without its endings. */
  readonly key: string;
  readonly rows: number;
  /** Usual milliseconds between two rows: the median of the first thousand. */
  readonly spacing_ms: number;
}

/** Opens a file, looks through it and decides how to play it. */
export async function openPlayed(path: string, options: GuessOptions): Promise<PlayedTable> {
  const table = await openTable(path);
  const { rows, columns } = await profileOf(table);
  const plan = guessPlan(path, columns, options);
  return { table, plan, key: keyOf(path), rows, spacing_ms: await spacingOf(table, plan) };
}

/** A topic level and key for a file. */
export function keyOf(path: string): string {
  const name = basename(path)
    .replace(/\.gz$/i, '')
    .replace(/\.(csv|tsv|txt|data)$/i, '');
  return name.replace(/[^\w.-]+/g, '-') || 'table';
}

async function spacingOf(table: Table, plan: TablePlan): Promise<number> {
  if (plan.time === null) return MADE_UP_STEP_MS;
  const distances: number[] = [];
  let previous = Number.NaN;
  for await (const rows of table.rows()) {
    for (const { cells } of rows) {
      const at = plan.time.at(cells);
      if (at > previous) distances.push(at - previous);
      if (!Number.isNaN(at)) previous = at;
    }
    if (distances.length >= SPACING_ROWS) break;
  }
  distances.sort((a, b) => a - b);
  return distances[distances.length >> 1] ?? MADE_UP_STEP_MS;
}

/** Rows given out so far. */
interface TablePosition {
  rows: number;
}

/** The feed of one table; a position of an earlier run skips what it gave out. */
export function createTableFeed(played: PlayedTable, position: unknown): Feed {
  const { plan, key, table } = played;
  let given = Number((position as Partial<TablePosition> | null | undefined)?.rows ?? 0);
  let timeless = 0;
  const rows = rowsFrom(table, given);

  async function next(): Promise<FeedStep | null> {
    for (let row = await rows.next(); row.done !== true; row = await rows.next()) {
      const seq = given++;
      const at = plan.time === null ? MADE_UP_START + seq * MADE_UP_STEP_MS : plan.time.at(row.value.cells);
      if (Number.isNaN(at)) {
        timeless++;
        continue;
      }
      return { at, messages: messagesOf(plan, key, row.value, at, seq) };
    }
    return null;
  }

  return {
    next,
    position: (): TablePosition => ({ rows: given }),
    counts: () => ({ rows: given, rows_without_time: timeless }),
  };
}

async function* rowsFrom(table: Table, skip: number): AsyncGenerator<TableRow> {
  let left = skip;
  for await (const batch of table.rows()) {
    const rows = left === 0 ? batch : batch.slice(left);
    left = Math.max(0, left - batch.length);
    yield* rows;
  }
}

function messagesOf(plan: TablePlan, key: string, row: TableRow, at: number, seq: number): FeedMessage[] {
  const payload: Record<string, number> = { ts: at, seq };
  for (const column of plan.fields) {
    const value = sentValue(column, row.cells[column.place] ?? '');
    if (!Number.isNaN(value)) payload[column.field] = value;
  }
  const reading: FeedMessage = { topic: `rows/${key}`, payload: JSON.stringify(payload), kind: 'reading' };
  const label = plan.task === 'forecast' ? null : labelIn(plan, row.cells[plan.target.place] ?? '');
  if (label === null) return [reading];
  const topic = `labels/${key}/${plan.target.field}`;
  return [reading, { topic, payload: JSON.stringify({ ts: at, value: label }), kind: 'label' }];
}

function sentValue({ values }: SentColumn, cell: string): number {
  if (isMissing(cell)) return Number.NaN;
  if (values === null) return numberIn(cell);
  const index = values.indexOf(cell);
  return index < 0 ? Number.NaN : index;
}

/** A class as it stands in the file; a number where it is one. */
function labelIn(plan: TablePlan, cell: string): string | number | null {
  if (isMissing(cell)) return null;
  const value = numberIn(cell);
  if (!Number.isNaN(value)) return value;
  return plan.task === 'classification' ? cell : null;
}

/** What a gateway can learn from a table. `horizon_ms`: of a forecast; without: one row ahead. */
export function tableConfig(played: PlayedTable, horizon_ms: number | undefined): FeedConfig {
  const { plan, spacing_ms, rows, key } = played;
  const { target, task } = plan;
  const horizon = horizon_ms ?? spacing_ms;
  const label = { topic: `labels/{table}/${target.field}`, path: 'value', time: 'ts' };
  const learned =
    task === 'forecast'
      ? {
          name: taskName(`${target.field}_in_${formatDuration(horizon)}`),
          forecast: target.field,
          horizon: formatDuration(horizon),
          every: '0s',
          tolerance: whole(spacing_ms / 2),
        }
      : {
          name: taskName(target.field),
          [task === 'classification' ? 'classify' : 'regress']: label,
          every: '0s',
          tolerance: '0s',
          wait: whole(Math.max(1000, spacing_ms * 20)),
        };
  return {
    about: `recorded table ${key}, ${rows} rows`,
    simulated: false,
    notes: [`Recorded rows of ${key}.`, ...plan.notes, `Task: ${task} of ${target.column}.`],
    sources: [
      {
        name: 'rows',
        topic: 'rows/{table}',
        key: '{table}',
        fields: Object.fromEntries(plan.fields.map(({ field }) => [field, field])),
        time: 'ts',
        seq: 'seq',
        lateness: '0s',
        clock_skew_max: 0,
        idle: '10m',
      },
    ],
    windows: [],
    tasks: [learned],
  };
}

function taskName(text: string): string {
  return text.toLowerCase().slice(0, 64);
}

function whole(ms: number): string {
  return formatDuration(Math.max(1, Math.round(ms)));
}
