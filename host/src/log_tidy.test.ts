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

test('a_segment_that_cannot_be_removed_is_tried_again_before_any_later_one_and_the_log_opens_again', async () => {
  const PAYLOAD_BYTES = 100;
  const segmentBytes = BLOCK_HEADER_BYTES + PAYLOAD_BYTES;
  let faults = 1;
  const storage: Storage = {
    ...diskStorage,
    async remove(path) {
      if (faults-- > 0) throw Object.assign(new Error('a disk fault'), { code: 'EIO' });
      await diskStorage.remove(path);
    },
  };
  const log = await openLog({ directory, storage, segmentBytes, keepBytes: 0 });
  for (let n = 0; n < 6; n++) {
    const payload = Buffer.alloc(PAYLOAD_BYTES, n);
    const draft = { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count: 1, payload, wallMs: 0, monoUs: 0, boot: 0 };
    await log.append([draft]).durable;
  }
  const now = { wallMs: 0, monoUs: 0 };
  await expect(log.truncateBefore(4, now)).rejects.toThrow('a disk fault');
  expect(log.oldestSequence).toBe(0);
  await log.truncateBefore(4, now);
  expect(log.oldestSequence).toBe(4);
  await log.close();

  const again = await openLog({ directory, segmentBytes });
  expect([again.oldestSequence, again.nextSequence]).toEqual([4, 6]);
  await again.close();
});
