/**
 * The peers: which configurations of River and Vowpal Wabbit run on a task, and their scores. Results are kept in the
 * cache by rows, delay and configuration, since the forests take minutes; a kept one is marked in the JSON.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonLines } from './python.ts';
import { type Scores, scoreClasses, scoreNumbers } from './scores.ts';
import type { BenchTask } from './tasks.ts';

/** Which peers are wanted. */
export type Family = 'river' | 'vw';

/** Counts changes of `peers.py` and `inputs.py` that make kept results worthless. */
const GENERATION = 1;

/** Rows up to which a configuration is run: what costs a millisecond per row would take the bench's time otherwise. */
const FEW_ROWS = 6_000;
const MANY_ROWS = 25_000;
const ALL_ROWS = Number.POSITIVE_INFINITY;

/** The best of TASKS.md and their nearest; `+last`: with the last arrived label, `+ours`: on our panel's inputs. */
const CLASSIFIERS: readonly [spec: string, rowsMax: number][] = [
  ['river lr lr=0.1', ALL_ROWS],
  ['+last river lr lr=0.1', ALL_ROWS],
  ['+ours river lr lr=0.03', ALL_ROWS],
  ['river pa C=1', ALL_ROWS],
  ['river pa C=0.01', ALL_ROWS],
  ['+ours river pa C=1', ALL_ROWS],
  ['river nb', ALL_ROWS],
  ['river tree', ALL_ROWS],
  ['river knn n_neighbors=5', MANY_ROWS],
  ['river arf', MANY_ROWS],
  ['river amf', FEW_ROWS],
  ['river srp', FEW_ROWS],
  ['vw --ftrl', ALL_ROWS],
  ['vw --freegrad', ALL_ROWS],
  ['vw --coin', ALL_ROWS],
  ['vw -q ::', ALL_ROWS],
  ['+ours vw --freegrad', ALL_ROWS],
];
const REGRESSORS: readonly [spec: string, rowsMax: number][] = [
  ['river lr lr=0.01', ALL_ROWS],
  ['river lr_scaled lr=0.01', ALL_ROWS],
  ['river lr_scaled lr=0.001', ALL_ROWS],
  ['+ours river lr_scaled lr=0.01', ALL_ROWS],
  ['+ours river lr_scaled lr=0.001', ALL_ROWS],
  ['river pa C=1', ALL_ROWS],
  ['river knn n_neighbors=5', MANY_ROWS],
  ['river tree', ALL_ROWS],
  ['river arf', MANY_ROWS],
  ['river amf', FEW_ROWS],
  ['vw', ALL_ROWS],
  ['vw --power_t 0', ALL_ROWS],
  ['vw --coin', ALL_ROWS],
  ['vw --freegrad', ALL_ROWS],
  ['vw -q :: --coin', ALL_ROWS],
  ['+ours vw --coin', ALL_ROWS],
];

/** One configuration's outcome on one task. */
export interface PeerResult {
  spec: string;
  scores: Scores;
  /** CPU of predicting and learning, without reading the rows. */
  us_per_row: number;
  /** Taken from an earlier run. */
  kept: boolean;
}

interface Line {
  spec: string;
  path?: string;
  us_per_row?: number;
  failed?: string;
}

/** Runs the peers of a task that are not kept yet. Those that fail are told of and left out. */
export async function runPeers(
  python: string,
  cache: string,
  task: BenchTask,
  labels: Float64Array,
  delay: number,
  families: readonly Family[],
): Promise<PeerResult[]> {
  const specs = specsFor(task, labels.length, families);
  const directory = join(cache, 'results', `${task.name}-${task.hash.slice(0, 12)}-late-${delay}`);
  await mkdir(directory, { recursive: true });
  const file = (spec: string) => join(directory, `${GENERATION} ${spec.replaceAll(/[^\w.+=-]+/g, ' ')}.json`);
  const results: PeerResult[] = [];
  const missing: string[] = [];
  for (const spec of specs) {
    const kept = await readFile(file(spec), 'utf8').catch(() => null);
    if (kept === null) missing.push(spec);
    else results.push({ ...JSON.parse(kept), kept: true });
  }
  if (missing.length === 0) return results;
  const out = await mkdtemp(join(cache, 'predictions-'));
  const [kind, classes] = [task.kind, String(task.classes)];
  const args = ['--rows', task.path, '--kind', kind, '--classes', classes, '--delay', String(delay), '--out', out];
  try {
    for await (const line of jsonLines(python, 'peers.py', [...args, ...missing])) {
      const { spec, path, us_per_row, failed } = line as Line;
      if (path === undefined || us_per_row === undefined) {
        console.error(`${task.name}: ${spec} failed: ${failed}`);
        continue;
      }
      const predictions = await readNumbers(path);
      await rm(path);
      const scores =
        kind === 'classification' ? scoreClasses(labels, predictions, task.classes) : scoreNumbers(labels, predictions);
      const result = { spec, scores, us_per_row };
      await writeFile(file(spec), JSON.stringify(result));
      results.push({ ...result, kept: false });
    }
  } finally {
    await rm(out, { recursive: true, force: true });
  }
  return results;
}

function specsFor(task: BenchTask, rows: number, families: readonly Family[]): string[] {
  const all = task.kind === 'classification' ? CLASSIFIERS : REGRESSORS;
  return all
    .filter(([spec, rowsMax]) => rows <= rowsMax && families.some((family) => spec.split(' ').includes(family)))
    .map(([spec]) => spec);
}

async function readNumbers(path: string): Promise<Float64Array> {
  const bytes = await readFile(path);
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
