import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from './lock.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-lock-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const old = (): string => join(directory, 'lock.takeover');

/** Takes the lock in a process of its own, which then waits to be killed. */
async function holdElsewhere() {
  const source = `import { takeLock } from ${JSON.stringify(new URL('./lock.ts', import.meta.url).href)};
    await takeLock(${JSON.stringify(directory)}); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

describe('the lock on a state directory', () => {
  it('is refused while another process lives and taken over when it was killed', async () => {
    const child = await holdElsewhere();
    await expect(takeLock(directory)).rejects.toThrow(`process ${child.pid} uses this directory`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await takeLock(directory);
    expect(JSON.parse(await readFile(join(directory, 'lock'), 'utf8')).pid).toBe(process.pid);
    await lock.release();
    await (await takeLock(directory)).release();
  });

  it('is taken over when its pid is alive but started at another time', async () => {
    await writeFile(join(directory, 'lock'), JSON.stringify({ pid: process.pid, boot: 'x', started: '1', token: 't' }));
    await (await takeLock(directory)).release();
  });

  it('is taken over when it was written halfway', async () => {
    await writeFile(join(directory, 'lock'), '{"pid":1');
    await (await takeLock(directory)).release();
  });

  it.each([
    ['said whose it was', (marker: string, dead: object) => writeFile(marker, JSON.stringify({ ...dead, token: 'b' }))],
    ['did not come to say whose it was', (marker: string) => writeFile(marker, '')],
    ['was of an earlier version', (_: string, dead: object) => writeFile(old(), JSON.stringify(dead))],
  ])(
    'is taken at once, by one of many, when a process was killed in the middle of a take-over and %s',
    async (_, leave) => {
      const child = await holdElsewhere();
      const dead = { ...JSON.parse(await readFile(join(directory, 'lock'), 'utf8')), token: 'a' };
      child.kill('SIGKILL');
      await once(child, 'exit');
      for (let round = 0; round < 8; round++) {
        await writeFile(join(directory, 'lock'), JSON.stringify(dead));
        await leave(join(directory, 'lock.takeover.a'), dead);
        const takers = await Promise.allSettled(Array.from({ length: 6 }, () => takeLock(directory)));
        expect(takers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await readdir(directory)).toEqual(['lock']);
      }
    },
  );

  it('is got by one of many that come at once', async () => {
    for (let round = 0; round < 50; round++) {
      const takers = await Promise.allSettled(Array.from({ length: 6 }, () => takeLock(directory)));
      const taken = takers.flatMap((taker) => (taker.status === 'fulfilled' ? [taker.value] : []));
      expect(taken).toHaveLength(1);
      await taken[0]?.release();
      expect(await readdir(directory)).toEqual([]);
    }
  });

  it('is refused while somebody who lives takes it over', async () => {
    const child = await holdElsewhere();
    const dead = JSON.parse(await readFile(join(directory, 'lock'), 'utf8'));
    await rename(join(directory, 'lock'), join(directory, 'lock.takeover.a'));
    await writeFile(join(directory, 'lock'), JSON.stringify({ ...dead, boot: 'before', token: 'a' }));
    await expect(takeLock(directory)).rejects.toThrow('another process is taking the lock');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await takeLock(directory)).release();
  });
});
