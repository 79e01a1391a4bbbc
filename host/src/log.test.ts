import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_HEADER_BYTES, BLOCK_KIND, decodeBlockHeader } from './block.ts';
import { crc32c } from './crc32c.ts';
import { RivuletError } from './errors.ts';
import { type BlockDraft, type Log, openLog } from './log.ts';
import { type LogReader, openLogReader } from './log_read.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-log-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const NOW = { wallMs: 0, monoUs: 0 };

function draft(payload: string | Uint8Array, count = 1): BlockDraft {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 7, count, payload: bytes, wallMs: 5, monoUs: 6, boot: 8 };
}

/** The payloads of all blocks from `from` on, checking that sequences and offsets are consecutive. */
async function payloads(log: LogReader, from = log.oldestSequence): Promise<string[]> {
  const found: string[] = [];
  let sequence = from;
  let offset: number | null = null;
  for await (const chunk of log.read(from)) {
    for (let at = 0; at < chunk.length; ) {
      const header = decodeBlockHeader(chunk, at);
      expect(header.sequence).toBe(sequence++);
      if (offset !== null) expect(header.firstOffset).toBe(offset);
      offset = header.firstOffset + header.count;
      found.push(chunk.toString('latin1', at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + header.payloadLength));
      at += BLOCK_HEADER_BYTES + header.payloadLength;
    }
  }
  expect(sequence).toBe(log.nextSequence);
  return found;
}

async function append(log: Log, ...texts: string[]): Promise<void> {
  await log.append(texts.map((text) => draft(text))).durable;
}

async function refusal(promise: Promise<unknown>): Promise<RivuletError> {
  try {
    await promise;
  } catch (thrown) {
    if (thrown instanceof RivuletError) return thrown;
    throw thrown;
  }
  throw new Error('it was accepted');
}

const segmentFiles = async (): Promise<string[]> =>
  (await readdir(directory)).sort().map((name) => join(directory, name));
const onlySegment = async (): Promise<string> => (await segmentFiles())[0] as string;

describe('log', () => {
  test('what_was_appended_is_read_back_in_order_after_a_reopening', async () => {
    const log = await openLog({ directory });
    const first = log.append([draft('one', 2), { ...draft('', 0), kind: BLOCK_KIND.tick }]);
    const second = log.append([{ ...draft('', 3), payload: [Buffer.from('tw'), Buffer.from('o')] }]);
    expect([first.firstOffsets, second.firstOffsets]).toEqual([[0, 2], [2]]);
    await second.durable;
    expect(await readFile(await onlySegment())).toEqual(Buffer.concat([first.bytes, second.bytes]));
    expect(await payloads(log)).toEqual(['one', '', 'two']);
    await log.close();

    const again = await openLog({ directory });
    expect(again.cut).toBeNull();
    expect([again.nextSequence, again.nextOffset, again.bytes]).toEqual([3, 5, 3 * BLOCK_HEADER_BYTES + 6]);
    await append(again, 'three');
    expect(await payloads(again)).toEqual(['one', '', 'two', 'three']);
    expect(await payloads(again, 2)).toEqual(['two', 'three']);
    await again.close();
  });

  test('a_read_goes_across_segments_and_begins_anywhere', async () => {
    const log = await openLog({ directory, segmentBytes: 200 });
    const texts = Array.from({ length: 20 }, (_, index) => `block ${index}`);
    for (const text of texts) await append(log, text);
    expect((await segmentFiles()).length).toBeGreaterThan(5);
    for (let from = 0; from <= 20; from++) expect(await payloads(log, from)).toEqual(texts.slice(from));
    await log.close();
    const reader = await openLogReader(directory);
    expect(await payloads(reader)).toEqual(texts);
  });

  test('a_block_larger_than_a_chunk_is_read_whole', async () => {
    const log = await openLog({ directory });
    const large = 'x'.repeat(3 * 1024 * 1024);
    await append(log, 'a', large, 'b', large);
    expect((await payloads(log)).map(({ length }) => length)).toEqual([1, large.length, 1, large.length]);
    await log.close();
  });

  test('a_read_sees_only_what_is_durable', async () => {
    const log = await openLog({ directory });
    await append(log, 'one');
    const pending = log.append([draft('two')]);
    let bytes = 0;
    for await (const chunk of log.read(0)) bytes += chunk.length;
    expect(bytes).toBeGreaterThan(0);
    await pending.durable;
    await log.close();
  });

  test('reading_what_is_not_kept_or_not_there_yet_is_refused', async () => {
    const log = await openLog({ directory, segmentBytes: 1, keepBytes: 0 });
    for (const text of ['a', 'b', 'c']) await append(log, text);
    await log.truncateBefore(2, NOW);
    expect((await refusal(log.read(0).next())).code).toBe('RIV_LOG_GONE');
    expect((await refusal(log.read(4).next())).code).toBe('RIV_LOG_CORRUPT');
    await log.close();
  });

  test('retention_keeps_what_recovery_needs_and_what_replay_may_have', async () => {
    const log = await openLog({ directory, segmentBytes: 100, keepBytes: 250 });
    for (let index = 0; index < 10; index++) await append(log, `block ${index}`);
    await log.truncateBefore(0, NOW);
    expect(log.oldestSequence).toBe(0); // recovery comes first, whatever `keepBytes` says
    await log.truncateBefore(5, NOW);
    expect(log.oldestSequence).toBe(5);
    await log.truncateBefore(10, NOW);
    expect(log.bytes).toBeLessThanOrEqual(250);
    expect(log.oldestSequence).toBe(7);
    await log.close();
    const again = await openLog({ directory });
    expect(await payloads(again)).toEqual(['block 7', 'block 8', 'block 9']);
    await again.close();
  });

  test('a_missing_segment_in_the_middle_is_corruption', async () => {
    const log = await openLog({ directory, segmentBytes: 1 });
    for (const text of ['a', 'b', 'c']) await append(log, text);
    await log.close();
    await rm((await segmentFiles())[1] as string);
    expect((await refusal(openLog({ directory }))).code).toBe('RIV_LOG_CORRUPT');
  });

  test('damage_in_an_older_segment_is_found_when_it_is_read', async () => {
    const log = await openLog({ directory, segmentBytes: 1 });
    for (const text of ['a', 'b', 'c']) await append(log, text);
    await log.close();
    const file = (await segmentFiles())[1] as string;
    await writeFile(file, (await readFile(file)).fill(0, BLOCK_HEADER_BYTES));
    const again = await openLog({ directory });
    expect((await refusal(payloads(again))).code).toBe('RIV_LOG_CORRUPT');
    await again.close();
  });

  test('a_file_with_another_name_is_no_segment', async () => {
    await writeFile(join(directory, 'notes.txt'), 'x');
    await writeFile(join(directory, '0.rvlog'), 'x');
    const log = await openLog({ directory });
    await append(log, 'a');
    expect(await payloads(log)).toEqual(['a']);
    await log.close();
  });

  test('an_empty_last_segment_continues_the_one_before', async () => {
    const log = await openLog({ directory, segmentBytes: 1 });
    for (const text of ['a', 'b']) await append(log, text);
    await log.close();
    await truncate((await segmentFiles())[1] as string, 30);
    const again = await openLog({ directory });
    expect([again.nextSequence, again.nextOffset, again.cut?.bytes]).toEqual([1, 1, 30]);
    await append(again, 'c');
    expect(await payloads(again)).toEqual(['a', 'c']);
    await again.close();
  });

  test('a_torn_write_of_several_blocks_is_cut_even_when_its_later_blocks_reached_the_disk', async () => {
    const log = await openLog({ directory });
    await append(log, 'durable');
    await append(log, 'torn', 'kept by chance', 'this too');
    await log.close();
    const file = await onlySegment();
    const bytes = await readFile(file);
    bytes.fill(0, BLOCK_HEADER_BYTES + 7, BLOCK_HEADER_BYTES + 20);
    await writeFile(file, bytes);
    const again = await openLog({ directory });
    expect(again.cut).not.toBeNull();
    expect(await payloads(again)).toEqual(['durable']);
    await again.close();
  });

  test('bytes_that_look_like_a_later_block_in_a_torn_payload_do_not_stop_the_start', async () => {
    const log = await openLog({ directory });
    await append(log, 'durable');
    const elsewhere = join(directory, 'other');
    const other = await openLog({ directory: elsewhere });
    for (let index = 0; index < 3; index++) await append(other, 'x');
    const image = await readFile(join(elsewhere, (await readdir(elsewhere))[0] as string));
    await other.close();
    await log.append([draft(Buffer.concat([image, Buffer.alloc(100)]))]).durable;
    await log.close();
    const file = (await segmentFiles()).find((name) => name.endsWith('.rvlog')) as string;
    await truncate(file, (await stat(file)).size - 50);
    const again = await openLog({ directory });
    expect(await payloads(again)).toEqual(['durable']);
    await again.close();
  });

  test('after_a_failed_write_the_log_has_ended', async () => {
    const log = await openLog({ directory, segmentBytes: 1 });
    await append(log, 'a');
    // The next segment cannot be made: its directory is gone.
    await rm(directory, { recursive: true });
    const failing = log.append([draft('b')]);
    const queued = log.append([draft('c')]);
    const [first, second] = await Promise.all([refusal(failing.durable), refusal(queued.durable)]);
    expect(first.code).toBe('RIV_LOG_WRITE');
    expect(second).toBe(first);
    await mkdir(directory);
    expect(() => log.append([draft('d')])).toThrow(first);
    expect(await readdir(directory)).toEqual([]);
    await log.close();
  });

  test('a_batch_that_is_too_large_is_refused_before_anything_is_written', async () => {
    const log = await openLog({ directory });
    expect(() => log.append([draft('a'), draft(Buffer.alloc(16 * 1024 * 1024 + 1))])).toThrow(/payload/);
    expect([log.nextSequence, log.bytes]).toEqual([0, 0]);
    await log.close();
  });

  test('a_directory_that_cannot_be_made_is_named', async () => {
    await writeFile(join(directory, 'file'), '');
    const error = await refusal(openLog({ directory: join(directory, 'file', 'log') }));
    expect(error.code).toBe('RIV_STATE_UNUSABLE');
  });

  test('the_checksum_is_over_header_and_payload', async () => {
    const log = await openLog({ directory });
    const { bytes, durable } = log.append([draft('payload')]);
    await durable;
    expect(bytes.readUInt32LE(60)).toBe(crc32c(Buffer.concat([bytes.subarray(0, 60), bytes.subarray(64)])));
    await log.close();
  });
});

/** Appends of random shape: per append the payloads of its blocks. */
const shapes = fc.array(fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 6,
});

async function written(appends: Uint8Array[][]): Promise<{ file: string; bytes: Buffer; ends: number[] }> {
  await rm(directory, { recursive: true, force: true });
  const log = await openLog({ directory });
  const ends: number[] = [];
  for (const blocks of appends) {
    await log.append(blocks.map((block) => draft(block))).durable;
    ends.push(log.bytes);
  }
  await log.close();
  const file = await onlySegment();
  return { file, bytes: await readFile(file), ends };
}

describe('a log after damage', () => {
  test('cut_at_any_byte_it_opens_with_the_whole_blocks_before_and_goes_on', async () => {
    const appends = [['one'], ['two', 'three'], ['four']].map((texts) => texts.map((text) => Buffer.from(text)));
    const all = appends.flat().map(String);
    const { file, bytes } = await written(appends);
    const blockEnds = all.map((_, index) =>
      all.slice(0, index + 1).reduce((sum, text) => sum + BLOCK_HEADER_BYTES + text.length, 0),
    );
    for (let length = 0; length <= bytes.length; length++) {
      await writeFile(file, bytes.subarray(0, length));
      const kept = all.slice(0, blockEnds.filter((end) => end <= length).length);
      const log = await openLog({ directory });
      expect(await payloads(log)).toEqual(kept);
      await append(log, 'after');
      await log.close();
      const again = await openLog({ directory });
      expect(await payloads(again)).toEqual([...kept, 'after']);
      await again.close();
    }
  });

  test('whatever_was_appended_any_cut_keeps_a_prefix', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), async (appends, cut) => {
        const { file, bytes } = await written(appends);
        await writeFile(file, bytes.subarray(0, cut % (bytes.length + 1)));
        const log = await openLog({ directory });
        const all = appends.flat().map((block) => Buffer.from(block).toString('latin1'));
        const kept = await payloads(log);
        expect(kept).toEqual(all.slice(0, kept.length));
        await append(log, 'after');
        expect(await payloads(log)).toEqual([...kept, 'after']);
        await log.close();
      }),
      { numRuns: 100 },
    );
  });

  test('a_flipped_bit_before_the_last_write_is_corruption_and_in_it_a_torn_tail', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), fc.nat(7), async (appends, place, bit) => {
        const { file, bytes, ends } = await written(appends);
        const at = place % bytes.length;
        bytes[at] = (bytes[at] as number) ^ (1 << bit);
        await writeFile(file, bytes);
        const lastWrite = ends.at(-2) ?? 0;
        if (at < lastWrite) {
          expect((await refusal(openLog({ directory }))).code).toBe('RIV_LOG_CORRUPT');
          expect(await readFile(file)).toEqual(bytes); // nothing was cut
        } else {
          const log = await openLog({ directory });
          const all = appends.flat().map((block) => Buffer.from(block).toString('latin1'));
          const kept = await payloads(log);
          expect(kept).toEqual(all.slice(0, kept.length));
          expect(log.cut).not.toBeNull();
          await log.close();
        }
      }),
      { numRuns: 200 },
    );
  });

  test('any_bytes_in_a_segment_open_or_are_refused_with_a_code', async () => {
    const { file, bytes } = await written([[Buffer.from('one')], [Buffer.from('two')]]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.constant(bytes), fc.constant(bytes.subarray(0, 64)))),
        async (parts) => {
          await writeFile(file, Buffer.concat(parts));
          try {
            const log = await openLog({ directory });
            await payloads(log);
            await log.close();
          } catch (thrown) {
            if (!(thrown instanceof RivuletError)) throw thrown;
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
