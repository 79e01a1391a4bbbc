/** Who takes part: the gateways, what feeds each, and its configuration. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { RivuletError } from '../src/errors.ts';
import type { StartOptions } from './options.ts';
import { freePorts, type StatePlace } from './places.ts';

/** Gateways beside each other on one machine: each is a process of some 100 MB. */
const GATEWAYS_MAX = 16;

/** How often gateways tell the coordinator what they have learned: a minute shall show releases. */
const SYNC_EVERY = '5s';

/** A gateway before it is configured. */
interface Part {
  readonly id: string;
  /** Arguments of `rivulet publish` that name the feed. */
  readonly feed: readonly string[];
  readonly speed: string | null;
}

/** A gateway ready to be started. */
export interface Player {
  readonly id: string;
  /** What feeds it, in words. */
  readonly source: string;
  /** Configuration file, and what goes into it. */
  readonly config: string;
  readonly text: string;
  /** Arguments behind `rivulet publish`. */
  readonly publish: readonly string[];
}

/** The three of the demonstration, or one per file of a directory. */
export function partsFor(options: StartOptions): Part[] {
  if (options.data !== null) return partsFromData(options.data, options);
  return [
    { id: 'machine', feed: ['machine'], speed: null },
    { id: 'building-1', feed: ['building', '--seed', '1'], speed: options.speed },
    { id: 'building-2', feed: ['building', '--seed', '2'], speed: options.speed },
  ];
}

function partsFromData(data: string, { speed }: StartOptions): Part[] {
  const folder = resolve(data);
  if (!existsSync(folder))
    throw new RivuletError('RIV_FILE_UNREADABLE', { where: folder, found: 'there is no such directory' });
  const single = statSync(folder).isFile();
  const names = single
    ? [folder]
    : readdirSync(folder)
        .sort()
        .map((name) => join(folder, name));
  const files = names.filter((name) => /\.(csv|tsv|txt)(\.gz)?$/i.test(name));
  if (files.length === 0) {
    throw new RivuletError('RIV_FILE_UNREADABLE', {
      where: folder,
      found: 'no table',
      expected: 'files *.csv or *.csv.gz',
    });
  }
  if (files.length > GATEWAYS_MAX) {
    const found = `${files.length} tables`;
    throw new RivuletError('RIV_USAGE', {
      where: folder,
      found,
      expected: `at most ${GATEWAYS_MAX}, one gateway each`,
    });
  }
  return files.map((file) => {
    const id = basename(file)
      .replace(/\.(csv|tsv|txt)(\.gz)?$/i, '')
      .replace(/[^A-Za-z0-9._-]+/g, '-');
    return { id: /^[A-Za-z0-9]/.test(id) ? id.slice(0, 64) : `t${id}`.slice(0, 64), feed: ['csv', file], speed };
  });
}

/** Where things are and who coordinates. */
export interface Stage {
  /** The command `rivulet`. */
  readonly rivulet: string;
  readonly place: StatePlace;
  readonly coordinator: string;
  /** YAML of `--config`. */
  readonly overrides: Overrides | null;
}

/** Sources, windows and tasks that replace the guessed ones. */
export interface Overrides {
  readonly entries: Record<string, unknown>;
  /** Arguments of the publisher that the tasks need. */
  readonly publish: readonly string[];
}

/**
 * Reads `--config`: what it says of sources, windows, tasks and outputs replaces what was guessed.
 * @throws RIV_CONFIG_UNREADABLE, RIV_CONFIG_SYNTAX
 */
export function readOverrides(file: string | null): Overrides | null {
  if (file === null) return null;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new RivuletError('RIV_CONFIG_UNREADABLE', { where: file, found: (cause as Error).message, cause });
  }
  let read: unknown;
  try {
    read = parse(text, { maxAliasCount: 0 });
  } catch (cause) {
    throw new RivuletError('RIV_CONFIG_SYNTAX', {
      where: file,
      found: (cause as Error).message.split('\n')[0] ?? '',
      cause,
    });
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read)) {
    throw new RivuletError('RIV_CONFIG_SYNTAX', { where: file, found: 'no map', expected: 'tasks: …' });
  }
  const kept = ['sources', 'windows', 'tasks', 'outputs', 'limits', 'log', 'checkpoint'];
  const entries = Object.fromEntries(Object.entries(read).filter(([key]) => kept.includes(key)));
  return { entries, publish: publishingFor(entries.tasks) };
}

/** The target is not in the payload of a labelled task, so the publisher must know it. */
function publishingFor(tasks: unknown): string[] {
  for (const task of Array.isArray(tasks) ? (tasks as Record<string, unknown>[]) : []) {
    for (const [key, kind] of [
      ['classify', 'classification'],
      ['regress', 'regression'],
    ] as const) {
      const topic = (task?.[key] as { topic?: unknown } | undefined)?.topic;
      if (typeof topic === 'string') return ['--task', kind, '--target', topic.split('/').at(-1) ?? ''];
    }
    if (typeof task?.forecast === 'string') return ['--task', 'forecast', '--target', task.forecast];
  }
  return [];
}

/** Makes each gateway's configuration, with a port for its broker, and says how to start it and its publisher. */
export async function preparePlayers(parts: readonly Part[], stage: Stage): Promise<Player[]> {
  const ports = await freePorts(parts.length);
  return Promise.all(parts.map((part, index) => preparePlayer(part, ports[index] as number, stage)));
}

async function preparePlayer(part: Part, broker: number, stage: Stage): Promise<Player> {
  const { id } = part;
  const state = stage.place.gateway(id);
  const feed = [...part.feed, ...(stage.overrides?.publish ?? [])];
  const place = ['--gateway', id, '--broker', String(broker), '--state', state, '--sync', stage.coordinator];
  const printed = await printConfig(stage.rivulet, [...feed, '--print-config', ...place, '--sync-every', SYNC_EVERY]);
  const text = stage.overrides === null ? printed : stringify({ ...parse(printed), ...stage.overrides.entries });
  const speed = part.speed === null ? [] : ['--speed', part.speed];
  const url = [
    '--url',
    `mqtt://127.0.0.1:${broker}`,
    '--client-id',
    `${id}-feed`,
    '--position',
    stage.place.position(id),
  ];
  const config = stage.place.config(id);
  return { id, source: sourceOf(printed), config, text, publish: [...feed, ...url, ...speed] };
}

function sourceOf(config: string): string {
  const { about } = parse(config) as { about?: unknown };
  return typeof about === 'string' ? about : '';
}

async function printConfig(rivulet: string, argv: readonly string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [rivulet, 'publish', ...argv]);
    return stdout;
  } catch (cause) {
    const said = ((cause as { stderr?: string }).stderr ?? '').trim().split('\n').at(-1) ?? '';
    const found = said === '' ? (cause as Error).message : said.replace(/^RIV_\w+: /, '');
    throw new RivuletError('RIV_USAGE', { found, todo: 'See npm start -- --help.', cause });
  }
}
