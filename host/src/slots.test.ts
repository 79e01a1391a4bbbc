import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RivuletError } from './errors.ts';
import { sha256 } from './signing.ts';
import { decodeSlot, encodeSlot, openSlots, type Slot } from './slots.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-slots-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const slot = (nextSequence: number, state = `state ${nextSequence}`): Slot => ({
  nextSequence,
  nextOffset: nextSequence * 10,
  wallMs: 1000,
  planHash: Buffer.alloc(32, 1),
  kernelHash: Buffer.alloc(32, 2),
  state: Buffer.from(state),
});
const encoded = async (nextSequence: number, state?: string): Promise<Buffer> =>
  Buffer.concat((await encodeSlot(slot(nextSequence, state))).parts);

describe('checkpoint slots', () => {
  test('the_newest_is_taken_with_its_digest_and_the_reason', async () => {
    const slots = await openSlots(directory);
    expect(await slots.load()).toBeNull();
    const digest = await slots.save(slot(3));
    expect(digest).toBe(sha256(Buffer.from('state 3')).toString('hex'));
    expect(await slots.load()).toMatchObject({ ...slot(3), digest, file: 'a.rvcp', why: 'b.rvcp: not there' });
    await slots.save(slot(5));
    await slots.save(slot(8, 'short'));
    const again = await (await openSlots(directory)).load();
    expect(again).toMatchObject({ nextSequence: 8, nextOffset: 80, file: 'a.rvcp' });
    expect(again?.state.toString()).toBe('short');
    expect(again?.why).toContain('b.rvcp is older');
  });

  test('a_slot_whose_state_is_refused_gives_way_to_the_older_one_and_is_the_first_to_be_written_over', async () => {
    const slots = await openSlots(directory);
    await slots.save(slot(3));
    await slots.save(slot(5, 'odd'));
    const refusal = (state: Uint8Array) => (Buffer.from(state).toString() === 'odd' ? 'but it is odd' : null);
    const why = 'b.rvcp: goes up to block 5, but it is odd';
    expect(await slots.load(refusal)).toMatchObject({ ...slot(3), file: 'a.rvcp', why });
    expect(slots.findings()).toEqual({ present: true, why: `a.rvcp: verified; ${why}`, furthestSequence: 5 });
    await slots.save(slot(4));
    expect(await slots.load(refusal)).toMatchObject({ ...slot(4), file: 'b.rvcp' });
    expect(await slots.load(() => 'but nothing opens')).toBeNull();
    expect(slots.findings()).toMatchObject({ present: true, furthestSequence: 4 });
  });

  test('a_state_of_many_slices_verifies_and_others_have_turns_while_it_is_hashed', async () => {
    const state = 'many slices '.repeat(100_000);
    let turns = 0;
    let hashing = true;
    const count = (): void => {
      turns += 1;
      if (hashing) setImmediate(count);
    };
    setImmediate(count);
    const bytes = await encoded(3, state);
    hashing = false;
    expect(turns).toBeGreaterThan(4);
    expect(decodeSlot(bytes)).toMatchObject({ nextSequence: 3, digest: sha256(Buffer.from(state)).toString('hex') });
  });

  test('a_save_never_touches_the_newest_also_after_a_reopening', async () => {
    for (let sequence = 1; sequence < 8; sequence++) {
      await (await openSlots(directory)).save(slot(sequence));
      for (const file of ['a.rvcp', 'b.rvcp']) {
        const path = join(directory, file);
        const bytes = await readFile(path).catch(() => null);
        if (bytes === null) continue;
        // As if the last save had been torn: the one before is still there.
        if (decodeSlot(bytes).nextSequence === sequence && sequence > 1) {
          await writeFile(path, bytes.subarray(0, bytes.length - 1));
          expect(await (await openSlots(directory)).load()).toMatchObject({ nextSequence: sequence - 1 });
          await writeFile(path, bytes);
        }
      }
    }
  });

  test('a_damaged_newest_gives_way_to_the_older_and_is_written_over_next', async () => {
    const slots = await openSlots(directory);
    await slots.save(slot(1));
    await slots.save(slot(2));
    const path = join(directory, 'b.rvcp');
    const bytes = await readFile(path);
    bytes[140] = (bytes[140] as number) ^ 1;
    await writeFile(path, bytes);
    const again = await openSlots(directory);
    const found = await again.load();
    expect([found?.nextSequence, found?.file]).toEqual([1, 'a.rvcp']);
    expect(found?.why).toContain('checksum');
    await again.save(slot(3));
    expect((await again.load())?.nextSequence).toBe(3);
    expect(decodeSlot(await readFile(join(directory, 'a.rvcp'))).nextSequence).toBe(1);
  });

  test('two_damaged_slots_are_none', async () => {
    await writeFile(join(directory, 'a.rvcp'), 'nonsense');
    await writeFile(join(directory, 'b.rvcp'), '');
    expect(await (await openSlots(directory)).load()).toBeNull();
  });

  test('a_slot_has_each_field_where_the_format_says', async () => {
    const bytes = await encoded(3);
    expect(bytes.subarray(0, 32).toString('hex')).toBe(
      '52564350' + '0100' + '0000' + '0300000000000000' + '1e00000000000000' + 'e803000000000000',
    );
    expect(bytes.length).toBe(136 + 'state 3'.length);
    expect(bytes.subarray(96, 128)).toEqual(sha256(Buffer.from('state 3')));
  });

  test.each([
    ['foreign', 'RIV_FOREIGN', (bytes: Buffer) => bytes.fill(0, 0, 4)],
    ['too new', 'RIV_TOO_NEW', (bytes: Buffer) => bytes.writeUInt16LE(2, 4)],
    ['hostile in its length', 'RIV_TOO_LARGE', (bytes: Buffer) => bytes.writeUInt32LE(0xffff_ffff, 128)],
    ['longer than its file', 'RIV_TRUNCATED', (bytes: Buffer) => bytes.writeUInt32LE(1000, 128)],
  ])('a_slot_that_is_%s_is_refused_by_that_name', async (_, code, damage) => {
    const bytes = await encoded(3);
    damage(bytes);
    expect(() => decodeSlot(bytes)).toThrow(expect.objectContaining({ code }));
  });

  test('cut_or_flipped_anywhere_a_slot_is_refused_with_a_code', async () => {
    const bytes = await encoded(3);
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeSlot(bytes.subarray(0, length))).toThrow(RivuletError);
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const damaged = Buffer.from(bytes);
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(() => decodeSlot(damaged)).toThrow(RivuletError);
      }),
    );
  });
});
