/**
 * How long a checkpoint keeps the main thread from everything else: the longest stretch without a turn, from the state's
 * copy out of the core to the end of the slot's writing. On the state of the bench's workload, all of which changes between
 * two checkpoints, and on one of 64 MiB of which a thousandth does.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Config, compilePlan, loadCore, openLog, openSlots, parseConfig, planHash } from '@rivulet/host';
import { quantile } from '../machine.ts';
import { agentConfig, encodePackets, MACHINES, SENSORS } from './workload.ts';

export interface CheckpointFigures {
  state_mib: number;
  /** What one checkpoint copies out of the core, as a rule. */
  changed_kib: number;
  checkpoints: number;
  /** By the clock: on a busy machine others' turns are in it. */
  p50_ms: number;
  p99_ms: number;
  /** Of it the core's call and the copy. */
  copy_p50_ms: number;
  copy_p99_ms: number;
  /** The same measure while as many bytes are written and synced without a checkpoint: what the machine does by itself. */
  control_p50_ms: number;
  control_p99_ms: number;
}

const CHECKPOINTS = 200;
const CHECKPOINTS_SHORT = 60;
const BATCH = 1000;
/** Machines of the large state; with their sensors fewer than the core numbers streams for. */
const MACHINES_LARGE = 16_000;
/** Readings of each series before the large state is measured: enough for windows and waiting predictions. */
const ROUNDS_LARGE = 3;
/** Further windows over every series, by their lengths in seconds: they make the large state as large as it is to be. */
const WINDOWS_LARGE = [3, 4, 5, 6, 7, 8];

interface Workload {
  machines: number;
  /** Messages before the first checkpoint, and between two. */
  before: number;
  between: number;
  windows: readonly number[];
}

export async function measureCheckpoint(short: boolean): Promise<CheckpointFigures[]> {
  const series = MACHINES_LARGE * SENSORS.length;
  const checkpoints = short ? CHECKPOINTS_SHORT : CHECKPOINTS;
  const small = { machines: MACHINES, before: 10 * BATCH, between: BATCH, windows: [] };
  const large = {
    machines: MACHINES_LARGE,
    before: ROUNDS_LARGE * series,
    between: series / 1000,
    windows: WINDOWS_LARGE,
  };
  return [await measure(small, checkpoints), await measure(large, checkpoints)];
}

async function measure(
  { machines, before, between, windows }: Workload,
  checkpoints: number,
): Promise<CheckpointFigures> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-pause-'));
  const core = await loadCore();
  const text = agentConfig({ url: 'mqtt://localhost', qos: 1, state: directory, commit: null, checkpointEvery: '5s' });
  const config: Config = parseConfig(text, 'bench.yaml');
  const [window] = config.windows as [Config['windows'][number]];
  config.windows.push(...windows.map((every) => ({ ...window, name: `machine_${every}s`, everyMs: every * 1000 })));
  config.limits.keys = Math.max(config.limits.keys, machines);
  const plan = compilePlan(config);
  const engine = core.newEngine();
  engine.open(plan);
  const log = await openLog({ directory: join(directory, 'log'), keepBytes: 0 });
  const slots = await openSlots(join(directory, 'checkpoint'));
  const count = before + (checkpoints + 1) * between;
  const packets = encodePackets({ qos: 1, rate: 10_000, first: 0, baseMs: 1_700_000_000_000, machines, count });
  const pauses: number[] = [];
  const copies: number[] = [];
  const controls: number[] = [];
  let stateBytes = 0;
  const changed: number[] = [];
  let taken = 0;
  async function fold(messages: number): Promise<void> {
    for (const end = taken + messages; taken < end; ) {
      const next = Math.min(taken + BATCH, end);
      const payload = packets.bytes.subarray(packets.starts[taken], packets.starts[next]);
      const clock = { wallMs: 1_700_007_200_000 + Math.floor(taken / 10), monoUs: taken * 100, boot: 1 };
      const draft = { kind: 1, door: 1, epoch: 1, count: next - taken, payload, ...clock } as const;
      const { bytes, durable } = log.append([draft]);
      engine.ingest(bytes);
      await durable;
      taken = next;
    }
  }
  async function take(): Promise<void> {
    const began = performance.now();
    const { whole, parts } = engine.checkpointParts(slots.wantsWhole());
    copies.push(performance.now() - began);
    const { nextSequence, nextOffset } = log;
    const hashes = { planHash: planHash(plan), kernelHash: core.kernelHash };
    const snapshot = { nextSequence, nextOffset, wallMs: 0, ...hashes, whole, parts };
    pauses.push(await longestStretch(began, slots.append(snapshot)));
    controls.push(await longestStretch(performance.now(), writeSynced(join(directory, 'control'), parts)));
    if (whole) stateBytes = parts.length;
    changed.push(parts.length);
  }
  try {
    await fold(before);
    // The first is of all of the state, the second copies a slot to the other: once for each start of a gateway.
    for (let warm = 0; warm < 2; warm++) {
      await take();
      await fold(between);
    }
    pauses.length = copies.length = controls.length = changed.length = 0;
    for (let checkpoint = 0; checkpoint < checkpoints - 1; checkpoint++) {
      await take();
      await fold(between);
    }
  } finally {
    await log.close();
    await rm(directory, { recursive: true, force: true });
  }
  return {
    ...{ state_mib: stateBytes / 2 ** 20, changed_kib: quantile(changed, 0.5) / 1024, checkpoints: pauses.length },
    ...{ p50_ms: quantile(pauses, 0.5), p99_ms: quantile(pauses, 0.99) },
    ...{ copy_p50_ms: quantile(copies, 0.5), copy_p99_ms: quantile(copies, 0.99) },
    ...{ control_p50_ms: quantile(controls, 0.5), control_p99_ms: quantile(controls, 0.99) },
  };
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w');
  await file.write(bytes);
  await file.sync();
  await file.close();
}

/** The longest time between two turns of the event loop from `began` until `done`. */
async function longestStretch(began: number, done: Promise<unknown>): Promise<number> {
  let last = began;
  let longest = 0;
  let going = true;
  const note = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (going) setImmediate(note);
  };
  note();
  await done;
  going = false;
  return longest;
}
