import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BLOCK_HEADER_BYTES, BLOCK_KIND } from './block.ts';
import { openLog } from './log.ts';
import { diskStorage, type Storage } from './storage.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-tidy-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const PAYLOAD_BYTES = 100;
const SEGMENT_BYTES = BLOCK_HEADER_BYTES + PAYLOAD_BYTES;
const NOW = { wallMs: 0, monoUs: 0 };

/** A log of six segments on a disk whose next call of `operation` for a name that fits fails. */
async function logWithFault(operation: 'remove' | 'syncDirectory', name: RegExp) {
  let faults = 0;
  const storage: Storage = {
    ...diskStorage,
    async [operation](path: string) {
      if (name.test(path) && faults-- > 0) throw Object.assign(new Error('a disk fault'), { code: 'EIO' });
      await diskStorage[operation](path);
    },
  };
  const log = await openLog({ directory, storage, segmentBytes: SEGMENT_BYTES, keepBytes: 0 });
  for (let n = 0; n < 6; n++) {
    const payload = Buffer.alloc(PAYLOAD_BYTES, n);
    const draft = { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count: 1, payload, wallMs: 0, monoUs: 0, boot: 0 };
    await log.append([draft]).durable;
  }
  faults = 1;
  return log;
}

async function opensAgainFrom(oldest: number): Promise<void> {
  const again = await openLog({ directory, segmentBytes: SEGMENT_BYTES });
  expect([again.oldestSequence, again.nextSequence]).toEqual([oldest, 6]);
  await again.close();
}

test('a_segment_that_cannot_be_removed_is_tried_again_before_any_later_one_and_the_log_opens_again', async () => {
  const log = await logWithFault('remove', /rvlog$/);
  await expect(log.truncateBefore(4, NOW)).rejects.toThrow('a disk fault');
  expect(log.oldestSequence).toBe(0);
  await log.truncateBefore(4, NOW);
  expect(log.oldestSequence).toBe(4);
  await log.close();
  await opensAgainFrom(4);
});

test.each([
  ['the original cannot be removed', 'remove', /rvlog$/],
  ['the directory cannot be synced', 'syncDirectory', /./],
] as const)('what_a_compression_leaves_when_%s_goes_with_its_segment', async (_, operation, name) => {
  const log = await logWithFault(operation, name);
  await expect(log.compress()).rejects.toThrow('could not be compressed');
  await log.truncateBefore(4, NOW);
  expect(log.oldestSequence).toBe(4);
  await log.close();
  await opensAgainFrom(4);
});
