import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeBytes } from './bytes.ts';
import type { RivuletError } from './errors.ts';
import { sha256 } from './signing.ts';
import { PARTS_HEAD, type Snapshot } from './slot_parts.ts';
import { openSlots, type Slots } from './slots.ts';
import { diskStorage, type Storage } from './storage.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-slots-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A state of many groups, and what changed of it since it was last asked. */
function createState(groups: number, bytes: number) {
  const contents = Array.from({ length: groups }, (_, group) => Buffer.alloc(bytes, 65 + (group % 26)));
  let changed = new Set<number>();
  let sequence = 0;
  return {
    change(group: number, length: number) {
      sequence += 1;
      contents[group] = Buffer.alloc(length, 97 + (sequence % 26));
      changed.add(group);
    },
    bytes: () => Buffer.concat(contents),
    sequence: () => sequence,
    snapshot(whole: boolean): Snapshot {
      const wanted = whole ? contents.keys() : changed;
      const parts = [...wanted].flatMap((group) => {
        const [section, index] = [Math.floor(group / 10), group % 10];
        return [{ u32: section }, { u32: index }, { bytes: contents[group] as Buffer }];
      });
      changed = new Set();
      const hashes = { planHash: Buffer.alloc(32, 1), kernelHash: Buffer.alloc(32, 2) };
      return {
        ...{ nextSequence: sequence, nextOffset: sequence * 10, wallMs: 1000, whole },
        ...{ ...hashes, parts: writeBytes(parts) },
      };
    },
  };
}
const append = (slots: Slots, state: ReturnType<typeof createState>) =>
  slots.append(state.snapshot(slots.wantsWhole()));
const sizeOf = async (file: string): Promise<number> => (await stat(join(directory, file))).size;

describe('checkpoints in parts', () => {
  test('whatever_changes_the_newest_slot_has_it_and_the_other_is_one_behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.tuple(fc.nat(39), fc.nat(60)), { minLength: 1, maxLength: 5 }), { maxLength: 12 }),
        async (rounds) => {
          await rm(directory, { recursive: true, force: true });
          const slots = await openSlots(directory);
          const state = createState(40, 100);
          let before: Buffer | null = null;
          for (const round of rounds) {
            for (const [group, length] of round) state.change(group, length);
            await append(slots, state);
            const found = await (await openSlots(directory)).load();
            expect(found).toMatchObject({ nextSequence: state.sequence(), state: state.bytes() });
            expect(found?.digest).toBe(sha256(state.bytes()).toString('hex'));
            if (before !== null) {
              const path = join(directory, found?.file ?? '');
              const good = await readFile(path);
              await writeFile(path, 'nothing');
              expect((await (await openSlots(directory)).load())?.state).toEqual(before);
              await writeFile(path, good);
            }
            before = state.bytes();
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('what_did_not_change_is_not_written_and_a_slot_that_has_grown_is_begun_anew', async () => {
    const slots = await openSlots(directory);
    const state = createState(400, 5000);
    await append(slots, state);
    const whole = await sizeOf('a.rvcp');
    let begun = 0;
    let appended = 0;
    for (let round = 0; round < 700; round++) {
      state.change(round % 400, 5000);
      const snapshot = state.snapshot(slots.wantsWhole());
      begun += snapshot.whole ? 1 : 0;
      appended += snapshot.parts.length;
      await slots.append(snapshot);
      expect(Math.max(await sizeOf('a.rvcp'), round > 0 ? await sizeOf('b.rvcp') : 0)).toBeLessThan(
        2 * whole + 2 ** 21,
      );
    }
    expect(begun).toBe(1);
    expect(appended).toBeLessThan(700 * 6000 + 2 * whole);
    expect((await slots.load())?.state).toEqual(state.bytes());
  });

  test('a_state_of_which_half_changes_is_taken_whole', async () => {
    const slots = await openSlots(directory);
    const state = createState(10, 100);
    const wholes: boolean[] = [];
    for (let round = 0; round < 12; round++) {
      for (let group = 0; group < 10; group++) state.change(group, 100);
      wholes.push(slots.wantsWhole());
      await append(slots, state);
    }
    expect(wholes.indexOf(false)).toBe(1);
    expect(wholes.slice(2, 10)).toEqual(Array(8).fill(true));
  });

  test('a_torn_end_leaves_the_commit_before_it_and_damage_the_other_slot', async () => {
    const slots = await openSlots(directory);
    const state = createState(10, 30);
    const known = new Map<number, Buffer>();
    for (let round = 0; round < 6; round++) {
      state.change(round, 20);
      await append(slots, state);
      known.set(state.sequence(), state.bytes());
    }
    const newest = await slots.load();
    const path = join(directory, newest?.file ?? '');
    const good = await readFile(path);
    for (let length = 0; length < good.length; length += 3) {
      const damaged = Buffer.from(good);
      damaged[length] = (damaged[length] as number) ^ 1;
      for (const bytes of [good.subarray(0, length), damaged]) {
        await writeFile(path, bytes);
        const found = await (await openSlots(directory)).load();
        expect(found?.nextSequence).toBeGreaterThanOrEqual(5);
        expect(found?.state).toEqual(known.get(found?.nextSequence ?? 0));
      }
    }
  });

  test('after_a_write_that_failed_the_next_one_is_whole', async () => {
    let fail = false;
    const storage: Storage = {
      ...diskStorage,
      async open(path, mode, options) {
        const file = await diskStorage.open(path, mode, options);
        return {
          ...file,
          write: (...of) =>
            fail ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) : file.write(...of),
        };
      },
    };
    const slots = await openSlots(directory, storage);
    const state = createState(40, 100);
    for (let round = 0; round < 3; round++) {
      state.change(round, 50);
      await append(slots, state);
    }
    expect(slots.wantsWhole()).toBe(false);
    fail = true;
    state.change(7, 50);
    await expect(append(slots, state)).rejects.toMatchObject({ code: 'RIV_LOG_FULL' } satisfies Partial<RivuletError>);
    fail = false;
    expect((await (await openSlots(directory)).load())?.nextSequence).toBe(3);
    expect(slots.wantsWhole()).toBe(true);
    await append(slots, state);
    expect((await (await openSlots(directory)).load())?.state).toEqual(state.bytes());
  });

  test('a_slot_of_a_later_version_or_without_a_whole_commit_is_refused_with_its_reason', async () => {
    const later = Buffer.from(PARTS_HEAD);
    later[4] = 3;
    await writeFile(join(directory, 'a.rvcp'), later);
    await writeFile(join(directory, 'b.rvcp'), PARTS_HEAD);
    const slots = await openSlots(directory);
    expect(await slots.load()).toBeNull();
    const state = createState(3, 10);
    await append(slots, state);
    expect((await slots.load())?.why).toContain('a checkpoint without a commit that verifies');
  });
});
