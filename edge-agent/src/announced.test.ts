import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Announcement, makeDirectory, parseConfig, type RivuletError } from '@rivulet/host';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { followAnnouncements, readAnnounced } from './announced.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-announced-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const config = parseConfig('gateway: g\nsources: [{ preset: home_assistant }]', 'x');

async function follow() {
  const notices: RivuletError[] = [];
  const announcements = await followAnnouncements({
    directory,
    changed: async () => config,
    notice: (error) => notices.push(error),
    well: (code, where = '') => {
      const at = notices.findIndex((notice) => notice.code === code && notice.message.startsWith(`${where}: `));
      if (at >= 0) notices.splice(at, 1);
    },
  });
  return { announcements, notices };
}

function said(topic: string, text: string): Announcement {
  const payload = Buffer.from(text);
  return { kind: 'announcement', subject: 0, offset: 0, ordinal: 0, id: '', topic, payload };
}

it('what_could_not_be_written_is_not_saved_and_is_tried_again', async () => {
  const { announcements, notices } = await follow();
  await rm(directory, { recursive: true });
  announcements.take([said('a/config', '{}')]);
  await vi.waitFor(() => expect(notices).toHaveLength(1), 30_000);
  await makeDirectory(directory);
  expect(announcements.saved()).toBe(false);
  await vi.waitFor(() => expect(announcements.saved()).toBe(true), 30_000);
  expect(notices).toEqual([]);
  expect((await readAnnounced(directory)).map(({ topic }) => topic)).toEqual(['a/config']);
  await announcements.stop();
});

it('all_together_take_no_more_than_the_limit_and_one_that_is_taken_back_makes_room', async () => {
  const { announcements } = await follow();
  const long = 'x'.repeat(60_000);
  announcements.take(Array.from({ length: 200 }, (_, n) => said(`${n}/config`, long)));
  announcements.take([said('0/config', '')]);
  announcements.take([said('200/config', long), said('201/config', long)]);
  await announcements.settled();
  const kept = (await readAnnounced(directory)).map(({ topic }) => topic);
  expect(kept).toHaveLength(Math.floor((8 * 1024 * 1024) / 60_000));
  expect(kept).toContain('200/config');
  expect(kept).not.toContain('201/config');
});

it('what_comes_out_of_the_last_blocks_of_a_stop_is_on_disk_before_the_last_checkpoint', async () => {
  const { announcements } = await follow();
  await announcements.stop();
  announcements.take([said('late/config', '{}')]);
  await announcements.settled();
  expect((await readAnnounced(directory)).map(({ topic }) => topic)).toEqual(['late/config']);
});
