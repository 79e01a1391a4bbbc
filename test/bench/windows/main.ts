/**
 * `npm run bench -- windows`: what a reading costs in each kind of window, whether that stays the same as windows grow, and how
 * many bytes a key takes. The fold without windows runs in turn with each case; a window's cost is the difference, in CPU time of the
 * process, over readings and windows.
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compilePlan, type Engine, loadCore, parseConfig } from '@rivulet/host';
import { describeMachine, median } from '../machine.ts';
import { type Case, KINDS, LENGTHS, PARTS, WINDOWS } from './cases.ts';
import { blocks, type Load } from './workload.ts';

const HELP = `Usage: npm run bench -- windows [options]

  --json       one JSON document on standard output (the table goes to standard error)
  --rounds N   runs of each case, interleaved with the fold without windows; the median counts (5)
  --keys N     keys of the comparison of kinds (10000)`;

const STEP_MS = 10_000;
/** Readings of each key in the comparison of kinds: five minutes. */
const READINGS = 30;
/** The comparison of lengths: few keys, since three days have to pass; a reading and a result each minute. */
const LENGTH_LOAD: Load = { keys: 50, rounds: 3 * 24 * 60, stepMs: 60_000 };

interface Measured {
  name: string;
  ns_per_message: number;
  ns_per_reading_and_window: number;
  state_bytes_per_key_and_window: number;
}

function engineOf(core: Awaited<ReturnType<typeof loadCore>>, windows: string): Engine {
  const engine = core.newEngine();
  const yaml = `gateway: bench\nlimits: { keys: 100000 }\nsources: [{ topic: "plant/{key}", fields: { v: v }, time: t }]\nwindows: [${windows}]\n`;
  engine.open(compilePlan(parseConfig(yaml, 'bench.yaml')));
  return engine;
}

/** Nanoseconds of CPU for a message, and the bytes of the state. */
function fold(engine: Engine, load: Load): { ns: number; stateBytes: number } {
  let us = 0;
  for (const block of blocks(load)) {
    const from = process.cpuUsage();
    engine.ingest(block);
    const { user, system } = process.cpuUsage(from);
    us += user + system;
  }
  return { ns: (us * 1000) / (load.keys * load.rounds), stateBytes: engine.checkpoint().length };
}

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      json: { type: 'boolean' },
      rounds: { type: 'string', default: '5' },
      keys: { type: 'string', default: '10000' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const say = values.json ? console.error : console.log;
  const machine = await describeMachine('/tmp');
  say(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load_1m.toFixed(1)}`);
  const core = await loadCore();
  const rounds = Number(values.rounds);

  function measure({ name, window, stats }: Case, load: Load, count: number): Measured {
    const windows = Array.from({ length: count }, (_, index) => `{ name: w${index}, ${window}, stats: [${stats}] }`);
    const runs = Array.from({ length: rounds }, () => ({
      without: fold(engineOf(core, ''), load),
      with: fold(engineOf(core, windows.join(', ')), load),
    }));
    const bytes = runs.map((one) => (one.with.stateBytes - one.without.stateBytes) / (load.keys * count));
    const measured = {
      name,
      ns_per_message: median(runs.map((one) => one.with.ns)),
      ns_per_reading_and_window: median(runs.map((one) => (one.with.ns - one.without.ns) / count)),
      state_bytes_per_key_and_window: median(bytes),
    };
    say(row(measured));
    return measured;
  }

  const load = { keys: Number(values.keys), rounds: READINGS, stepMs: STEP_MS };
  say(`\n${load.keys} keys, ${WINDOWS} windows each, a reading every 10 s: ${head}`);
  const kinds = KINDS.map((one) => measure(one, load, WINDOWS));
  say(`\n${load.keys / 10} keys, one part each in ${WINDOWS} tumbling windows of 1m: ${head}`);
  const parts = PARTS.map((one) => measure(one, { ...load, keys: load.keys / 10 }, WINDOWS));
  say(`\n${LENGTH_LOAD.keys} keys, three days, a reading and a result each minute, as windows grow: ${head}`);
  const lengths = LENGTHS.map((size) => {
    const window = size === '1m' ? 'every: 1m, lateness: 0s' : `size: ${size}, every: 1m, lateness: 0s`;
    return measure({ name: size, window, stats: 'count, mean, min, max, std' }, LENGTH_LOAD, 1);
  });
  const { disk_sync_ms: _, ...host } = machine;
  if (values.json)
    writeSync(1, `${JSON.stringify({ bench: 'windows', machine: host, rounds, load, kinds, parts, lengths })}\n`);
  return 0;
}

const head = 'ns a message · ns a reading and window · bytes of state a key and window';

function row(measured: Measured): string {
  const numbers = [
    measured.ns_per_message.toFixed(0).padStart(7),
    measured.ns_per_reading_and_window.toFixed(1).padStart(8),
    measured.state_bytes_per_key_and_window.toFixed(0).padStart(8),
  ];
  return `  ${measured.name.padEnd(30)}${numbers.join(' ')}`;
}
