/** `rivulet evaluate`: scores the learner on a table, row by row, and prints the outcome as JSON or as a small table. */
import { parseArgs } from 'node:util';
import { type EvaluationSpec, loadCore, RivuletError } from '@rivulet/host';
import { type EvaluationResult, evaluate } from '../evaluate/evaluation.ts';
import { LIBSVM_LABEL, openTable, type Table } from '../table/table.ts';

const HELP = `Usage: rivulet evaluate --data FILE --task regression|classification|forecast --target COLUMN [options]

Predicts each row, scores the prediction, then learns from the row, with the engine that runs on gateways.
FILE is CSV with a header row or libsvm text, plain or gzip; empty, NA and nan are missing values.
Features are all columns but the target: numbers as they are, text as categories.

  --target COLUMN    what to predict (libsvm text: the label, unless given)
  --time COLUMN      when the row was measured; not a feature
  --key COLUMN       what was measured (a device, a station); not a feature
  --drop COLUMNS     columns to leave out, separated by commas
  --horizon N        forecast: rows ahead (default 1)
  --label-delay N    rows by which labels come late (default 0)
  --limit N          take the first N rows only
  --positive CLASS   the class that F1 is about (default: the rarer of two)
  --core BUILD       auto, scalar or simd (default auto)
  --json             print one JSON object`;

/** Longest label delay and horizon in rows: what waits for its label is kept with its features. */
const ROWS_AHEAD_MAX = 65_536;

/** Runs the subcommand; answers with the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      data: { type: 'string' },
      task: { type: 'string' },
      target: { type: 'string' },
      time: { type: 'string' },
      key: { type: 'string' },
      drop: { type: 'string', multiple: true },
      horizon: { type: 'string', default: '1' },
      'label-delay': { type: 'string', default: '0' },
      limit: { type: 'string' },
      positive: { type: 'string' },
      core: { type: 'string', default: 'auto' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const table = await openTable(required(values.data, '--data'));
  const request = {
    task: oneOf(required(values.task, '--task'), '--task', ['regression', 'classification', 'forecast'] as const),
    target: values.target ?? required(libsvmTarget(table), '--target'),
    time: values.time,
    key: values.key,
    drop: (values.drop ?? []).flatMap((list) => list.split(',')).filter((name) => name !== ''),
    horizon: count(values.horizon, '--horizon', 1, ROWS_AHEAD_MAX),
    labelDelay: count(values['label-delay'], '--label-delay', 0, ROWS_AHEAD_MAX),
  };
  const build = oneOf(values.core, '--core', ['auto', 'scalar', 'simd'] as const);
  const limit =
    values.limit === undefined ? Number.POSITIVE_INFINITY : count(values.limit, '--limit', 1, Number.MAX_SAFE_INTEGER);
  const bar = progressBar(!values.json && process.stderr.isTTY);
  const result = await evaluate(await loadCore({ build }), table, request, {
    limit,
    positive: values.positive,
    progress: bar.show,
  });
  bar.clear();
  console.log(values.json ? JSON.stringify(result) : tableOf(result, request.task));
  return 0;
}

function libsvmTarget(table: Table): string | undefined {
  return table.columns[0] === LIBSVM_LABEL && table.columns[1] === '1' ? LIBSVM_LABEL : undefined;
}

function required(value: string | undefined, option: string): string {
  if (value === undefined) throw new RivuletError('RIV_USAGE', { found: `${option} is missing` });
  return value;
}

function oneOf<const T extends string>(value: string, option: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === value);
  if (choice === undefined) {
    throw new RivuletError('RIV_USAGE', { where: option, found: `"${value}"`, expected: choices.join(', ') });
  }
  return choice;
}

function count(text: string, option: string, low: number, high: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RivuletError('RIV_USAGE', { where: option, found: `"${text}"`, expected: `${low} to ${high}` });
  }
  return value;
}

/** A bar on one line of standard error, at most ten times a second. */
function progressBar(shown: boolean): { show(done: number, all: number): void; clear(): void } {
  const width = 40;
  let shownAt = 0;
  return {
    show(done, all) {
      const now = performance.now();
      if (!shown || now - shownAt < 100) return;
      shownAt = now;
      const filled = Math.round((width * done) / all);
      process.stderr.write(`\r${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${done} of ${all} rows`);
    },
    clear() {
      if (shown) process.stderr.write('\r\x1b[2K');
    },
  };
}

function tableOf(result: EvaluationResult, task: EvaluationSpec['kind']): string {
  const rows: [string, string][] = [
    ['task', task],
    ['rows', String(result.rows)],
    ...Object.entries(result.metrics).map(([name, value]): [string, string] => [
      name.replaceAll('_', ' '),
      value === null ? 'none' : value.toPrecision(5),
    ]),
    ['engine time per row', `${result.us_per_row.toFixed(2)} µs`],
    ['digest', result.digest.slice(0, 16)],
  ];
  const experts = [...result.panel].sort((a, b) => b.weight - a.weight).slice(0, 5);
  const panel = experts.map((one): [string, string] => [`  ${one.expert}`, `${(100 * one.weight).toFixed(1)} %`]);
  const all = [...rows, ['experts with most weight', ''] as [string, string], ...panel];
  const width = Math.max(...all.map(([name]) => name.length)) + 2;
  return all.map(([name, value]) => `${name.padEnd(width)}${value}`.trimEnd()).join('\n');
}
