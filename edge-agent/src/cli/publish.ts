/**
 * `rivulet publish FEED`: publishes a feed to a broker, or prints the configuration of a gateway that learns from it. The last
 * line on standard output is the ledger of what was sent, as JSON; remarks go to standard error.
 */
import { parseArgs } from 'node:util';
import { parseDuration, RivuletError } from '@rivulet/host';
import { createBuilding } from '../publish/building/building.ts';
import { buildingConfig } from '../publish/building/building_config.ts';
import { createTableFeed, openPlayed, tableConfig } from '../publish/csv/csv_feed.ts';
import type { Feed } from '../publish/feed.ts';
import { configText, type FeedConfig } from '../publish/feed_config.ts';
import { createMachine, machineConfig, machineName } from '../publish/machine/machine.ts';
import { play } from '../publish/play.ts';
import { loadPosition } from '../publish/position.ts';

const HELP = `Usage: rivulet publish machine|building|csv [FILE] [options]

  machine            this machine's processor, load, memory, disk, network and pressure, every second
  building           a simulated building; the same seed gives the same messages
  csv FILE           a recorded table, plain or gzip

Publishing:
  --url URL          the broker (default mqtt://127.0.0.1:1883); the password comes from RIVULET_MQTT_PASSWORD
  --user NAME
  --client-id ID     name of the session at the broker
  --speed N          event seconds per second; max: as fast as the broker takes
                     (default: building 3600; csv 50 rows a second)
  --in-flight N      most unacknowledged messages (default 256)
  --position FILE    remember there what was acknowledged, and go on from it
  --with-parent      stop when the process that started this one is gone
  --seed N           building: which one (default 1)
  --duration TIME    building: simulated time to play, such as 5d (default: for ever)
Guessed from the columns of a table unless given:
  --task forecast|classification|regression    --target COLUMN    --time COLUMN
  --drop COLUMNS     --horizon TIME (of a forecast; default: one row)

Instead of publishing:
  --print-config     print the configuration of a gateway that learns from the feed
  --gateway ID  --broker PORT  --state DIR  --sync URL  --sync-every TIME    what to put into it`;

const OPTIONS = {
  url: { type: 'string', default: 'mqtt://127.0.0.1:1883' },
  user: { type: 'string' },
  'client-id': { type: 'string' },
  speed: { type: 'string' },
  'in-flight': { type: 'string', default: '256' },
  position: { type: 'string' },
  seed: { type: 'string', default: '1' },
  duration: { type: 'string' },
  task: { type: 'string' },
  target: { type: 'string' },
  time: { type: 'string' },
  drop: { type: 'string', multiple: true },
  horizon: { type: 'string' },
  'print-config': { type: 'boolean', default: false },
  gateway: { type: 'string' },
  broker: { type: 'string', default: '1883' },
  state: { type: 'string' },
  sync: { type: 'string' },
  'sync-every': { type: 'string' },
  'with-parent': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

type Values = ReturnType<typeof parse>['values'];

/** A feed as the command line chose it, before anything is opened. */
interface ChosenFeed {
  /** What tells its stream from others, for the position. */
  name: string;
  config: FeedConfig;
  speed: number;
  open(position: unknown, stop: AbortSignal): Feed;
}

const TASKS = ['forecast', 'classification', 'regression'] as const;
const SPEED_OF_BUILDING = 3600;
const ROWS_PER_SECOND = 50;

/** Runs the subcommand; answers with the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parse(argv);
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const chosen = await choose(positionals, values);
  if (values['print-config']) {
    process.stdout.write(configText(chosen.config, placeOf(values, positionals)));
    return 0;
  }
  return publish(chosen, values);
}

function parse(argv: string[]) {
  return parseArgs({ args: argv, allowPositionals: true, options: OPTIONS });
}

async function choose(positionals: string[], values: Values): Promise<ChosenFeed> {
  const [kind, file, ...rest] = positionals;
  const tooMany = (kind === 'csv' ? rest : positionals.slice(1))[0];
  if (tooMany !== undefined) throw usage(`"${tooMany}"`, 'one feed');
  switch (kind) {
    case 'machine':
      return {
        name: `machine ${machineName()}`,
        config: await machineConfig(),
        speed: 1,
        open: (_, stop) => createMachine(machineName(), stop),
      };
    case 'building': {
      const seed = integer(values.seed, '--seed', 0, 2 ** 32 - 1);
      const duration = values.duration === undefined ? {} : { duration_ms: parseDuration(values.duration) };
      return {
        name: `building ${seed}`,
        config: buildingConfig(seed),
        speed: speedOf(values.speed) ?? SPEED_OF_BUILDING,
        open: (position) => createBuilding({ seed, position, ...duration }),
      };
    }
    case 'csv': {
      if (file === undefined) throw usage('no file', 'rivulet publish csv FILE');
      const drop = (values.drop ?? []).flatMap((list) => list.split(',')).filter((name) => name !== '');
      const task = values.task === undefined ? undefined : TASKS.find((one) => one === values.task);
      if (values.task !== undefined && task === undefined) throw usage(`--task ${values.task}`, TASKS.join(', '));
      const played = await openPlayed(file, { target: values.target, task, time: values.time, drop });
      const horizon = values.horizon === undefined ? undefined : parseDuration(values.horizon);
      return {
        name: `csv ${played.key} ${played.table.columns.join(',')}`,
        config: tableConfig(played, horizon),
        speed: speedOf(values.speed) ?? (ROWS_PER_SECOND * played.spacing_ms) / 1000,
        open: (position) => createTableFeed(played, position),
      };
    }
    default:
      throw usage(kind === undefined ? 'no feed' : `"${kind}"`, 'machine, building or csv');
  }
}

async function publish(chosen: ChosenFeed, values: Values): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  if (values['with-parent']) stopWithParent(stop);
  const path = values.position;
  const earlier = path === undefined ? null : loadPosition(path, chosen.name);
  if (process.stderr.isTTY) for (const note of chosen.config.notes) console.error(note);
  const ledger = await play(chosen.open(earlier?.state, stop.signal), {
    url: values.url,
    user: values.user,
    password: process.env.RIVULET_MQTT_PASSWORD,
    clientId: values['client-id'] ?? `rivulet-${chosen.name.split(' ').slice(0, 2).join('-')}`,
    inFlightMax: integer(values['in-flight'], '--in-flight', 1, 10_000),
    sent: earlier?.sent,
    notice: (sentence) => console.error(sentence),
    speed: chosen.speed,
    position: path === undefined ? undefined : { path, feed: chosen.name },
    stop: stop.signal,
  });
  console.log(JSON.stringify(ledger));
  return 0;
}

/** A parent that was killed cannot tell: its children get another parent. */
function stopWithParent(stop: AbortController): void {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop.abort(), 1000).unref();
}

function placeOf(values: Values, positionals: readonly string[]) {
  return {
    gateway: values.gateway ?? positionals[0] ?? 'gateway',
    broker: integer(values.broker, '--broker', 0, 65_535),
    state: values.state,
    sync: values.sync,
    syncEvery: values['sync-every'],
  };
}

function speedOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const speed = Number(text);
  if (!(speed > 0 && Number.isFinite(speed))) throw usage(`--speed ${text}`, 'a number above 0, or max');
  return speed;
}

function integer(text: string, option: string, low: number, high: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < low || value > high) throw usage(`${option} ${text}`, `${low} to ${high}`);
  return value;
}

function usage(found: string, expected: string): RivuletError {
  return new RivuletError('RIV_USAGE', { found, expected });
}
