/**
 * The log and the checkpoint slots on a disk that loses power, or whose process is killed, at every single operation of a
 * scripted run: after each restart everything that was promised is there, in order, without a gap, nothing is invented, and
 * the newest checkpoint that was promised opens and agrees with the log. Then the run goes on and is ended again.
 *
 * `POWER_CUT_SEEDS=20 npx vitest run test/faults/power_cut` goes deeper; `POWER_CUT_SEED=7` repeats one seed.
 */
import { createHash } from 'node:crypto';
import { BLOCK_HEADER_BYTES, BLOCK_KIND, decodeBlockHeader, type Log, openLog, openSlots } from '@rivulet/host';
import { expect, test } from 'vitest';
import { numbersFrom } from '../golden/numbers.ts';
import { createSimulatedDisk, Ended, FATES, type Fate, type SimulatedDisk } from '../support/simulated_disk.ts';

const SEEDS =
  process.env.POWER_CUT_SEED === undefined
    ? Array.from({ length: Number(process.env.POWER_CUT_SEEDS ?? 1) }, (_, index) => index + 1)
    : [Number(process.env.POWER_CUT_SEED)];
/** Appends of one life. */
const APPENDS = 20;
const SEGMENT_BYTES = 3000;
const KEEP_BYTES = 9000;

/** What the outside world was told, over all lives. */
interface Told {
  /** Payloads by sequence: what was appended, or found at the last start. */
  blocks: string[];
  /** Blocks that were promised: appended durably, or found by a start (then they are folded, and acted upon). */
  promised: number;
  /** Next sequence of the newest checkpoint that was promised. */
  checkpoint: number;
  /** Removals may go this far. */
  released: number;
}

/** The state of a fold that has seen some blocks. */
const stateOf = (blocks: readonly string[]): Buffer =>
  Buffer.concat([createHash('sha256').update(blocks.join('|')).digest(), Buffer.alloc(700 + blocks.length * 9, 7)]);

/** The same in parts: what the blocks from `from` on changed of it. */
function partsOf(blocks: readonly string[], from: number): Buffer {
  const group = (section: number, index: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(12);
    for (const [place, value] of [section, index, bytes.length].entries()) {
      head.writeUInt32LE(value, place * 4);
    }
    return Buffer.concat([head, bytes]);
  };
  const state = stateOf(blocks);
  const added = Array.from({ length: blocks.length - from }, (_, index) => group(2, from + index, Buffer.alloc(9, 7)));
  const fixed = from === 0 ? [group(1, 0, Buffer.alloc(700, 7))] : [];
  return Buffer.concat([group(0, 0, state.subarray(0, 32)), ...fixed, ...added]);
}

async function blocksOf(log: Log): Promise<{ sequence: number; payload: string }[]> {
  const found: { sequence: number; payload: string }[] = [];
  for await (const chunk of log.read(log.oldestSequence)) {
    for (let at = 0; at < chunk.length; ) {
      const { sequence, payloadLength } = decodeBlockHeader(chunk, at);
      const from = at + BLOCK_HEADER_BYTES;
      found.push({ sequence, payload: chunk.toString('latin1', from, from + payloadLength) });
      at = from + payloadLength;
    }
  }
  return found;
}

interface Life {
  endsAt?: number;
  appends?: number;
}

/** One life of a process: starts, checks what it finds, appends, takes checkpoints, cleans up. Throws `Ended` at its end. */
async function live(disk: SimulatedDisk, told: Told, random: () => number, life: Life = {}): Promise<number> {
  const storage = disk.process(life.endsAt);
  const log = await openLog({ directory: 'log', storage, segmentBytes: SEGMENT_BYTES, keepBytes: KEEP_BYTES });
  const slots = await openSlots('checkpoint', storage);
  const slot = await slots.load();

  expect(log.nextSequence).toBeGreaterThanOrEqual(told.promised);
  expect(log.nextSequence).toBeLessThanOrEqual(told.blocks.length);
  expect(log.oldestSequence).toBeLessThanOrEqual(told.released);
  const found = await blocksOf(log);
  const expected = told.blocks.slice(log.oldestSequence, log.nextSequence);
  expect(found).toEqual(expected.map((payload, index) => ({ sequence: log.oldestSequence + index, payload })));
  const at = slot?.nextSequence ?? 0;
  expect(at).toBeGreaterThanOrEqual(told.checkpoint);
  expect(at).toBeGreaterThanOrEqual(log.oldestSequence);
  expect(at).toBeLessThanOrEqual(log.nextSequence);
  expect(slot === null || stateOf(told.blocks.slice(0, at)).equals(slot.state)).toBe(true);
  told.blocks.length = told.promised = log.nextSequence;
  let taken = 0;

  for (let turn = 0; turn < (life.appends ?? APPENDS); turn++) {
    const payloads = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
      // Not to be compressed away: retention shall have something to do.
      Array.from({ length: 1 + Math.floor(random() * 60) }, () => random().toString(36).slice(2)).join(''),
    );
    told.blocks.push(...payloads);
    await log.append(
      payloads.map((text) => ({
        ...{ kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count: 1, payload: Buffer.from(text) },
        ...{ wallMs: 1_000 * told.blocks.length, monoUs: 0, boot: 0 },
      })),
    ).durable;
    told.promised = log.nextSequence;
    if (turn % 2 === 1) {
      const nextSequence = log.nextSequence;
      const hash = Buffer.alloc(32);
      const place = { nextSequence, nextOffset: log.nextOffset, wallMs: turn, planHash: hash, kernelHash: hash };
      if (turn === 11) {
        await slots.save({ ...place, state: stateOf(told.blocks) });
      } else {
        const whole = slots.wantsWhole();
        await slots.append({ ...place, whole, parts: partsOf(told.blocks, whole ? 0 : taken) });
        taken = told.blocks.length;
      }
      told.checkpoint = nextSequence;
      told.released = nextSequence;
      await log.truncateBefore(nextSequence, { wallMs: 0, monoUs: 0 });
      await log.compress();
    }
  }
  await log.close();
  return storage.operations();
}

/** Lives until `endsAt`; true when it came to that. */
async function ends(life: Promise<number>): Promise<boolean> {
  try {
    await life;
    return false;
  } catch (thrown) {
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown;
    if (thrown instanceof Ended || cause instanceof Ended) {
      return true;
    }
    throw thrown;
  }
}

const newTold = (): Told => ({ blocks: [], promised: 0, checkpoint: 0, released: 0 });

/** A run that ends at an operation, as `how` says, starts again, is ended by a power cut at a later one, and starts again. */
async function oneCase(seed: number, first: number, how: Fate | 'killed', second: number): Promise<void> {
  const random = numbersFrom(seed * 100_003 + first * 311 + second * 7 + FATES.indexOf(how as Fate)).next;
  const disk = createSimulatedDisk(random);
  const told = newTold();
  if (!(await ends(live(disk, told, random, { endsAt: first })))) {
    return;
  }
  if (how !== 'killed') {
    disk.powerCut(how);
  }
  if (await ends(live(disk, told, random, { endsAt: second }))) {
    disk.powerCut(FATES[Math.floor(random() * FATES.length)] as Fate);
  }
  await live(disk, told, random, { appends: 4 });
  disk.powerCut('nothing');
  await live(disk, told, random, { appends: 0 });
}

test.each(SEEDS)(
  'whatever_was_promised_survives_an_end_at_every_operation (seed %i)',
  async (seed) => {
    const random = numbersFrom(seed).next;
    const operations = await live(createSimulatedDisk(random), newTold(), random);
    expect(operations).toBeGreaterThan(60);
    for (let first = 1; first <= operations; first++) {
      for (const how of [...FATES, 'killed'] as const) {
        // What a killed process left in the cache is in danger until the next one has synced it: be thorough there.
        const seconds =
          how === 'killed' ? Array.from({ length: 10 }, (_, index) => 1 + 2 * index + (seed % 2)) : [1 + (first % 60)];
        for (const second of seconds) {
          try {
            await oneCase(seed, first, how, second);
          } catch (error) {
            const what = `ended at operation ${first} (${how}) and, after a restart, at ${second}`;
            throw new Error(`POWER_CUT_SEED=${seed}: ${what}`, { cause: error });
          }
        }
      }
    }
  },
  600_000,
);
