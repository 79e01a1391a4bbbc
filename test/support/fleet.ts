/**
 * Three gateways as a coordinator sees them, without gateways: real keys, signed envelopes and reports whose figures
 * develop as they do on a real site. For tests of the API and for looking at the console:
 *
 *   node test/support/fleet.ts --url http://127.0.0.1:8787 [--every 1000] [--history 120]
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { encodeEnvelope, publicKeyBytes } from '@rivulet/host';
import { classStatistics, coMoments } from './statistics.ts';

/** Of the core of this checkout: the one that a coordinator here runs. */
const KERNEL = (
  JSON.parse(readFileSync(new URL('../../wasm-core/pkg/stamp.json', import.meta.url), 'utf8')) as { sources: string }
).sources;

export interface FleetTask {
  readonly name: string;
  readonly kind: 'forecast' | 'classification' | 'anomaly';
  readonly target: string;
  readonly horizonMs: number;
  readonly features: readonly string[];
  /** Error of the baseline, and what the learner comes down to from there (a share of it). */
  readonly baseline: number;
  readonly floor: number;
}

export interface FleetGateway {
  readonly id: string;
  readonly about: string;
  readonly simulated: boolean;
  readonly incarnation: Buffer;
  readonly publicKey: Buffer;
  readonly privateKey: KeyObject;
  readonly tasks: readonly FleetTask[];
  readonly random: () => number;
  seq: number;
  step: number;
  messages: number;
  readonly sums: Map<string, { predictions: number; matured: number; alarms: number; error: number; baseline: number }>;
  readonly rows: Map<string, number[][]>;
  heads: { task: string; schema: string; release: string | null }[];
}

const TEMPERATURE: FleetTask = {
  name: 'temp_in_30m',
  kind: 'forecast',
  target: 'temperature',
  horizonMs: 1_800_000,
  features: ['temperature', 'temperature.lag1', 'co2', 'power', 'time.day_sin', 'time.day_cos'],
  baseline: 0.42,
  floor: 0.58,
};
const OCCUPIED: FleetTask = {
  name: 'occupied',
  kind: 'classification',
  target: '',
  horizonMs: 0,
  features: ['co2', 'co2.delta', 'power', 'time.day_sin'],
  baseline: 0.11,
  floor: 0.6,
};
const LOAD: FleetTask = {
  name: 'load_in_30s',
  kind: 'forecast',
  target: 'load',
  horizonMs: 30_000,
  features: ['load', 'load.lag1', 'cpu', 'memory', 'pressure'],
  baseline: 0.3,
  floor: 0.86,
};
const UNUSUAL: FleetTask = {
  name: 'unusual',
  kind: 'anomaly',
  target: 'cpu',
  horizonMs: 0,
  features: ['cpu', 'cpu.lag1', 'load', 'memory'],
  baseline: 4.1,
  floor: 0.9,
};

/** The three gateways of `npm start`, with keys of their own. */
export function newFleet(): FleetGateway[] {
  return [
    newFleetGateway('building-north', 'simulated building', true, [TEMPERATURE, OCCUPIED]),
    newFleetGateway('building-south', 'simulated building', true, [TEMPERATURE, OCCUPIED]),
    newFleetGateway('this-machine', 'this machine', false, [LOAD, UNUSUAL]),
  ];
}

export function newFleetGateway(
  id: string,
  about: string,
  simulated: boolean,
  tasks: readonly FleetTask[] = [TEMPERATURE],
): FleetGateway {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return {
    id,
    about,
    simulated,
    incarnation: createHash('md5').update(id).digest(),
    publicKey: publicKeyBytes(publicKey),
    privateKey,
    tasks,
    random: randomFrom(id),
    seq: 0,
    step: 0,
    messages: 0,
    sums: new Map(),
    rows: new Map(),
    heads: [],
  };
}

/** The schema of a task as a core would write it, with its features. */
export function schemaText(task: FleetTask): string {
  const { name, kind, target, horizonMs, features } = task;
  return JSON.stringify({ task: name, kind, target, horizon_ms: horizonMs, features });
}

export function schemaHash(task: FleetTask): string {
  return createHash('sha256').update(schemaText(task)).digest('hex');
}

/** Draws `count` more rows of a task: the target follows the features, with noise. */
export function learnRows(gateway: FleetGateway, task: FleetTask, count: number): void {
  const rows = gateway.rows.get(task.name) ?? [];
  gateway.rows.set(task.name, rows);
  for (let i = 0; i < count; i++) {
    const features = task.features.map(() => gaussian(gateway.random));
    const signal = features.reduce((sum, value, at) => sum + value * (0.8 - at * 0.2), 0);
    rows.push([...features, signal + 0.3 * gaussian(gateway.random)]);
  }
}

/** The cumulative statistics of the rows learned so far. */
export function statisticsOf(gateway: FleetGateway, task: FleetTask): Buffer {
  const rows = gateway.rows.get(task.name) ?? [];
  if (task.kind !== 'classification') return coMoments(rows);
  const target = task.features.length;
  const of = (label: boolean) =>
    rows.filter((row) => (row[target] as number) > 0 === label).map((row) => row.slice(0, -1));
  return classStatistics({ false: of(false), true: of(true) });
}

/** A signed envelope with the statistics so far and the next number. */
export function envelopeOf(
  gateway: FleetGateway,
  task: FleetTask,
  over: Partial<{
    seq: number;
    payload: Buffer;
    schema: string;
    task: string;
    incarnation: Buffer;
    base: Buffer;
    kernel: Buffer;
    wallMs: number;
  }> = {},
): Buffer {
  return encodeEnvelope(
    {
      gateway: gateway.id,
      incarnation: over.incarnation ?? gateway.incarnation,
      seq: over.seq ?? ++gateway.seq,
      wallMs: over.wallMs ?? Date.now(),
      task: over.task ?? task.name,
      baseRelease: over.base ?? Buffer.alloc(32),
      kernelHash: over.kernel ?? Buffer.from(KERNEL, 'hex'),
      schema: Buffer.from(over.schema ?? schemaText(task)),
      payload: over.payload ?? statisticsOf(gateway, task),
    },
    (bytes) => sign(null, bytes, gateway.privateKey),
  );
}

/** One more interval of `seconds` passes: messages, predictions, labels, errors. */
export function advance(gateway: FleetGateway, seconds = 1): void {
  gateway.step++;
  gateway.messages += Math.round((gateway.simulated ? 180 : 40) * seconds * (0.9 + 0.2 * gateway.random()));
  for (const task of gateway.tasks) {
    const sum = gateway.sums.get(task.name) ?? { predictions: 0, matured: 0, alarms: 0, error: 0, baseline: 0 };
    gateway.sums.set(task.name, sum);
    const labels = Math.round(12 * seconds);
    sum.predictions += labels;
    if (gateway.step < 3) continue; // the first labels take their time
    const learned = task.floor + (1.25 - task.floor) * Math.exp(-gateway.step / 25);
    const noise = () => 0.85 + 0.3 * gateway.random();
    sum.matured += labels;
    sum.baseline += labels * task.baseline * noise();
    sum.error += labels * task.baseline * learned * noise();
    if (task.kind === 'anomaly' && gateway.random() < 0.05) sum.alarms++;
  }
}

/** The status report of this moment, as `AgentStatus`. */
export function reportOf(gateway: FleetGateway): Record<string, unknown> {
  const received = gateway.messages;
  const late = Math.floor(received * 0.012);
  const duplicate = Math.floor(received * 0.02);
  const filtered = Math.floor(received * 0.004);
  const used = received - late - duplicate - filtered;
  return {
    event: 'status',
    gateway: gateway.id,
    about: gateway.about,
    simulated: gateway.simulated,
    at: Date.now(),
    uptime_s: gateway.step,
    messages: received,
    ledger: { received, used, late, duplicate, retained: 0, filtered, quarantined: 0 },
    sources: sourcesOf(gateway, { received, used, late, duplicate, retained: 0, filtered, quarantined: 0 }),
    tasks: gateway.tasks.map((task) => taskReport(gateway, task)),
    releases_accepted: gateway.heads.filter(({ release }) => release !== null).length,
    cpu_us_per_message: 38 + 4 * gateway.random(),
    rss_mib: 71 + Math.round(6 * gateway.random()),
    core: { build: 'simd', kernel: KERNEL },
    connected: true,
  };
}

/** All messages come from one source; labels, where a task has them, from another that no device numbers. */
function sourcesOf(gateway: FleetGateway, ledger: Record<string, number>): Record<string, unknown>[] {
  const numbered = {
    name: 'readings',
    ...ledger,
    gaps: 0,
    guarantee: 'exactly once',
    guarantee_why: 'devices number their messages (seq)',
  };
  if (!gateway.tasks.some((task) => task.kind === 'classification')) return [numbered];
  const nothing = Object.fromEntries(Object.keys(ledger).map((name) => [name, 0]));
  const why = 'devices do not number their messages; repeats by the broker alone are recognised';
  return [numbered, { name: 'labels:occupied', ...nothing, gaps: 0, guarantee: 'best effort', guarantee_why: why }];
}

function taskReport(gateway: FleetGateway, task: FleetTask): Record<string, unknown> {
  const sum = gateway.sums.get(task.name) ?? { predictions: 0, matured: 0, alarms: 0, error: 0, baseline: 0 };
  const release = gateway.heads.find((head) => head.task === task.name)?.release ?? null;
  const progress = 1 - Math.exp(-gateway.step / 25);
  const panel = [
    { expert: 'second order', weight: 0.2 + 0.35 * progress },
    { expert: 'sgd 2^-4', weight: 0.2 - 0.1 * progress },
    { expert: 'sgd 2^-8', weight: 0.15 - 0.05 * progress },
    { expert: 'last value', weight: 0.35 - 0.3 * progress },
    { expert: 'mean', weight: 0.1 - 0.08 * progress },
    ...(release === null ? [] : [{ expert: 'release', weight: 0.18 * progress }]),
  ];
  const total = panel.reduce((all, { weight }) => all + weight, 0);
  return {
    name: task.name,
    kind: task.kind,
    predictions: sum.predictions,
    matured: sum.matured,
    expired: 0,
    pending: sum.predictions - sum.matured,
    unmatched: 0,
    alarms: sum.alarms,
    error_sum: sum.error,
    baseline_sum: sum.baseline,
    error: sum.matured > 0 ? sum.error / sum.matured : null,
    error_last_value: sum.matured > 0 ? sum.baseline / sum.matured : null,
    schema: schemaHash(task),
    features: task.features,
    rows: sum.matured,
    release,
    releases: release === null ? 0 : 1,
    panel: panel.map(({ expert, weight }) => ({
      expert,
      weight: weight / total,
      error: sum.matured > 0 ? (sum.error / sum.matured) * (1 + 0.5 * (1 - weight)) : null,
    })),
  };
}

/** Calls the API; an error status becomes an exception with the code. */
export async function call(url: string, path: string, init?: RequestInit): Promise<unknown> {
  const answer = await fetch(`${url}${path}`, init);
  const body: unknown = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status} ${JSON.stringify(body)}`);
  return body;
}

export function postEnrolment(
  url: string,
  gateway: FleetGateway,
  headers: Record<string, string> = {},
): Promise<unknown> {
  return call(url, '/api/v1/gateways', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      gateway: gateway.id,
      public_key: gateway.publicKey.toString('base64'),
      incarnation: gateway.incarnation.toString('hex'),
      about: gateway.about,
      simulated: gateway.simulated,
    }),
  });
}

export function postDelta(url: string, envelope: Uint8Array): Promise<unknown> {
  return call(url, '/api/v1/deltas', {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(envelope),
  });
}

export async function postReport(url: string, gateway: FleetGateway): Promise<unknown> {
  const body = JSON.stringify(reportOf(gateway));
  const answer = (await call(url, '/api/v1/reports', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-rivulet-signature': sign(null, Buffer.from(body), gateway.privateKey).toString('base64'),
    },
    body,
  })) as { heads: FleetGateway['heads'] };
  gateway.heads = answer.heads;
  return answer;
}

/** One beat of a gateway: time passes, it reports, and every fifth time it sends what it learned. */
export async function beat(url: string, gateway: FleetGateway, seconds = 1): Promise<void> {
  advance(gateway, seconds);
  for (const task of gateway.tasks) learnRows(gateway, task, 12);
  await postReport(url, gateway);
  if (gateway.step % 5 !== 0) return;
  for (const task of gateway.tasks) await postDelta(url, envelopeOf(gateway, task));
}

/** A small seeded generator (mulberry32): the same id gives the same figures. */
function randomFrom(seed: string): () => number {
  let state = createHash('md5').update(seed).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:8787' },
      every: { type: 'string', default: '1000' },
      history: { type: 'string', default: '60' },
    },
  });
  const fleet = newFleet();
  for (const gateway of fleet) await postEnrolment(values.url, gateway);
  for (let i = 0; i < Number(values.history); i++) for (const gateway of fleet) await beat(values.url, gateway);
  console.log(`three gateways report to ${values.url}; Ctrl-C ends it`);
  setInterval(() => void Promise.all(fleet.map((gateway) => beat(values.url, gateway))), Number(values.every));
}

if (import.meta.main) await main();
