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
    well: (code, where) => {
      const isThere = ({ message }: RivuletError) => where === undefined || message.startsWith(`${where}: `);
      const at = notices.findIndex((notice) => notice.code === code && isThere(notice));
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

it('a_topic_that_is_passed_over_again_and_again_counts_once_and_no_longer_when_it_is_taken_or_taken_back', async () => {
  const { announcements, notices } = await follow();
  const tooLong = 'x'.repeat(70_000);
  const told = () => notices.map(({ message }) => /(\d+) announcements passed over/.exec(message)?.[1]);
  // The broker sends what it has kept at each new session; one that is taken makes the sources follow.
  for (let session = 0; session < 3; session++) {
    announcements.take([
      said('long/config', tooLong),
      said('longer/config', tooLong),
      said('a/config', `{"n":${session}}`),
    ]);
    await vi.waitFor(() => expect(told()).toHaveLength(session + 1), 30_000);
  }
  expect(told()).toEqual(['2', '2', '2']);
  announcements.take([said('long/config', '{}'), said('longer/config', '')]);
  await vi.waitFor(() => expect(notices).toHaveLength(2), 30_000); // the limit is no longer noticed
  await announcements.stop();
});
