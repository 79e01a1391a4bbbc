import { appendFile, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_HEADER_BYTES, BLOCK_KIND, decodeBlockHeader } from './block.ts';
import { type BlockDraft, type Log, openLog } from './log.ts';
import { followLog, sequenceBefore } from './log_follow.ts';

const WAIT = { timeout: 15_000 };
const NOW = { wallMs: 0, monoUs: 0 };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-follow-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function draft(payload: string): BlockDraft {
  const bytes = Buffer.from(payload);
  return { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 7, count: 2, payload: bytes, wallMs: 5, monoUs: 6, boot: 8 };
}

async function append(log: Log, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await log.append([draft(`block ${n} ${'x'.repeat(n % 90)}`)]).durable;
}

/** Follows until it is stopped; answers what was seen so far. */
function following(fromSequence: number, follow = true) {
  const seen: number[] = [];
  const lost: [number, number][] = [];
  let stop = false;
  const done = (async () => {
    for await (const bytes of followLog({
      ...{ directory, fromSequence, follow },
      wait: async () => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        return stop;
      },
      gone: (from, next) => lost.push([from, next]),
    })) {
      for (let at = 0; at < bytes.length; ) {
        const { sequence, firstOffset, payloadLength } = decodeBlockHeader(bytes, at);
        const payload = bytes.toString('latin1', at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + payloadLength);
        expect(payload.startsWith(`block ${sequence} `)).toBe(true);
        expect(firstOffset).toBe(sequence * 2);
        seen.push(sequence);
        at += BLOCK_HEADER_BYTES + payloadLength;
      }
    }
  })();
  return {
    ...{ seen, lost, done },
    stop() {
      stop = true;
      return done;
    },
  };
}

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('a reader that follows', () => {
  test('sees_each_block_once_in_order_while_segments_are_filled_compressed_and_removed', async () => {
    const log = await openLog({ directory, segmentBytes: 1000, keepBytes: 4000 });
    const reader = following(0);
    for (let turn = 0; turn < 20; turn++) {
      await append(log, turn * 20, turn * 20 + 20);
      if (turn % 2 === 1) {
        await expect.poll(() => reader.seen.length, WAIT).toBe(turn * 20 + 20);
        await log.compress();
        await log.truncateBefore(log.nextSequence, NOW);
      }
    }
    expect(log.oldestSequence).toBeGreaterThan(300);
    await expect.poll(() => reader.seen.length, WAIT).toBe(400);
    await reader.stop();
    expect(reader.seen).toEqual(upTo(0, 400));
    expect(reader.lost).toEqual([]);
    await log.close();
  });

  test('sees_every_block_that_was_kept_when_it_races_the_writer_and_says_what_was_not', async () => {
    const log = await openLog({ directory, segmentBytes: 500, keepBytes: 1500 });
    const reader = following(0);
    for (let n = 0; n < 600; n += 10) {
      await append(log, n, n + 10);
      await log.compress();
      await log.truncateBefore(log.nextSequence, NOW);
    }
    await expect.poll(() => reader.seen.at(-1), WAIT).toBe(599);
    await reader.stop();
    const lost = reader.lost.flatMap(([from, next]) => upTo(from, next));
    expect([...reader.seen, ...lost].sort((a, b) => a - b)).toEqual(upTo(0, 600));
    await log.close();
  });

  test('begins_where_it_is_asked_to_and_ends_with_the_log_when_it_does_not_follow', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    await append(log, 0, 100);
    await log.compress();
    const reader = following(37, false);
    await reader.done;
    expect(reader.seen).toEqual(upTo(37, 100));
    for (const offset of [0, 1, 75, 150, 199, 1000]) {
      const sequence = await sequenceBefore(directory, offset);
      expect(sequence * 2).toBeLessThanOrEqual(offset);
      expect(Math.floor(offset / 2) - sequence).toBeLessThan(offset === 1000 ? 500 : 20);
    }
    await log.close();
  });

  test('waits_for_a_log_that_is_not_there_yet_and_for_a_write_that_is_under_way', async () => {
    const log = await openLog({ directory });
    const reader = following(0);
    await append(log, 0, 10);
    await expect.poll(() => reader.seen.length, WAIT).toBe(10);
    await log.close();
    // Half a block at the end: it may become whole.
    const [file] = (await readdir(directory)) as [string];
    const elsewhere = join(directory, 'elsewhere');
    await mkdir(elsewhere);
    await copyFile(join(directory, file), join(elsewhere, file));
    const ahead = await openLog({ directory: elsewhere });
    await append(ahead, 10, 11);
    await ahead.close();
    const [before, whole] = [await readFile(join(directory, file)), await readFile(join(elsewhere, file))];
    await appendFile(join(directory, file), whole.subarray(before.length, before.length + 30));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reader.seen.length).toBe(10);
    await appendFile(join(directory, file), whole.subarray(before.length + 30));
    await expect.poll(() => reader.seen.length, WAIT).toBe(11);
    await reader.stop();
    expect(reader.seen).toEqual(upTo(0, 11));
  });

  test('says_that_the_log_is_damaged_when_later_writes_stand_behind_the_damage', async () => {
    const log = await openLog({ directory });
    await append(log, 0, 30);
    await log.close();
    const [file] = (await readdir(directory)).map((name) => join(directory, name)) as [string];
    const bytes = await readFile(file);
    bytes.fill(0xee, 1000, 1020);
    await writeFile(file, bytes);
    await expect(following(0).done).rejects.toMatchObject({ code: 'RIV_LOG_CORRUPT' });
  });
});
