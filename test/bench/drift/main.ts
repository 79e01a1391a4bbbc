/**
 * `npm run bench -- drift`: the drift detectors, set by run length, beside River's with their defaults, on the same streams:
 * rows from a change to the first alarm, changes missed, false alarms, CPU per value. Ours run natively (cargo).
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exampleLines } from '../example.ts';
import { jsonLines, pythonIn } from '../learn/python.ts';
import { describeMachine } from '../machine.ts';

const HELP = `Usage: npm run bench -- drift [options]

  --repetitions N   of each stream of 10,000 values (default 20)
  --run-lengths L   values between two false alarms that ours are set to (default 100000,1000000)
  --cache DIR       where \`npm run bench -- learn --install-peers\` has put River (default ~/.cache/rivulet-bench)
  --json            one JSON document`;

const ROWS = 10_000;

/** One line of a bench program: per stream the sum of delays, changes missed and false alarms. */
interface Line {
  detector: string;
  /** CPU microseconds per value; null where the machine does not tell. */
  micros: number | null;
  streams: [delays: number, missed: number, wrong: number][];
}

/** What a detector did; streams that it is not made for are absent. */
interface Outcome {
  detector: string;
  us_per_value: number | null;
  /** Per stream with a change: mean rows to the alarm where there was one, and the share missed. */
  changes: { stream: string; delay: number | null; missed: number }[];
  /** False alarms per million values: errors of 0 and 1 at 20 %, normal numbers. */
  false_alarms: (number | null)[];
}

const NAMES = ['0.2', '0.2→0.3', '0.2→0.5', '0.2⇢0.5', '0.05→0.15', '0σ', '0.5σ', '1σ', '2σ', '⇢1σ'];
const QUIET = [0, 5];

/** Runs the bench; answers with the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      repetitions: { type: 'string', default: '20' },
      'run-lengths': { type: 'string', default: '100000,1000000' },
      cache: {
        type: 'string',
        default: join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'rivulet-bench'),
      },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const repetitions = Number(values.repetitions);
  const runLengths = values['run-lengths'].split(',').map(Number);
  if (values.help || ![repetitions, ...runLengths].every((one) => Number.isInteger(one) && one > 0)) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  const machine = await describeMachine('.');
  const outcomes: Outcome[] = [];
  for (const runLength of runLengths) {
    for (const line of exampleLines<Line>('drift', [String(repetitions), String(runLength)])) {
      outcomes.push(outcomeOf({ ...line, detector: `rivulet ${line.detector} ${runLength}` }, repetitions));
    }
  }
  const python = pythonIn(values.cache);
  if (python === null) console.error('River is left out: `npm run bench -- learn --install-peers` installs it.');
  else {
    for await (const line of jsonLines(python, '../drift/peers.py', [String(repetitions)])) {
      const found = line as Line;
      outcomes.push(outcomeOf({ ...found, detector: `river ${found.detector}` }, repetitions));
    }
  }
  if (values.json) console.log(JSON.stringify({ machine, repetitions, outcomes }));
  else
    console.log(`${machine.cpu}, ${machine.cores} cores, load ${machine.load_1m.toFixed(1)}\n\n${tableOf(outcomes)}`);
  return 0;
}

function outcomeOf({ detector, micros, streams }: Line, repetitions: number): Outcome {
  const changes = streams.flatMap(([delays, missed], at) => {
    const found = repetitions - missed;
    const delay = found > 0 ? delays / found : null;
    return QUIET.includes(at) ? [] : [{ stream: NAMES[at] ?? '', delay, missed: missed / repetitions }];
  });
  const alarms = QUIET.map((at) => {
    const wrong = streams[at]?.[2];
    return wrong === undefined ? null : (1e6 * wrong) / (repetitions * ROWS);
  });
  return { detector, us_per_value: micros, changes, false_alarms: alarms };
}

function tableOf(outcomes: readonly Outcome[]): string {
  const changed = NAMES.filter((_, at) => !QUIET.includes(at));
  const head = ['rows to the alarm (% missed)', ...changed, 'false per 10^6', 'of numbers', 'µs'];
  const rows = outcomes.map(({ detector, us_per_value: micros, changes, false_alarms: alarms }) => [
    detector,
    ...changed.map((name) => {
      const found = changes.find(({ stream }) => stream === name);
      if (found === undefined) return '–';
      const missed = found.missed > 0 ? ` (${Math.round(100 * found.missed)})` : '';
      return `${found.delay === null ? '–' : found.delay.toFixed(0)}${missed}`;
    }),
    ...alarms.map((rate) => (rate === null ? '–' : rate.toFixed(0))),
    micros?.toFixed(3) ?? '–',
  ]);
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
