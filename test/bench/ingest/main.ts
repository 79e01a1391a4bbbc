/**
 * `npm run bench -- ingest`: what the intake costs, as ratios in one run (issue: Speed). Every case is run several times,
 * interleaved, since MQTT.js alone moves by a factor of two with what else the machine does; the figures are medians.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mosquittoAbsent } from '../../support/mosquitto.ts';
import { describeMachine, median } from '../machine.ts';
import { startBroker } from './broker.ts';
import { CASES, type Case, caseName, messagesOf, SUBJECTS } from './cases.ts';
import { goalsOf, JUDGED } from './goals.ts';
import { measureHour } from './hour.ts';
import { measureCheckpoint } from './pause.ts';
import { measureReplay } from './replay.ts';
import { measureRestart } from './restart.ts';
import { type Run, runCase } from './runs.ts';
import { type Figures, printTable } from './table.ts';
import { messagesPerPrediction, SERIES } from './workload.ts';

const HELP = `Usage: npm run bench -- ingest [options]

  --json            one JSON document on standard output (the table goes to standard error)
  --short           two rounds of half the length instead of five
  --rounds N        that many rounds
  --goals           only what a goal is about: the cases that are compared, checkpoint, replay and restart
  --hour            only an hour's worth of messages as fast as they are taken, for the flatness of memory (--short: ten minutes')
  --case PATTERN    only cases whose name holds this text, such as mosquitto/qos1/10000 or flat/agent; several times: any;
                    \`checkpoint\`, \`replay\` and \`restart\` are cases too
  --profile DIR     a CPU profile of every agent and subject, into DIR
  --list            names of the cases`;

const ROUNDS = 5;
const ROUNDS_SHORT = 2;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      json: { type: 'boolean' },
      short: { type: 'boolean' },
      rounds: { type: 'string' },
      goals: { type: 'boolean' },
      hour: { type: 'boolean' },
      case: { type: 'string', multiple: true, default: [''] },
      profile: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const wanted = (name: string): boolean =>
    !values.hour && values.case.some((pattern) => name.includes(pattern)) && (!values.goals || JUDGED.includes(name));
  const cases = CASES.filter((one) => wanted(caseName(one)) && (one.from === 'feeder' || mosquittoAbsent === null));
  if (values.list) {
    console.log([...CASES.map(caseName), 'checkpoint', 'replay', 'restart'].join('\n'));
    return 0;
  }
  const say = values.json ? console.error : console.log;
  if (mosquittoAbsent !== null) say(`Cases through mosquitto are left out: ${mosquittoAbsent}.`);
  const short = values.short ?? false;
  const rounds = values.rounds === undefined ? (short ? ROUNDS_SHORT : ROUNDS) : Number(values.rounds);

  const directory = await mkdtemp(join(tmpdir(), 'rivulet-bench-'));
  try {
    const machine = await describeMachine(directory);
    say(
      `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, load ${machine.load_1m.toFixed(1)}; ` +
        `a durable write of 12 KiB takes ${machine.disk_sync_ms.p50.toFixed(2)} ms (p99 ${machine.disk_sync_ms.p99.toFixed(2)})`,
    );
    const runs = await runAll(cases, rounds, short, directory, values.profile ?? null);
    const figures = cases.flatMap((one) => {
      const of = runs.get(caseName(one)) ?? [];
      return of.length === 0 ? [] : [mediansOf(one, of)];
    });
    const checkpoint = wanted('checkpoint') ? await measureCheckpoint(short) : null;
    const replay = wanted('replay') ? await measureReplay(short) : null;
    const restart = wanted('restart') ? await measureRestart(directory, short && !values.goals) : null;
    const hour = values.hour ? await measureHour(directory, short) : null;
    const extra = { checkpoint, replay, restart, hour };
    const goals = goalsOf(figures, extra);
    printTable({ say, figures, ...extra, goals });
    if (values.json) {
      const workload = {
        series: SERIES,
        messages_per_prediction: { '2000': messagesPerPrediction(2000), '10000': messagesPerPrediction(10_000) },
      };
      console.log(JSON.stringify({ machine, rounds, workload, ...goals, ...extra, cases: figures }, null, 2));
    }
    return 0;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** All cases one after the other, then all again: each round meets the machine in another mood, all cases the same ones. */
async function runAll(cases: Case[], rounds: number, short: boolean, directory: string, profile: string | null) {
  const runs = new Map<string, Run[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const [index, one] of cases.entries()) {
      const broker = await startBroker(one);
      try {
        const done = await runCase(one, messagesOf(one, short), broker, directory, profile);
        runs.set(caseName(one), [...(runs.get(caseName(one)) ?? []), done]);
        const losses = done.lost > 0 ? `, ${done.lost} of ${done.sent} lost` : '';
        const figure = `${done.cpu_us_per_message.toFixed(2)} us, ${Math.round(done.messages_per_s)}/s${losses}`;
        console.error(`round ${round}/${rounds}, ${index + 1}/${cases.length}: ${caseName(one)}: ${figure}`);
      } catch (error) {
        console.error(`round ${round}/${rounds}: failed: ${error instanceof Error ? error.message : String(error)}`);
      } finally {
        await broker.stop();
      }
    }
  }
  return runs;
}

function mediansOf(one: Case, runs: readonly Run[]): Figures {
  const of = (name: keyof Run): number => median(runs.map((run) => run[name] ?? Number.NaN).filter(Number.isFinite));
  const optional = (name: keyof Run) => (runs.some((run) => run[name] !== undefined) ? { [name]: of(name) } : {});
  return {
    ...{ case: caseName(one), ...one, about: SUBJECTS[one.subject], runs: runs.length },
    ...{ cpu_us_per_message: of('cpu_us_per_message'), messages_per_s: of('messages_per_s') },
    cpu_us_all: runs.map((run) => run.cpu_us_per_message),
    ...{ rss_mib: of('rss_mib'), load: of('load') },
    ...{ sent: runs.reduce((sum, run) => sum + run.sent, 0), lost: runs.reduce((sum, run) => sum + run.lost, 0) },
    ...(['p50_ms', 'p99_ms', 'predictions', 'beat_ms', 'not_used'] as const).reduce(
      (all, name) => Object.assign(all, optional(name)),
      {},
    ),
  };
}
