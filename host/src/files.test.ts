import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from './capabilities.ts';
import { makeDirectory, replaceFile } from './files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-files-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a_directory_is_made_with_its_parents_and_again_without_harm', async () => {
  const deep = join(directory, 'a', 'b', 'c');
  await makeDirectory(deep);
  await makeDirectory(deep);
  expect((await stat(deep)).isDirectory()).toBe(true);
});

test.runIf(existsSync('/proc/self'))('a_parent_that_takes_no_directory_is_an_answer_and_no_endless_walk', async () => {
  await expect(makeDirectory('/proc/none/state')).rejects.toMatchObject({ code: 'RIV_STATE_UNUSABLE' });
});

test('a_file_is_replaced_whole_and_nothing_is_left_beside_it', async () => {
  const path = join(directory, 'file');
  await replaceFile(path, Buffer.from('one'), 0o600);
  await replaceFile(path, Buffer.from('two'), 0o600);
  expect(await readFile(path, 'utf8')).toBe('two');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['file']);
});

test('what_cannot_be_made_is_refused_with_its_path_and_leaves_nothing', async () => {
  await writeFile(join(directory, 'file'), '');
  await expect(makeDirectory(join(directory, 'file', 'below'))).rejects.toMatchObject({ code: 'RIV_STATE_UNUSABLE' });
  await mkdir(join(directory, 'taken'));
  await expect(replaceFile(join(directory, 'taken'), Buffer.from('x'))).rejects.toMatchObject({
    code: 'RIV_STATE_UNUSABLE',
    message: expect.stringContaining('taken'),
  });
  expect((await readdir(directory)).sort()).toEqual(['file', 'taken']);
});

test('the_clocks_of_the_machine_agree_on_one_boot', () => {
  const [first, second] = [systemClock(), systemClock()];
  const earlier = first.monoUs();
  expect(second.monoUs()).toBeGreaterThanOrEqual(earlier);
  expect(Math.abs(first.wallMs() - Date.now())).toBeLessThan(1000);
  if (process.platform === 'linux') expect(second.boot).toBe(first.boot);
});
