import { execFile, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { AgentStatus, TaskStatus } from '../src/status.ts';
import { partsFor, readOverrides } from './cast.ts';
import { createChild } from './child.ts';
import { createCourse } from './course.ts';
import { createGatewayView, noteStatus } from './gateway.ts';
import { parseOptions } from './options.ts';
import { outcomeOf } from './outcome.ts';
import { type Ended, type Verdict, verdictOn } from './restart.ts';
import { createScreen } from './screen.ts';
import { statusLine } from './status_line.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-start-'));
afterAll(() => rmSync(directory, { recursive: true }));

const START = fileURLToPath(new URL('./start.js', import.meta.url));

function task(over: Partial<TaskStatus>): TaskStatus {
  return {
    name: 'temp',
    kind: 'forecast',
    predictions: 0,
    matured: 0,
    expired: 0,
    pending: 0,
    unmatched: 0,
    alarms: 0,
    repeated: 0,
    conflicting: 0,
    corrected: 0,
    breaker: null,
    error_sum: 0,
    baseline_sum: 0,
    schema: null,
    features: [],
    missing: [],
    rows: 0,
    release: null,
    releases: 0,
    panel: [],
    leader: null,
    drift: null,
    error: null,
    error_last_value: null,
    ...over,
  };
}

function status(at: number, messages: number, tasks: TaskStatus[]): AgentStatus {
  const ledger = {
    received: messages,
    used: messages,
    late: 0,
    duplicate: 0,
    retained: 0,
    filtered: 0,
    quarantined: 0,
  };
  return {
    event: 'status',
    gateway: 'g',
    about: 'a',
    simulated: false,
    at,
    uptime_s: 1,
    messages,
    ledger,
    sources: [],
    tasks,
    releases_accepted: 2,
    bandwidth: { in_bytes: 0, out_bytes: 0, saved: 0 },
    cpu_us_per_message: 10,
    rss_mib: 80,
    core: { build: 'simd', kernel: '' },
    connected: true,
    doors: [],
  };
}

describe('what becomes of a process that ended', () => {
  const facts: Ended = { asked: false, code: 1, lastLine: '', aliveMs: 100, failures: 0 };
  const table: [string, Partial<Ended>, Verdict][] = [
    ['asked to', { asked: true, code: null }, { kind: 'done' }],
    ['by itself and well', { code: 0 }, { kind: 'done' }],
    ['by kill -9', { code: null }, { kind: 'again', pauseMs: 250, failures: 1 }],
    ['for the fourth time', { failures: 3 }, { kind: 'again', pauseMs: 2000, failures: 4 }],
    ['for the hundredth time', { failures: 99 }, { kind: 'again', pauseMs: 10_000, failures: 100 }],
    ['after it had been well', { failures: 5, aliveMs: 60_000 }, { kind: 'again', pauseMs: 250, failures: 1 }],
    ['because its state is in use', { lastLine: 'RIV_STATE_LOCKED: x' }, { kind: 'hopeless' }],
    ['because of its configuration', { lastLine: 'RIV_CONFIG_VALUE: x' }, { kind: 'hopeless' }],
    ['because the disk is full', { lastLine: 'RIV_LOG_FULL: x' }, { kind: 'again', pauseMs: 250, failures: 1 }],
  ];
  test.each(table)('%s', (_, over, verdict) => {
    expect(verdictOn({ ...facts, ...over })).toEqual(verdict);
  });
});

describe('the course of the errors', () => {
  test('the second half is what matured after the middle', () => {
    const course = createCourse();
    for (let at = 1; at <= 10; at++) {
      const early = Math.min(at, 5);
      const late = Math.max(0, at - 5);
      course.note(at, task({ matured: 10 * at, error_sum: 20 * early + 10 * late, baseline_sum: 30 * at }));
    }
    expect(course.secondHalf(10)).toEqual({ matured: 50, error: 1, error_last_value: 3 });
  });

  test('when nothing matured in the second half, the whole run is told; without labels, nothing', () => {
    const course = createCourse();
    expect(course.secondHalf(10).error).toBeNull();
    course.note(1, task({ matured: 4, error_sum: 2, baseline_sum: 4 }));
    course.note(9, task({ matured: 4, error_sum: 2, baseline_sum: 4 }));
    expect(course.secondHalf(10)).toEqual({ matured: 4, error: 0.5, error_last_value: 1 });
  });

  test('a long run keeps few samples and stays near the truth', () => {
    const course = createCourse();
    for (let at = 1; at <= 20_000; at++) course.note(at, task({ matured: at, error_sum: at * at, baseline_sum: at }));
    expect((course.secondHalf(20_000).error ?? 0) / 30_000).toBeCloseTo(1, 1);
  });
});

test('a gateway view has rates from two statuses, and the outcome its figures', () => {
  const view = { ...createGatewayView('g'), source: 'a building' };
  noteStatus(view, status(0, 100, [task({ predictions: 10, matured: 10, error_sum: 10, baseline_sum: 20 })]), 1);
  noteStatus(view, status(2000, 300, [task({ predictions: 30, matured: 20, error_sum: 15, baseline_sum: 40 })]), 3);
  expect([view.messages_per_s, view.predictions_per_s]).toEqual([100, 10]);
  expect(statusLine({ seconds: 65, gateways: [view], up: 1, releases: 3 })).toBe(
    '1:05 · gateways 1/1 · 100 messages/s · 10 predictions/s · releases 3 · temp 0.750 (last value 2.00)',
  );
  const coordinator = { deltas: 1, releases: 3, rss_mib: 70 };
  expect(outcomeOf(4, [view], coordinator)).toMatchObject({
    seconds: 4,
    gateways: [
      {
        id: 'g',
        source: 'a building',
        messages: 300,
        releases_accepted: 2,
        digest: null,
        tasks: [{ name: 'temp', kind: 'forecast', predictions: 30, matured: 20, error: 0.5, error_last_value: 2 }],
      },
    ],
    coordinator,
  });
});

describe('the screen', () => {
  function stream(isTTY: boolean) {
    let text = '';
    const write = (piece: string) => {
      text += piece;
      return true;
    };
    return { stream: { isTTY, columns: 40, write } as unknown as NodeJS.WriteStream, text: () => text };
  }

  test('updates in place on a terminal, and remarks stay above', () => {
    const { stream: tty, text } = stream(true);
    const screen = createScreen(tty, () => 0);
    screen.status('one');
    screen.say('remark');
    screen.status(`two ${'x'.repeat(80)}`);
    screen.end();
    expect(text()).toBe(`one\r\x1b[2Kremark\none\r\x1b[2Ktwo ${'x'.repeat(34)}…\r\x1b[2K`);
  });

  test('writes plain lines now and then where there is no terminal', () => {
    let now = 0;
    const { stream: plain, text } = stream(false);
    const screen = createScreen(plain, () => now);
    for (now = 0; now < 11_000; now += 1000) screen.status(`at ${now}`);
    expect(text()).toBe('at 0\nat 5000\nat 10000\n');
  });
});

describe('a supervised process', () => {
  function script(name: string, text: string): string {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  }
  const until = async (met: () => boolean) => {
    while (!met()) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  test('that is killed is started again, and its last words are told', async () => {
    const file = script(
      'dies.mjs',
      'console.log(process.pid); console.error("last words"); setInterval(() => {}, 1000);',
    );
    const pids: number[] = [];
    const reasons: string[] = [];
    const child = createChild({
      name: 'dies',
      argv: [file],
      cwd: directory,
      line: (text) => void pids.push(Number(text)),
      died: (reason) => void reasons.push(reason),
    });
    child.start();
    await until(() => pids.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.kill(pids[0] as number, 'SIGKILL');
    await until(() => pids.length === 2);
    expect([reasons, child.restarts, child.running]).toEqual([['killed by SIGKILL (last line: last words)'], 1, true]);
    await child.stop(1000);
    expect(child.running).toBe(false);
  });

  test('that does not heed SIGTERM is ended by force', async () => {
    const file = script('deaf.mjs', 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000);');
    let up = false;
    const child = createChild({ name: 'deaf', argv: [file], cwd: directory, line: () => (up = true), died: () => {} });
    child.start();
    await until(() => up);
    const began = performance.now();
    await child.stop(200);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(child.running).toBe(false);
  });

  test('that ends well by itself is not started again', async () => {
    let finished = 0;
    const argv = [script('ends.mjs', '')];
    const child = createChild({ name: 'ends', argv, cwd: directory, line() {}, died() {}, finished: () => finished++ });
    child.start();
    await until(() => finished === 1);
    expect([child.restarts, child.running]).toEqual([0, false]);
  });
});

describe('who takes part', () => {
  const options = parseOptions([]) ?? expect.fail();

  test('this machine and two buildings with different seeds, or one gateway per table', () => {
    expect(partsFor(options).map((part) => part.id)).toEqual(['machine', 'building-1', 'building-2']);
    writeFileSync(join(directory, 'one.csv'), 'a,b\n1,2\n');
    writeFileSync(join(directory, 'two three.csv.gz'), '');
    const parts = partsFor({ ...options, data: directory, speed: '10' });
    expect(parts.map(({ id, speed }) => [id, speed])).toEqual([
      ['one', '10'],
      ['two-three', '10'],
    ]);
  });

  test('a directory without tables, or none at all, is refused by name', () => {
    expect(() => partsFor({ ...options, data: join(directory, 'absent') })).toThrow(
      /absent: there is no such directory/,
    );
    const empty = mkdtempSync(join(directory, 'empty-'));
    expect(() => partsFor({ ...options, data: empty })).toThrow(/no table; expected files \*\.csv/);
  });

  test('a configuration gives sources, windows and tasks, and tells the publisher the target', () => {
    const file = join(directory, 'tasks.yaml');
    writeFileSync(
      file,
      'gateway: x\ntasks: [{ name: o, classify: { topic: "labels/{table}/Occupancy", path: value } }]\n',
    );
    const overrides = readOverrides(file);
    expect(Object.keys(overrides?.entries ?? {})).toEqual(['tasks']);
    expect(overrides?.publish).toEqual(['--task', 'classification', '--target', 'Occupancy']);
  });
});

describe('npm start refuses with one line', () => {
  async function refused(argv: string[], node = process.execPath): Promise<string> {
    try {
      await promisify(execFile)(node, [START, ...argv], { timeout: 15_000 });
    } catch (error) {
      return (error as { stderr: string }).stderr.trim();
    }
    return expect.fail('it started');
  }

  test('a busy port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const said = await refused(['--port', String(port)]);
    server.close();
    expect(said).toMatch(new RegExp(`^RIV_PORT_BUSY: port ${port} cannot be used.*--port\\.$`));
  });

  test('a directory that cannot be written', async () => {
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    const said = await refused(['--port', '0', '--state', join(file, 'state')]);
    expect(said).toMatch(/^RIV_STATE_UNUSABLE: .*cannot make the directory \(E[A-Z]+\).*name another one\.$/);
  });

  test.runIf(existsSync('/proc'))('a directory that takes no directories', async () => {
    expect(await refused(['--port', '0', '--state', '/proc/rivulet'])).toMatch(/^RIV_STATE_UNUSABLE: \/proc\/rivulet/);
  });

  test('an unknown option', async () => {
    expect(await refused(['--sped', '3'])).toMatch(/^RIV_USAGE: .*--sped.*--help\.$/);
  });

  const old = '/usr/bin/node';
  test.skipIf(!existsSync(old))('an old Node goes on with the one that npm ci brought', async () => {
    const child = spawn(old, [START, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(said).toMatch(/^Usage: npm start/);
  });

  test.skipIf(!existsSync(old))('an old Node without it', async () => {
    const version = (await promisify(execFile)(old, ['--version'])).stdout.trim();
    if (Number(/^v(\d+)/.exec(version)?.[1]) >= 24) return;
    const lonely = mkdtempSync(join(directory, 'lonely-'));
    writeFileSync(join(lonely, 'package.json'), '{"type":"module"}');
    for (const file of ['start/start.js', 'bin/launch.js']) {
      mkdirSync(join(lonely, file, '..'));
      copyFileSync(join(START, '../..', file), join(lonely, file));
    }
    const failure = await promisify(execFile)(old, [join(lonely, 'start/start.js')]).catch(
      (error: { stderr: string }) => error,
    );
    expect(failure.stderr.trim()).toMatch(/^RIV_NODE_TOO_OLD: this is Node 2\d\..*Run `npm ci`.*$/);
  });
});
