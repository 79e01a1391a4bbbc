/**
 * How long a checkpoint keeps the main thread from everything else: the longest stretch without a turn, from the state's
 * copy out of the core to the end of the slot's writing. Measured on the state of the bench's workload.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePlan, loadCore, openLog, openSlots, parseConfig, planHash } from '@rivulet/host';
import { quantile } from '../machine.ts';
import { agentConfig, encodePackets, SERIES } from './workload.ts';

export interface CheckpointFigures {
  state_mib: number;
  messages_between: number;
  checkpoints: number;
  /** By the clock: on a busy machine others' turns are in it. */
  p50_ms: number;
  p99_ms: number;
}

const CHECKPOINTS = 40;
const BATCH = 1000;

export async function measureCheckpoint(short: boolean): Promise<CheckpointFigures[]> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-pause-'));
  const core = await loadCore();
  const text = agentConfig({ url: 'mqtt://localhost', qos: 1, state: directory, commit: null, checkpointEvery: '5s' });
  const plan = compilePlan(parseConfig(text, 'bench.yaml'));
  const engine = core.newEngine();
  engine.open(plan);
  const log = await openLog({ directory: join(directory, 'log') });
  const slots = await openSlots(join(directory, 'checkpoint'));
  const checkpoints = short ? CHECKPOINTS / 4 : CHECKPOINTS;
  const packets = encodePackets({
    ...{ qos: 1, rate: 10_000, first: 0, baseMs: 1_700_000_000_000 },
    count: (checkpoints + 10) * BATCH,
  });
  const pauses: number[] = [];
  let stateBytes = 0;
  try {
    for (let batch = 0; batch < checkpoints + 10; batch++) {
      const payload = packets.bytes.subarray(packets.starts[batch * BATCH], packets.starts[(batch + 1) * BATCH]);
      const clock = { wallMs: 1_700_007_200_000 + batch * 100, monoUs: batch * 100_000, boot: 1 };
      const { bytes, durable } = log.append([{ kind: 1, door: 1, epoch: 1, count: BATCH, payload, ...clock }]);
      engine.ingest(bytes);
      await durable;
      if (batch < 10) continue;
      const began = performance.now();
      const state = engine.checkpoint();
      const { nextSequence, nextOffset } = log;
      const saved = slots.save({
        ...{ nextSequence, nextOffset, wallMs: clock.wallMs },
        ...{ planHash: planHash(plan), kernelHash: core.kernelHash, state },
      });
      pauses.push(await longestStretch(began, saved));
      stateBytes = state.length;
    }
  } finally {
    await log.close();
    await rm(directory, { recursive: true, force: true });
  }
  return [
    {
      ...{ state_mib: stateBytes / 2 ** 20, messages_between: Math.max(BATCH, SERIES), checkpoints },
      ...{ p50_ms: quantile(pauses, 0.5), p99_ms: quantile(pauses, 0.99) },
    },
  ];
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
