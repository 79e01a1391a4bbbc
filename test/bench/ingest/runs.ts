/** One run of one case: feeder and subject as processes of their own, and what came of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AgentEvent } from '@rivulet/host';
import { openLogReader } from '@rivulet/host';
import { loadNow } from '../machine.ts';
import type { Broker } from './broker.ts';
import { type Case, COMMIT, caseName, type Subject } from './cases.ts';
import type { FeederEvent, FeederJob } from './feeder.ts';
import type { SubjectLine } from './subject.ts';
import { agentConfig, WARM_UP } from './workload.ts';

export const AGENT = fileURLToPath(new URL('../../../edge-agent/bin/rivulet.js', import.meta.url));
const FEEDER = fileURLToPath(new URL('./feeder.ts', import.meta.url));
const SUBJECT = fileURLToPath(new URL('./subject.ts', import.meta.url));
/** A run that takes longer than this has lost its way. */
const RUN_MS_MAX = 90_000;
/** Nothing came for this long after the last message was sent: what is missing is lost. */
const QUIET_MS = 1500;

export interface Run {
  cpu_us_per_message: number;
  messages_per_s: number;
  sent: number;
  /** Sent and never arrived. */
  lost: number;
  rss_mib: number;
  /** Load of the machine while it ran. */
  load: number;
  /** Agent only: from the write of a message to the arrival of its prediction. */
  p50_ms?: number;
  p99_ms?: number;
  predictions?: number;
  /** Agent only: milliseconds between commits. */
  beat_ms?: number;
  /** Agent only: what the ledger says beside `used`. */
  not_used?: number;
}

/** A process that prints JSON lines, and the lines it has printed. */
export interface Lines<Line> {
  child: ChildProcess;
  lines: Line[];
  until(found: (line: Line) => boolean, what: string, withinMs?: number): Promise<Line>;
  end(): Promise<void>;
}

export function spawnLines<Line>(command: string, argv: string[], env: NodeJS.ProcessEnv = {}): Lines<Line> {
  const path = `${dirname(process.execPath)}:${process.env.PATH ?? ''}`;
  const child = spawn(command, argv, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, PATH: path, ...env } });
  const lines: Line[] = [];
  let complaints = '';
  let look = (): void => {};
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line));
    look();
  });
  child.stderr.on('data', (data) => {
    complaints += String(data);
  });
  child.stdin.on('error', () => {}); // it may be gone already
  const closed = once(child, 'close').then(() => look());
  return {
    child,
    lines,
    async until(found, what, withinMs = RUN_MS_MAX) {
      const deadline = performance.now() + withinMs;
      for (;;) {
        const line = lines.find(found);
        if (line !== undefined) return line;
        if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
          throw new Error(`${what}: ${child.exitCode ?? 'not in time'} ${complaints} ${JSON.stringify(lines.at(-1))}`);
        }
        await new Promise<void>((resolve) => {
          look = resolve;
          setTimeout(resolve, 200);
        });
      }
    },
    async end() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await closed;
    },
  };
}

export function startFeeder(job: FeederJob): Lines<FeederEvent> {
  return spawnLines<FeederEvent>(process.execPath, [FEEDER, JSON.stringify(job)]);
}

/** Two hours ago: no message's event time is ahead of its arrival, however fast they are played. */
export function baseNow(): number {
  return Math.floor(Date.now() / 1000) * 1000 - 7_200_000;
}

/** One instant of a run: what a process had taken, and the CPU time since it was ready. */
interface Sample {
  atMs: number;
  messages: number;
  cpuUs: number;
  rssMib: number;
}

/** @param profile directory for a CPU profile of the subject; null: none */
export async function runCase(
  one: Case,
  count: number,
  broker: Broker,
  directory: string,
  profile: string | null,
): Promise<Run> {
  const { from, qos, rate, subject } = one;
  const state = await mkdtemp(join(directory, 'run-'));
  const mode = from === 'feeder' ? 'broker' : 'publisher';
  const feeder = startFeeder({ mode, port: broker.port, qos, rate, first: 0, count, baseMs: baseNow() });
  const ends: (() => Promise<void>)[] = [() => feeder.end()];
  try {
    const listening = await feeder.until((line) => line.event === 'listening', 'the feeder listens');
    const port = listening.event === 'listening' ? listening.port : 0;
    const env = profile === null ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` };
    const { process: taken, samples } = await startSubject(subject, qos, broker.tls ?? { port, ca: null }, state, env);
    ends.push(() => taken.end());
    // Mosquitto has no word for "subscribed" to us: give it a moment.
    await pause(500);
    feeder.child.stdin?.write('play\n');
    const load: number[] = [loadNow()];
    await feeder.until((line) => line.event === 'sent', 'all is sent');
    await untilQuiet(samples, count);
    load.push(loadNow());
    feeder.child.stdin?.write('heard\n');
    const heard = await feeder.until((line) => line.event === 'heard', 'the feeder tells what it heard');
    const figures = figuresOf(samples, count);
    await taken.end();
    ends.pop();
    const run: Run = { ...figures, load: Math.max(...load) };
    if (heard.event === 'heard' && heard.predictions > 0) {
      run.predictions = heard.predictions;
      // Flat out through a broker they may all come when the flood is over.
      if (heard.p50_ms !== null) Object.assign(run, { p50_ms: heard.p50_ms, p99_ms: heard.p99_ms });
    }
    if (subject in COMMIT) {
      run.beat_ms = await beatOf(join(state, 'log'), samples);
      const stopped = taken.lines.findLast((line) => (line as AgentEvent).event === 'stopped') as
        | AgentEvent
        | undefined;
      if (stopped?.event === 'stopped') run.not_used = stopped.ledger.received - stopped.ledger.used;
    }
    return run;
  } catch (error) {
    throw new Error(`${caseName(one)}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    for (const end of ends.reverse()) await end();
    await rm(state, { recursive: true, force: true });
  }
}

async function startSubject(
  subject: Subject,
  qos: 0 | 1,
  { port, ca }: { port: number; ca: string | null },
  state: string,
  env: NodeJS.ProcessEnv,
) {
  const commit = COMMIT[subject];
  if (commit === undefined) {
    const started = spawnLines<SubjectLine>(
      process.execPath,
      [SUBJECT, JSON.stringify({ subject, port, ca, qos })],
      env,
    );
    const samples = sampled(started, (line) => ({ messages: line.messages, cpuUs: line.cpu_us, rssMib: line.rss_mib }));
    await started.until((line) => line.ready === true, 'the subject is subscribed');
    return { process: started as Lines<unknown>, samples };
  }
  const started = await startAgent({ port, ca, qos, state, commit, checkpointEvery: '5s' }, env);
  const samples = sampled(started, (event) =>
    event.event === 'status'
      ? {
          messages: event.messages,
          cpuUs: event.cpu_us_per_message * event.messages,
          rssMib: event.rss_mib,
        }
      : null,
  );
  await started.until((event) => event.event === 'status' && event.connected, 'the agent is connected');
  return { process: started as Lines<unknown>, samples };
}

/** The agent as a user starts it. */
export async function startAgent(
  options: {
    port: number;
    /** Certificate of the authority, for TLS. */
    ca?: string | null;
    qos: 0 | 1;
    state: string;
    commit: string | null;
    checkpointEvery: string;
  },
  env: NodeJS.ProcessEnv = {},
): Promise<Lines<AgentEvent>> {
  const config = join(options.state, 'gateway.yaml');
  await writeFile(
    config,
    agentConfig({ ...options, url: `${options.ca ? 'mqtts' : 'mqtt'}://127.0.0.1:${options.port}` }),
  );
  return spawnLines<AgentEvent>(AGENT, ['run', '--config', config, '--status-json', '250ms'], env);
}

/** Notes what each line says, with the time it came. */
function sampled<Line>(from: Lines<Line>, read: (line: Line) => Omit<Sample, 'atMs'> | null): Sample[] {
  const samples: Sample[] = [];
  const push = from.lines.push.bind(from.lines);
  from.lines.push = (...lines) => {
    for (const line of lines) {
      const sample = read(line);
      if (sample !== null) samples.push({ ...sample, atMs: performance.now() });
    }
    return push(...lines);
  };
  return samples;
}

async function untilQuiet(samples: readonly Sample[], count: number): Promise<void> {
  let last = -1;
  let since = performance.now();
  while (performance.now() - since < QUIET_MS) {
    const now = samples.at(-1)?.messages ?? 0;
    if (now >= count) return;
    if (now !== last) {
      last = now;
      since = performance.now();
    }
    await pause(50);
  }
}

/** From the end of the warm-up to the last sample before all had come: no idle time is counted. */
function figuresOf(samples: readonly Sample[], count: number): Omit<Run, 'load'> {
  const arrived = samples.at(-1)?.messages ?? 0;
  // A run that is over before two samples were taken is measured from its beginning.
  const warm = samples.find(({ messages }) => messages >= arrived * WARM_UP && messages < arrived * 0.9);
  const begin = warm ?? (samples.findLast(({ messages }) => messages === 0) as Sample);
  const all = samples.find(({ messages }) => messages >= arrived) as Sample;
  const before = samples.findLast(({ messages }) => messages < arrived);
  const end = before !== undefined && before.messages - begin.messages > arrived / 5 ? before : all;
  const messages = end.messages - begin.messages;
  return {
    cpu_us_per_message: (end.cpuUs - begin.cpuUs) / messages,
    messages_per_s: (messages * 1000) / (end.atMs - begin.atMs),
    sent: count,
    lost: count - arrived,
    rss_mib: end.rssMib,
  };
}

async function beatOf(log: string, samples: readonly Sample[]): Promise<number> {
  const reader = await openLogReader(log);
  const first = samples.findLast(({ messages }) => messages === 0) ?? samples[0];
  const last = samples.find(({ messages }) => messages === samples.at(-1)?.messages);
  const span = (last?.atMs ?? 0) - (first?.atMs ?? 0);
  const commits = reader.nextSequence;
  await reader.close();
  return span / commits;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
