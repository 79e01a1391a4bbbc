/** `rivulet features`: what features there are, where they come from, what was served, and the proof of it. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Config,
  decodeBlockHeader,
  loadCore,
  openLogReader,
  RivuletError,
  readSlots,
  type TaskReport,
} from '@rivulet/host';
import { readConfigFile } from '../config_file.ts';
import { asDot, asMermaid, asText, catalogue, lineage } from '../features/catalogue.ts';
import { rebuild } from '../features/rebuild.ts';
import { openCsvFile, openParquetFile } from '../features/table_file.ts';
import { verifyServed } from '../features/verify.ts';
import { type Moment, parseMoment } from '../moment.ts';
import { namesOfState } from '../replay/output_lines.ts';
import { coreBuild } from './run.ts';

const HELP = `Usage: rivulet features ls --config FILE [STATE_DIR]
       rivulet features show NAME --config FILE [STATE_DIR]
       rivulet features graph --config FILE [STATE_DIR] [--format text|dot|mermaid]
       rivulet features export STATE_DIR --task NAME [options]
       rivulet features verify STATE_DIR [--keys N|all] [--recent]

ls, show and graph read a configuration: its sets of features and its tasks. With STATE_DIR they know the features of
automatic tasks too, and how often each was missing.

export rebuilds from the log the vectors that a task was served, at the time of each prediction, with the label that came.
  --from MOMENT    from here on: an offset (12000) or a time (2026-05-01T12:00:00Z)
  --to MOMENT      served before here; labels are looked for up to the end of the log
  --key KEY        of this key only
  --format FORMAT  csv (default) or parquet
  --out FILE       where to; csv goes to standard output without it

verify rebuilds the vectors up to the newest checkpoint and compares them, bit for bit, with what was served. The exit code
is 1 when they differ.
  --keys N         keys per task that are looked at (default 16)
  --recent         only from the older checkpoint on

  --json           print one JSON object (ls, show, verify)
  --core WHICH     auto, scalar or simd (default auto)`;

const OPTIONS = {
  config: { type: 'string' },
  task: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  key: { type: 'string' },
  format: { type: 'string' },
  out: { type: 'string' },
  keys: { type: 'string', default: '16' },
  recent: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  core: { type: 'string', default: 'auto' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({ args: argv, allowPositionals: true, options: OPTIONS });
  const [command, ...rest] = positionals;
  if (values.help || command === undefined) {
    console.log(HELP);
    return 0;
  }
  const options = values as Options;
  switch (command) {
    case 'ls':
      return list(options, rest);
    case 'show':
      return show(options, rest);
    case 'graph':
      return graph(options, rest);
    case 'export':
      return exportServed(options, rest);
    case 'verify':
      return verify(options, rest);
    default:
      throw new RivuletError('RIV_USAGE', { found: command, expected: 'ls, show, graph, export or verify' });
  }
}

interface Options {
  config?: string;
  task?: string;
  from?: string;
  to?: string;
  key?: string;
  format?: string;
  out?: string;
  keys: string;
  recent: boolean;
  json: boolean;
  core: string;
}

/** A task's features as they stand in a state, and how often each was missing. */
type SettledTask = Pick<TaskReport, 'features' | 'missing' | 'predictions' | 'schema'>;
type Settled = Map<string, SettledTask>;

function featuresOf(settled: Settled): Map<string, string[]> {
  return new Map([...settled].map(([name, { features }]) => [name, features]));
}

async function settledIn(directory: string | undefined, core: string): Promise<Settled> {
  if (directory === undefined) {
    return new Map();
  }
  const [newest] = await readSlots(join(directory, 'checkpoint'));
  if (newest === undefined) {
    throw new RivuletError('RIV_CHECKPOINT_LOST', { found: 'there is no checkpoint', where: directory });
  }
  const engine = (await loadCore({ build: coreBuild(core) })).newEngine();
  engine.restore(newest.state);
  const names = namesOfState(newest.state).tasks;
  return new Map(engine.report().tasks.map((task, index) => [names[index] ?? task.name, task]));
}

async function configured({ config }: Options): Promise<Config> {
  if (config === undefined) {
    throw new RivuletError('RIV_USAGE', { found: 'no configuration', expected: '--config FILE' });
  }
  return (await readConfigFile(config)).config;
}

function atMostOne(positionals: readonly string[]): string | undefined {
  if (positionals.length > 1) {
    throw new RivuletError('RIV_USAGE', {
      found: `${positionals.length} directories`,
      expected: 'at most one STATE_DIR',
    });
  }
  return positionals[0];
}

function theDirectory(positionals: readonly string[]): string {
  const directory = atMostOne(positionals);
  if (directory === undefined) {
    throw new RivuletError('RIV_USAGE', { found: 'no directory', expected: 'one STATE_DIR' });
  }
  return directory;
}

async function list(options: Options, rest: string[]): Promise<number> {
  const config = await configured(options);
  const settled = await settledIn(atMostOne(rest), options.core);
  const sets = catalogue(config, featuresOf(settled));
  if (options.json) {
    console.log(JSON.stringify({ sets, tasks: Object.fromEntries(settled) }));
    return 0;
  }
  for (const { name, owner, description, hash, features, tasks } of sets) {
    const parts = [
      hash === '' ? name : `${name}  ${hash.slice(0, 12)}`,
      features.length === 0 ? 'no features yet' : `${features.length} features`,
      ...(owner === '' ? [] : [`owner ${owner}`]),
      ...(description === '' ? [] : [description]),
      `used by ${tasks.join(', ') || 'no task'}`,
    ];
    console.log(parts.join(' · '));
  }
  return 0;
}

async function show(options: Options, [name, ...rest]: string[]): Promise<number> {
  const config = await configured(options);
  const settled = await settledIn(atMostOne(rest), options.core);
  const known = catalogue(config, featuresOf(settled));
  const set = known.find((candidate) => candidate.name === name);
  const task = name === undefined ? undefined : settled.get(name);
  if (set === undefined && task === undefined && !config.tasks.some((candidate) => candidate.name === name)) {
    const expected = [
      ...new Set([...known.map((other) => other.name), ...config.tasks.map((other) => other.name)]),
    ].join(', ');
    throw new RivuletError('RIV_USAGE', { found: `nothing called ${name ?? ''}`, expected });
  }
  const document = { ...set, ...(task === undefined ? {} : { settled: task }) };
  if (options.json) {
    console.log(JSON.stringify(document));
    return 0;
  }
  console.log(`${name}${set === undefined ? '' : `  ${set.hash}`}`);
  for (const line of [
    set?.owner && `owner: ${set.owner}`,
    set?.description,
    task?.schema && `schema: ${task.schema}`,
  ]) {
    if (line) {
      console.log(`  ${line}`);
    }
  }
  for (const { feature, meaning, unit, description } of set?.features ?? []) {
    const texts = [meaning, unit, description, missingText(task, feature)].filter((text) => text !== '');
    console.log(`  ${feature.padEnd(32)} ${texts.join(' · ')}`);
  }
  return 0;
}

/** How often a feature was missing, as far as a state tells. */
function missingText(task: SettledTask | undefined, feature: string): string {
  const place = task?.features.indexOf(feature) ?? -1;
  if (task === undefined || place < 0 || task.predictions === 0) {
    return '';
  }
  const missing = task.missing[place] ?? 0;
  return `missing in ${missing} of ${task.predictions} (${((100 * missing) / task.predictions).toFixed(1)} %)`;
}

async function graph(options: Options, rest: string[]): Promise<number> {
  const config = await configured(options);
  const settled = await settledIn(atMostOne(rest), options.core);
  const features = new Map(
    config.tasks.map(({ name, features: named }) => [name, settled.get(name)?.features ?? named]),
  );
  const drawn = lineage(config, features);
  const draw = { text: asText, dot: asDot, mermaid: asMermaid }[options.format ?? 'text'];
  if (draw === undefined) {
    throw new RivuletError('RIV_USAGE', { found: `--format ${options.format}`, expected: 'text, dot or mermaid' });
  }
  console.log(draw(drawn));
  return 0;
}

async function exportServed(options: Options, rest: string[]): Promise<number> {
  const directory = theDirectory(rest);
  const format = options.format ?? 'csv';
  if (format !== 'csv' && format !== 'parquet') {
    throw new RivuletError('RIV_USAGE', { found: `--format ${format}`, expected: 'csv or parquet' });
  }
  if (format === 'parquet' && options.out === undefined) {
    throw new RivuletError('RIV_USAGE', { found: 'parquet without a file', expected: '--out FILE' });
  }
  const core = await loadCore({ build: coreBuild(options.core) });
  const log = await openLogReader(join(directory, 'log'));
  try {
    const from = options.from === undefined ? null : parseMoment(options.from, '--from');
    const to = options.to === undefined ? null : parseMoment(options.to, '--to');
    const toOffset = to === null ? null : await offsetAt(log, to);
    const task = options.task ?? (await onlyTask(directory));
    const table = format === 'csv' ? openCsvFile(options.out ?? null) : openParquetFile(options.out as string);
    const request = { directory, log, core, task, from, toOffset, key: options.key ?? null };
    const { rows } = await rebuild({ ...request, columns: table.columns, row: table.row });
    await table.close();
    if (options.out !== undefined) {
      console.log(`${rows} vectors of ${task} in ${options.out}`);
    }
    return 0;
  } finally {
    await log.close();
  }
}

async function onlyTask(directory: string): Promise<string> {
  const [newest] = await readSlots(join(directory, 'checkpoint'));
  const tasks = newest === undefined ? [] : namesOfState(newest.state).tasks;
  const [task] = tasks;
  if (task === undefined || tasks.length > 1) {
    throw new RivuletError('RIV_USAGE', { found: 'no task', expected: `--task ${tasks.join('|') || 'NAME'}` });
  }
  return task;
}

/** Offset of the first message that arrived at a moment or later. */
async function offsetAt(log: Awaited<ReturnType<typeof openLogReader>>, moment: Moment): Promise<number> {
  if ('offset' in moment) {
    return moment.offset;
  }
  const sequence = await log.sequenceAt(moment.wallMs);
  return sequence >= log.nextSequence ? log.nextOffset : firstOffset(log, sequence);
}

async function firstOffset(log: Awaited<ReturnType<typeof openLogReader>>, sequence: number): Promise<number> {
  for await (const chunk of log.read(sequence)) {
    return decodeBlockHeader(chunk).firstOffset;
  }
  return log.nextOffset;
}

async function verify(options: Options, rest: string[]): Promise<number> {
  const directory = theDirectory(rest);
  const keys = options.keys === 'all' ? null : Number(options.keys);
  if (keys !== null && (!Number.isInteger(keys) || keys < 1)) {
    throw new RivuletError('RIV_USAGE', { found: `--keys ${options.keys}`, expected: 'a whole number from 1, or all' });
  }
  const core = await loadCore({ build: coreBuild(options.core) });
  const slots = await readSlots(join(directory, 'checkpoint'));
  const log = await openLogReader(join(directory, 'log'));
  try {
    const verified = await verifyServed({ directory, slots, log, core, keys, recent: options.recent });
    const { different, vectors, keys: looked, fromOffset, toOffset } = verified;
    if (options.json) {
      console.log(JSON.stringify(verified));
    } else {
      const what = `${vectors} vectors of ${looked} keys, messages ${fromOffset} to ${toOffset}`;
      console.log(different.length === 0 ? `${what}: rebuilt as they were served, bit for bit` : `${what}: different`);
      for (const { task, key, served, rebuilt } of different) {
        console.log(`  ${task}, ${key}: ${served} served, ${rebuilt} rebuilt`);
      }
    }
    return different.length === 0 ? 0 : 1;
  } finally {
    await log.close();
  }
}
