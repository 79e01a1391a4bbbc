import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_HEADER_BYTES, BLOCK_KIND, decodeBlockHeader } from './block.ts';
import { RivuletError } from './errors.ts';
import { type BlockDraft, type Log, openLog } from './log.ts';
import { type LogReader, openLogReader } from './log_read.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-packed-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const draft = (payload: Buffer | string, wallMs = 0): BlockDraft => ({
  ...{ kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count: 1, payload: Buffer.from(payload) },
  ...{ wallMs, monoUs: 0, boot: 0 },
});

async function bytesFrom(log: LogReader, sequence: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of log.read(sequence)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const files = async (): Promise<string[]> => (await readdir(directory)).sort();

/** A log of several segments; answers the bytes of all its blocks. */
async function fill(log: Log, blocks = 40): Promise<Buffer> {
  const all: Buffer[] = [];
  for (let n = 0; n < blocks; n++) {
    const { bytes, durable } = log.append([draft(`{"value":${n},"unit":"C"}`.repeat(1 + (n % 9)), 1000 * n)]);
    await durable;
    all.push(Buffer.from(bytes));
  }
  return Buffer.concat(all);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (thrown) {
    if (thrown instanceof RivuletError) return thrown.code;
    throw thrown;
  }
  return 'accepted';
}

describe('compressed segments', () => {
  test('read_as_before_from_any_block_also_after_a_reopening_and_by_a_reader_that_listed_them_before', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    const all = await fill(log);
    const before = await openLogReader(directory);
    const { bytes } = log;
    await log.compress();
    const names = await files();
    expect(names.filter((name) => name.endsWith('.rvlog')).length).toBe(1);
    expect(names.filter((name) => name.endsWith('.rvlog.zst')).length).toBeGreaterThan(3);
    expect(log.bytes).toBeLessThan(bytes);
    expect(await bytesFrom(before, 0)).toEqual(all);
    for (let sequence = 0, at = 0; sequence < 40; sequence++) {
      expect(await bytesFrom(log, sequence)).toEqual(all.subarray(at));
      at += BLOCK_HEADER_BYTES + decodeBlockHeader(all, at).payloadLength;
    }
    await log.append([draft('more')]).durable;
    await log.close();
    const again = await openLog({ directory, segmentBytes: 1000 });
    expect([again.nextSequence, again.nextOffset]).toEqual([41, 41]);
    expect((await bytesFrom(again, 0)).subarray(0, all.length)).toEqual(all);
    await again.close();
  });

  test('a_block_larger_than_a_frame_is_a_frame_of_its_own', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    const large = Buffer.alloc(3_000_000, 'x');
    const { bytes, durable } = log.append([draft('a'), draft(large), draft('b')]);
    await durable;
    await log.append([draft('c')]).durable;
    await log.compress();
    expect(bytes.equals((await bytesFrom(log, 0)).subarray(0, bytes.length))).toBe(true);
    expect((await bytesFrom(log, 2)).toString('latin1', BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + 1)).toBe('b');
    await log.close();
  });

  test('the_last_segment_may_be_a_compressed_one', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    await fill(log);
    await log.compress();
    await log.close();
    await rm(join(directory, (await files()).at(-1) as string));
    const again = await openLog({ directory, segmentBytes: 1000 });
    const { nextSequence } = again;
    expect(nextSequence).toBeGreaterThan(20);
    await again.append([draft('on')]).durable;
    expect((await bytesFrom(again, nextSequence)).toString('latin1')).toContain('on');
    await again.close();
  });

  test('what_a_compression_left_half_done_is_removed_and_done_again', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    const all = await fill(log);
    await log.close();
    const [first] = await files();
    await writeFile(join(directory, `${first}.zst`), 'half');
    await writeFile(join(directory, `${first}.tmp`), 'half');
    const again = await openLog({ directory, segmentBytes: 1000 });
    expect((await files()).filter((name) => !name.endsWith('.rvlog'))).toEqual([]);
    await again.compress();
    expect(await bytesFrom(again, 0)).toEqual(all);
    await again.close();
  });

  test('a_damaged_segment_is_named_left_as_it_is_and_the_others_are_compressed', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    await fill(log);
    const second = join(directory, (await files())[1] as string);
    const bytes = await readFile(second);
    bytes[100] = (bytes[100] as number) ^ 1;
    await writeFile(second, bytes);
    expect(await codeOf(log.compress())).toBe('RIV_LOG_CORRUPT');
    await log.compress();
    expect(await readFile(second)).toEqual(bytes);
    expect((await files()).filter((name) => name.endsWith('.rvlog')).length).toBe(2);
    expect((await files()).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await log.close();
  });

  test('any_damage_is_refused_with_a_code_or_does_not_matter', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    const all = await fill(log, 12);
    await log.compress();
    await log.close();
    const file = join(directory, (await files())[0] as string);
    const good = await readFile(file);
    const damaged = fc.oneof(
      fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, flip]) => {
        const bytes = Buffer.from(good);
        bytes[at] = (bytes[at] as number) ^ flip;
        return bytes;
      }),
      fc.nat(good.length - 1).map((length) => good.subarray(0, length)),
      fc.uint8Array({ maxLength: 100 }).map((more) => Buffer.concat([good, more])),
    );
    await fc.assert(
      fc.asyncProperty(damaged, async (bytes) => {
        await writeFile(file, bytes);
        const reader = await openLogReader(directory);
        const codes = ['RIV_LOG_CORRUPT', 'RIV_CORRUPT', 'RIV_FOREIGN', 'RIV_TOO_NEW', 'RIV_TRUNCATED'];
        let found: Buffer | null = null;
        const code = await codeOf(
          bytesFrom(reader, 0).then((read) => {
            found = read;
          }),
        );
        if (code === 'accepted') expect(found).toEqual(all);
        else expect(code).toBe('RIV_LOG_CORRUPT');
        expect([...codes, 'accepted']).toContain(await codeOf(reader.sequenceAt(3000)));
      }),
      { numRuns: 150, examples: [[Buffer.alloc(0)]] },
    );
  });

  test('an_emptied_segment_is_no_end_of_the_log', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    await fill(log, 12);
    await log.close();
    await writeFile(join(directory, (await files())[0] as string), '');
    const reader = await openLogReader(directory);
    expect(await codeOf(bytesFrom(reader, 0))).toBe('RIV_LOG_CORRUPT');
  });
});

describe('the index by time', () => {
  test('finds_the_first_block_at_or_after_a_time_whatever_the_clock_did', async () => {
    const clocks = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(clocks, fc.integer({ min: -60, max: 60 }), fc.boolean(), async (walls, wanted, packed) => {
        await rm(directory, { recursive: true, force: true });
        const log = await openLog({ directory, segmentBytes: 200 });
        for (const wallMs of walls) await log.append([draft('x', wallMs)]).durable;
        if (packed) await log.compress();
        const first = walls.findIndex((wallMs) => wallMs >= wanted);
        expect(await log.sequenceAt(wanted)).toBe(first === -1 ? walls.length : first);
        await log.close();
        const reader = await openLogReader(directory);
        expect(await reader.sequenceAt(wanted)).toBe(first === -1 ? walls.length : first);
      }),
      { numRuns: 40 },
    );
  });

  test('does_not_read_what_the_index_rules_out', async () => {
    const log = await openLog({ directory, segmentBytes: 1000 });
    await fill(log);
    await log.compress();
    await log.close();
    // Damage in the frames of an early segment is not met by a look-up of a later time.
    const first = join(directory, (await files())[0] as string);
    const bytes = await readFile(first);
    bytes.fill(0xff, 20, 60);
    await writeFile(first, bytes);
    const reader = await openLogReader(directory);
    expect(await codeOf(bytesFrom(reader, 0))).toBe('RIV_LOG_CORRUPT');
    expect(await reader.sequenceAt(30_500)).toBe(31);
  });
});

describe('retention by age', () => {
  /** Both clocks at a second of the test; the wall clock set forward by so much. */
  const at = (second: number, setMs = 0) => ({ wallMs: second * 1000 + setMs, monoUs: second * 1_000_000 });
  const DAY_MS = 86_400_000;

  async function fillBySeconds(log: Log, setMs = 0): Promise<void> {
    for (let n = 0; n < 30; n++) await log.append([{ ...draft('x', 0), ...at(n, setMs) }]).durable;
  }

  test('a_segment_goes_when_all_of_it_is_older_and_recovery_does_not_need_it', async () => {
    const log = await openLog({ directory, segmentBytes: 200, keepMs: 10_000 });
    await fillBySeconds(log);
    await log.truncateBefore(30, at(15));
    const oldest = log.oldestSequence;
    expect(oldest).toBeGreaterThan(0);
    expect(oldest).toBeLessThanOrEqual(5);
    await log.compress();
    await log.truncateBefore(12, at(100));
    expect(log.oldestSequence).toBeLessThanOrEqual(12); // recovery comes first
    expect(log.oldestSequence).toBeGreaterThan(oldest);
    await log.truncateBefore(30, at(100));
    expect(log.oldestSequence).toBeGreaterThanOrEqual(27); // the last segment stays
    expect((await bytesFrom(log, log.oldestSequence)).length).toBeGreaterThan(0);
    await log.close();
  });

  test.each([
    ['forward', DAY_MS],
    ['back', -DAY_MS],
  ])('a_wall_clock_that_is_set_%s_by_a_day_changes_nothing', async (_, setMs) => {
    const log = await openLog({ directory, segmentBytes: 200, keepMs: 10_000 });
    await fillBySeconds(log);
    await log.truncateBefore(30, at(30, setMs));
    const kept = log.oldestSequence;
    expect(kept).toBeGreaterThan(15);
    expect(kept).toBeLessThanOrEqual(20);
    await log.close();

    // What an earlier process left ages in the same way from the first look on.
    const again = await openLog({ directory, segmentBytes: 200, keepMs: 10_000 });
    await again.truncateBefore(30, at(30));
    await again.truncateBefore(30, at(31, setMs));
    expect(again.oldestSequence).toBeLessThanOrEqual(21);
    await again.truncateBefore(30, at(60, setMs));
    expect(again.oldestSequence).toBeGreaterThanOrEqual(27);
    await again.close();
  });
});
