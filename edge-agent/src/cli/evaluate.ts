/**
 * `rivulet evaluate`: scores the learner on tables, row by row, and prints the outcome as JSON or as a small table; draws
 * learning curves into a file when asked to.
 */
import { parseArgs } from 'node:util';
import { DRIFT_DETECTORS, expertsNamed, loadCore, parseNanoseconds, RivuletError, RUN_LENGTHS } from '@rivulet/host';
import { type EvaluationResult, evaluate } from '../evaluate/evaluation.ts';
import { type ReportedData, reportFile } from '../evaluate/report/file.ts';
import { sideBySide, textOf } from '../evaluate/text.ts';
import { joinTables } from '../table/joined.ts';
import { LIBSVM_LABEL, openTable, type Table } from '../table/table.ts';

const HELP = `Usage: rivulet evaluate FILE… --task regression|classification|forecast --target COLUMN [options]

Predicts each row, scores the prediction, then learns from the row, with the engine that runs on gateways.
FILE is CSV with a header row or libsvm text, plain or gzip; empty, NA and nan are missing values. Several files
with the same columns are read as one, in the order given, or one by one with --each.
Features are all columns but the target: numbers as they are, text as categories.

  --data FILE        one more FILE
  --target COLUMN    what to predict (libsvm text: the label, unless given)
  --time COLUMN      when the row was measured; not a feature
  --key COLUMN       what was measured (a device, a station); not a feature
  --drop COLUMNS     columns to leave out, separated by commas
  --horizon N        forecast: rows ahead (default 1)
  --label-delay N    rows by which labels come late (default 0); several, separated by commas, are run one by one
  --each             evaluate each file by itself, each with a learner that has seen nothing
  --compare          each expert alone beside the panel
  --report FILE      write learning curves and tables to FILE.html, or the curves to FILE.svg
  --classes NAMES    classes in order, separated by commas: the first is predicted before any label (default: by
                     first appearance)
  --drift DETECTOR   watch the error for drift: ${DRIFT_DETECTORS.join(', ')}
  --run-length N     rows between two false alarms of the detector (default 100000)
  --budget TIME      what the panel may cost per row, nominally: 1us, 500ns (default 8us); the worst experts go
  --experts NAMES    the experts the panel begins with, separated by commas: default and others, or all (CONFIGURATION.md)
  --limit N          take the first N rows only
  --positive CLASS   the class that F1 is about (default: the rarer of two)
  --core BUILD       auto, scalar or simd (default auto)
  --json             print one JSON object (an array with several label delays or --each)`;

/** Memory of a panel whose time is bounded: the core's default. */
const BUDGET_BYTES = 16 * 2 ** 20;
/** Longest label delay and horizon in rows: what waits for its label is kept with its features. */
const ROWS_AHEAD_MAX = 65_536;

/** Runs the subcommand; answers with the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      data: { type: 'string', multiple: true },
      task: { type: 'string' },
      target: { type: 'string' },
      time: { type: 'string' },
      key: { type: 'string' },
      drop: { type: 'string', multiple: true },
      horizon: { type: 'string', default: '1' },
      'label-delay': { type: 'string', default: '0' },
      classes: { type: 'string' },
      limit: { type: 'string' },
      budget: { type: 'string' },
      experts: { type: 'string' },
      positive: { type: 'string' },
      core: { type: 'string', default: 'auto' },
      each: { type: 'boolean', default: false },
      compare: { type: 'boolean', default: false },
      report: { type: 'string' },
      drift: { type: 'string' },
      'run-length': { type: 'string', default: '100000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const paths = [...(values.data ?? []), ...positionals];
  required(paths[0], 'a FILE');
  const report = values.report === undefined ? null : await reportFile(values.report);
  const opened = await Promise.all(paths.map((path) => openTable(path)));
  const tables = values.each ? opened : [joinTables(opened)];
  const task = oneOf(required(values.task, '--task'), '--task', ['regression', 'classification', 'forecast'] as const);
  const request = {
    task,
    time: values.time,
    key: values.key,
    drop: (values.drop ?? []).flatMap(listed),
    horizon: count(values.horizon, '--horizon', 1, ROWS_AHEAD_MAX),
    classes: listed(values.classes ?? ''),
    drift:
      values.drift === undefined
        ? undefined
        : {
            detector: oneOf(values.drift, '--drift', DRIFT_DETECTORS),
            runLength: count(values['run-length'], '--run-length', ...RUN_LENGTHS),
          },
    ...(values.budget !== undefined && {
      budget: { perExampleNs: parseNanoseconds(values.budget), memoryBytes: BUDGET_BYTES },
    }),
    ...(values.experts !== undefined && {
      experts: expertsNamed(values.experts, task === 'classification' ? 'classes' : 'numbers'),
    }),
  };
  const delays = listed(values['label-delay']).map((text) => count(text, '--label-delay', 0, ROWS_AHEAD_MAX));
  required(delays.length > 0 ? 'given' : undefined, 'the number of --label-delay');
  const build = oneOf(values.core, '--core', ['auto', 'scalar', 'simd'] as const);
  const limit =
    values.limit === undefined ? Number.POSITIVE_INFINITY : count(values.limit, '--limit', 1, Number.MAX_SAFE_INTEGER);
  const bar = progressBar(!values.json && process.stderr.isTTY);
  const settings = {
    limit,
    positive: values.positive,
    compare: values.compare,
    curve: report !== null,
    progress: bar.show,
  };
  const core = await loadCore({ build });
  const all: ReportedData[] = [];
  for (const table of tables) {
    const target = values.target ?? required(libsvmTarget(table), '--target');
    const runs: (EvaluationResult & { label_delay: number; data: string })[] = [];
    for (const labelDelay of delays) {
      const result = await evaluate(core, table, { ...request, target, labelDelay }, settings);
      bar.clear();
      runs.push({ data: table.path, label_delay: labelDelay, ...result });
      if (values.json) continue;
      const before = all.length + runs.length > 1 ? '\n' : '';
      const name = tables.length > 1 ? `${table.path}\n` : '';
      console.log(`${before}${name}${textOf(result, task, labelDelay)}`);
    }
    all.push({ data: table.path, task, target, runs });
  }
  const results = all.flatMap(({ data, runs }) => runs.map((run) => ({ ...run, data })));
  if (values.json) console.log(JSON.stringify(results.length === 1 ? results[0] : results));
  else if (results.length > 1) console.log(`\n${sideBySide(results)}`);
  if (report !== null) await report.write(all);
  return 0;
}

function libsvmTarget(table: Table): string | undefined {
  return table.columns[0] === LIBSVM_LABEL && table.columns[1] === '1' ? LIBSVM_LABEL : undefined;
}

/** The parts of a list written with commas. */
function listed(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
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
