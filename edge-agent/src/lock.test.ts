import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from './lock.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-lock-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

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
});
