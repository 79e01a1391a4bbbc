import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/support/coordinator.ts';
import {
  call,
  envelopeOf,
  type FleetGateway,
  type FleetTask,
  learnRows,
  newFleet,
  postDelta,
  postEnrolment,
} from '../../../test/support/fleet.ts';
import type { DeltaAnswerView, FleetView, LineageView, ModelView } from '../api/views.ts';

const BIN = fileURLToPath(new URL('../../bin/rivulet-cloud.js', import.meta.url));

let state: string;
const running = new Set<ChildProcess>();

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'rivulet-cloud-'));
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  rmSync(state, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly events: Record<string, unknown>[];
  readonly ended: Promise<Ended>;
}

function start(args: readonly string[]): Running {
  const child = spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const events: Record<string, unknown>[] = [];
  let out = '';
  let err = '';
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    out += `${line}\n`;
    if (line.startsWith('{')) events.push(JSON.parse(line));
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    err += chunk;
  });
  const ended = new Promise<Ended>((end) => child.once('close', (code) => end({ code, out, err })));
  void ended.then(() => running.delete(child));
  return { child, events, ended };
}

async function startCloud(...more: string[]): Promise<Running & { url: string }> {
  const cloud = start(['run', '--state', state, '--port', '0', '--release-every', '50ms', '--status-json', ...more]);
  const gone = cloud.ended.then(({ err }) => {
    throw new Error(`ended before it was ready: ${err}`);
  });
  const ready = await Promise.race([
    until(() => cloud.events.find(({ event }) => event === 'ready'), 'the start'),
    gone,
  ]);
  gone.catch(() => {});
  return { ...cloud, url: ready.url as string };
}

describe('rivulet-cloud run', () => {
  it('loses nothing and counts nothing twice when it is killed between and during deltas', async () => {
    const [north, south] = newFleet() as [FleetGateway, FleetGateway];
    const [task] = north.tasks as [FleetTask];
    let cloud = await startCloud();
    for (const gateway of [north, south]) await postEnrolment(cloud.url, gateway);
    /** Seq of the newest delta that a receipt names, per gateway. */
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < 6; round++) {
      for (const gateway of [north, south]) {
        learnRows(gateway, task, 30);
        const envelope = envelopeOf(gateway, task);
        const answer = postDelta(cloud.url, envelope).catch(() => null);
        // in every other round the process dies with the delta on its way: perhaps taken in, perhaps not
        if (round % 2 === 1 && gateway === south) cloud.child.kill('SIGKILL');
        if ((await answer) !== null) acknowledged.set(gateway.id, gateway.seq);
        if (round % 2 === 0 || gateway !== south) continue;
        await cloud.ended;
        cloud = await startCloud();
        const again = (await postDelta(cloud.url, envelope)) as DeltaAnswerView;
        if (acknowledged.get(gateway.id) === gateway.seq) expect(again.receipt.outcome).toBe('duplicate');
        expect(['accepted', 'duplicate']).toContain(again.receipt.outcome);
        acknowledged.set(gateway.id, gateway.seq);
      }
    }
    const settled = await until(async () => {
      const [model] = (await call(cloud.url, '/api/v1/tasks')) as ModelView[];
      const lineage = (await call(cloud.url, `/api/v1/releases/${model?.head}/lineage`)) as LineageView;
      return lineage.lineage.every(({ gateway, seq }) => acknowledged.get(gateway) === seq) && lineage;
    }, 'a release of everything');
    expect(settled.rows).toBe(2 * 6 * 30);
    const { coordinator } = (await call(cloud.url, '/api/v1/fleet')) as FleetView;
    expect(coordinator.deltas).toBe(12);
  }, 60_000);

  it('has the same heads and the same gateways after a kill', async () => {
    const fleet = newFleet();
    const first = await startCloud();
    for (const gateway of fleet) {
      await postEnrolment(first.url, gateway);
      for (const task of gateway.tasks) {
        learnRows(gateway, task, 60);
        await postDelta(first.url, envelopeOf(gateway, task));
      }
    }
    const models = await until(async () => {
      const found = (await call(first.url, '/api/v1/tasks')) as ModelView[];
      return found.length === 4 && found.every(({ head, gateways }) => head !== null && gateways.length > 0) && found;
    }, 'four models with heads');
    await new Promise((resume) => setTimeout(resume, 200));
    const before = (await call(first.url, '/api/v1/tasks')) as ModelView[];
    expect(before.length).toBe(models.length);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await startCloud();
    expect(await call(second.url, '/api/v1/tasks')).toEqual(before);
    expect(((await call(second.url, '/api/v1/fleet')) as FleetView).gateways_total).toBe(3);
    const answer = (await postEnrolment(second.url, fleet[0] as FleetGateway)) as { status: string };
    expect(answer.status).toBe('known');
  }, 30_000);

  it('stops on SIGTERM within three seconds, with a listener connected', async () => {
    const cloud = await startCloud();
    const stream = await fetch(`${cloud.url}/api/v1/events`);
    await stream.body?.getReader().read();
    const before = performance.now();
    cloud.child.kill('SIGTERM');
    const { code, err } = await cloud.ended;
    expect([code, err]).toEqual([0, '']);
    expect(performance.now() - before).toBeLessThan(3_000);
    expect(cloud.events.at(-1)).toMatchObject({ event: 'stopped', deltas: 0, releases: 0 });
  });

  it('says in one line that the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((listening) => taken.once('listening', listening));
    const { port } = taken.address() as AddressInfo;
    const { code, err } = await start(['run', '--state', state, '--port', String(port)]).ended;
    taken.close();
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`^RIV_PORT_BUSY: port ${port} .*--port.*\\n$`));
  });

  it('says in one line that the directory cannot be used', async () => {
    writeFileSync(join(state, 'file'), '');
    const { code, err } = await start(['run', '--state', join(state, 'file', 'below'), '--port', '0']).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^RIV_STATE_UNUSABLE: .*\n$/);
  });

  it('says in one line that the store cannot be opened', async () => {
    mkdirSync(join(state, 'coordinator.sqlite'));
    const { code, err } = await start(['run', '--state', state, '--port', '0']).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^RIV_STATE_UNUSABLE: .*\n$/);
  });

  it.skipIf(process.getuid?.() === 0)('says in one line that the directory is not writable', async () => {
    chmodSync(state, 0o500);
    const { code, err } = await start(['run', '--state', state, '--port', '0']).ended;
    chmodSync(state, 0o700);
    expect(code).toBe(1);
    expect(err).toMatch(/^RIV_STATE_UNUSABLE: .*\n$/);
  });

  it('says in one line that another coordinator uses the directory', async () => {
    await startCloud();
    const { code, err } = await start(['run', '--state', state, '--port', '0']).ended;
    expect(code).toBe(1);
    expect(err).toMatch(/^RIV_STATE_LOCKED: .*\n$/);
  });

  it('keeps its key and its store where only the owner can read them', async () => {
    const cloud = await startCloud();
    cloud.child.kill('SIGTERM');
    await cloud.ended;
    for (const file of ['coordinator.sqlite', join('identity', 'key.pem')]) {
      expect([file, statSync(join(state, file)).mode & 0o077]).toEqual([file, 0]);
    }
  });

  it.each([
    ['an unknown command', ['fly']],
    ['an unknown option', ['run', '--fast']],
    ['a port that is none', ['run', '--port', '70000']],
    ['a time that is none', ['run', '--release-every', 'soon']],
    ['a core that is none', ['run', '--core', 'quantum']],
  ])('refuses %s with exit code 2', async (_, args) => {
    const { code, err } = await start(args).ended;
    expect(code).toBe(2);
    expect(err).toMatch(/^RIV_\w+: .*\n$/);
  });

  it('explains itself', async () => {
    const { code, out } = await start(['--help']).ended;
    expect(code).toBe(0);
    expect(out).toContain('--release-every');
    expect((await start(['--version']).ended).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
