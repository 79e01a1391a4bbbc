import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../../test/support/coordinator.ts';
import { twoEnrolled } from '../../../test/support/enrolled.ts';
import { call, envelopeOf, postDelta } from '../../../test/support/fleet.ts';
import type { ModelView } from '../api/views.ts';
import type { ForgetAnswer } from '../operate/forget.ts';

const BIN = fileURLToPath(new URL('../../bin/rivulet-cloud.js', import.meta.url));

let state: string;
let child: ChildProcess | null = null;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'rivulet-operate-'));
});

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(state, { recursive: true, force: true });
});

async function startCloud(): Promise<string> {
  const args = ['run', '--state', state, '--port', '0', '--release-every', '20ms', '--status-json'];
  const started = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  child = started;
  let url: string | null = null;
  createInterface({ input: started.stdout }).on('line', (line) => {
    url ??= (JSON.parse(line) as { url?: string }).url ?? null;
  });
  return until(() => url, 'the start');
}

async function stopCloud(): Promise<void> {
  const ended = new Promise((end) => child?.once('close', end));
  child?.kill('SIGTERM');
  await ended;
  child = null;
}

function rivuletCloud(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args, '--state', state], (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

it('operators are served by the running coordinator, and by the command itself when none runs', async () => {
  const url = await startCloud();
  const { north, south, temperature: task } = await twoEnrolled(url);
  for (const gateway of [north, south]) {
    await postDelta(url, envelopeOf(gateway, task));
    await until(async () => {
      const [model] = (await call(url, '/api/v1/tasks')) as ModelView[];
      return (model?.releases ?? 0) >= (gateway === north ? 1 : 2);
    }, 'a release');
  }
  const [model] = (await call(url, '/api/v1/tasks')) as [ModelView];
  const list = await rivuletCloud('release', 'ls');
  expect(list.out).toContain(`${model.head?.slice(0, 12)}`);
  expect(list.out).toContain('(champion, newest)');

  const back = await rivuletCloud('release', 'rollback', task.name);
  expect([back.code, back.err]).toEqual([0, '']);
  const [rolled] = (await call(url, '/api/v1/tasks')) as [ModelView];
  expect([rolled.head, rolled.pinned]).toEqual([model.previous, true]);

  const forgotten = await rivuletCloud('forget', north.id, '--json');
  const answer = JSON.parse(forgotten.out) as ForgetAnswer;
  expect(answer.not_removable.length).toBe(2);
  expect(answer.models).toMatchObject([{ task: task.name, gateways: 1, rows: 60 }]);
  const [after] = (await call(url, '/api/v1/tasks')) as [ModelView];
  expect(after).toMatchObject({ head: answer.models[0]?.release, gateways: [south.id], pinned: false });
  expect(await rivuletCloud('forget', 'stranger')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^RIV_NOT_FOUND: /),
  });

  await stopCloud();
  const shown = await rivuletCloud('release', 'show', 'champion');
  expect(shown.out).toContain(`hash    ${after.head}`);
  const again = await rivuletCloud('forget', south.id);
  expect(again.out).toMatch(/0 gateways and 0 rows are left; too few for a release/);
  const reopened = await startCloud();
  expect(await call(reopened, '/api/v1/tasks')).toMatchObject([{ head: null, gateways: [] }]);
  expect(await call(reopened, '/api/v1/audit')).toMatchObject([
    { action: 'forget', subject: south.id },
    { action: 'forget', subject: north.id },
    { action: 'rollback', subject: task.name },
  ]);
}, 60_000);

it('a command for a directory without a coordinator says so', async () => {
  const { code, err } = await rivuletCloud('release', 'ls');
  expect(code).toBe(1);
  expect(err).toMatch(/^RIV_STATE_UNUSABLE: /);
});

it.each([
  ['forget'],
  ['forget', 'a', 'b'],
  ['forget', 'a', '--since', '2026-11-20'],
  ['forget', 'a', '--since', 'yesterday'],
  ['release', 'fly'],
  ['release', 'diff', 'champion'],
  ['release', 'rollback'],
  ['release', 'ls', '--fast'],
])('asked for wrongly (%s %s %s) it exits with 2', async (...args) => {
  expect((await rivuletCloud(...args)).code).toBe(2);
});
