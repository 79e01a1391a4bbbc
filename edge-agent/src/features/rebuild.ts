/**
 * The vectors that were served, rebuilt from the log by folding it again with a trace: features as they were at the time
 * of each prediction, and the label that came for it. Rows leave in the order they were served, each when its outcome is
 * known; what has none at the end of the log leaves without a label.
 */
import { join } from 'node:path';
import { type Core, decodePlanPayload, type LogReader, type Output, RivuletError } from '@rivulet/host';
import { foldLog, planIn } from '../fold.ts';
import type { Moment } from '../moment.ts';
import { namesOfPlan } from '../replay/output_lines.ts';
import { startOf } from '../replay/replay.ts';
import { readSetAside } from '../set_aside.ts';

/** One served vector. */
export interface ServedRow {
  /** Id of the prediction it was served for. */
  id: string;
  offset: number;
  key: string;
  /** Event time in epoch milliseconds. */
  at: number;
  /** NaN is a missing value. */
  features: readonly number[];
  /** Null while it waits, and when none came in time. */
  label: number | string | null;
  outcome: 'matured' | 'expired' | 'waiting';
}

export interface RebuildRequest {
  directory: string;
  log: LogReader;
  core: Core;
  task: string;
  from: Moment | null;
  /** Vectors served before this offset; null: all. */
  toOffset: number | null;
  /** Only this key; null: all. */
  key: string | null;
  /** Called once, before the first row. */
  columns(features: readonly string[]): void;
  row(row: ServedRow): void;
}

/** @throws RIV_USAGE when the log knows no such task, RIV_FEATURES_CHANGED, and what the fold throws */
export async function rebuild(request: RebuildRequest): Promise<{ rows: number }> {
  const { log, core, from, task } = request;
  const setAside = await readSetAside(join(request.directory, 'quarantine'));
  const { start, firstNames } = await startOf({ ...request, config: null });
  let columns: readonly string[] | null = null;
  let rows = 0;
  let names = firstNames;
  let shown = from === null;
  /** Rows by the slot that names them until their outcome; `queue` has them in the order they were served. */
  let waiting = new Map<number, ServedRow>();
  let queue: ServedRow[] = [];
  const taskNames = new Set<string>(names.tasks);

  const flush = (): void => {
    const settled = queue.findIndex(({ outcome }) => outcome === 'waiting');
    for (const row of queue.splice(0, settled < 0 ? queue.length : settled)) {
      rows += 1;
      request.row(row);
    }
  };
  const take = (output: Output, features: () => readonly string[]): void => {
    if (names.tasks[output.subject] !== task) {
      return;
    }
    if (output.kind === 'outcome') {
      const row = waiting.get(output.slot);
      if (row !== undefined) {
        waiting.delete(output.slot);
        row.outcome = output.matured ? 'matured' : 'expired';
        row.label = !output.matured ? null : output.class === '' ? output.number : output.class;
      }
    } else if (output.kind === 'served' && shown && wanted(output, request)) {
      columns = sameColumns(columns, features, request, output.offset);
      const { id, offset, key, at, features: values } = output;
      const row: ServedRow = { id, offset, key, at, features: values, label: null, outcome: 'waiting' };
      waiting.set(output.slot, row);
      queue.push(row);
    }
  };
  const engine = await foldLog({
    ...{ core, log, start, setAside, traced: true },
    ...(from === null
      ? {}
      : {
          mark: {
            at: from,
            reached() {
              shown = true;
            },
          },
        }),
    wanted: (kind) => kind === 'served' || kind === 'outcome',
    begin() {
      if (rows > 0) {
        // What left cannot be taken back, and a core that traps here did not serve it.
        throw new RivuletError('RIV_CORE_TRAPPED', {
          found: 'a message that traps the core',
          todo: 'Replay the log first.',
        });
      }
      names = firstNames;
      shown = from === null;
      waiting = new Map();
      queue = [];
    },
    folded(outputs, blocks, engine) {
      const plan = planIn(blocks);
      if (plan !== null) {
        names = namesOfPlan(decodePlanPayload(plan).plan);
        names.tasks.forEach((name) => {
          taskNames.add(name);
        });
      }
      let current: readonly string[] | null = null;
      for (const output of outputs) {
        take(output, () => {
          current ??= engine.report().tasks[output.subject]?.features ?? [];
          return current;
        });
      }
      flush();
    },
  });
  if (!taskNames.has(task)) {
    const expected = [...taskNames].join(', ') || 'a task; this log has none';
    throw new RivuletError('RIV_USAGE', { found: `no task ${JSON.stringify(task)}`, expected });
  }
  if (columns === null) {
    request.columns(engine.report().tasks[names.tasks.indexOf(task)]?.features ?? []);
  }
  for (const row of queue) {
    rows += 1;
    request.row(row);
  }
  return { rows };
}

function wanted(
  { offset, key }: { offset: number; key: string },
  { from, toOffset, key: only }: RebuildRequest,
): boolean {
  const begun = from === null || !('offset' in from) || offset >= from.offset;
  return begun && (toOffset === null || offset < toOffset) && (only === null || key === only);
}

/** The columns of the table: another configuration may have given the task others. */
function sameColumns(
  columns: readonly string[] | null,
  features: () => readonly string[],
  request: RebuildRequest,
  offset: number,
): readonly string[] {
  const now = features();
  if (columns === null) {
    request.columns(now);
  } else if (now.length !== columns.length || now.some((name, index) => name !== columns[index])) {
    throw new RivuletError('RIV_FEATURES_CHANGED', {
      found: `other features of ${request.task} from message ${offset} on`,
    });
  }
  return now;
}
