/**
 * A site's coordinator between its gateways and the coordinator of the fleet, each a process: what its gateways say counts
 * above as if they had come themselves, whatever is killed, away or restored in between.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeRelease } from '@rivulet/host';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DeltaAnswerView, FleetView, GatewayDetailView, ModelView } from '../../cloud-sync/src/api/views.ts';
import { type CloudProcess, startCloudProcess } from '../support/cloud.ts';
import { startCoordinator, until } from '../support/coordinator.ts';
import {
  call,
  envelopeOf,
  type FleetGateway,
  type FleetTask,
  learnRows,
  newFleet,
  postDelta,
  postEnrolment,
  postReport,
  schemaHash,
} from '../support/fleet.ts';
import { freePort } from '../support/mosquitto.ts';

const COMMAND = fileURLToPath(new URL('../../cloud-sync/bin/rivulet-cloud.js', import.meta.url));

let directory: string;
let port: number;
let north: FleetGateway;
let south: FleetGateway;
let task: FleetTask;
const running: CloudProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-site-'));
  port = await freePort();
  [north, south] = newFleet() as [FleetGateway, FleetGateway];
  task = north.tasks[0] as FleetTask;
  for (const gateway of [north, south]) learnRows(gateway, task, 60);
});

afterEach(async () => {
  for (const one of running.splice(0)) await one.kill();
  rmSync(directory, { recursive: true, force: true });
});

async function start(name: string, more: string[] = [], at = 0): Promise<CloudProcess> {
  const cloud = await startCloudProcess(join(directory, name), { port: at, more });
  running.push(cloud);
  return cloud;
}

const startTop = () => start('top', [], port);
const startSite = () => start('site', ['--upstream', `http://127.0.0.1:${port}/`, '--upstream-every', '100ms']);

async function enrolAll(site: CloudProcess): Promise<void> {
  for (const gateway of [north, south]) await postEnrolment(site.url, gateway);
}

const headAt = async (url: string) =>
  ((await call(url, '/api/v1/tasks')) as ModelView[]).find(({ schema }) => schema === schemaHash(task));

async function seqAbove(gateway: FleetGateway, top: CloudProcess): Promise<number | undefined> {
  const view = (await call(top.url, `/api/v1/gateways/${gateway.id}`).catch(() => null)) as GatewayDetailView | null;
  return view?.contributions.find((one) => one.schema === schemaHash(task))?.seq;
}

const release = async (url: string, hash: string) =>
  Buffer.from(await (await fetch(`${url}/api/v1/releases/${hash}`)).arrayBuffer());

/** The model of the newest release of both gateways at `url`. */
async function modelOfBoth(url: string): Promise<Buffer> {
  const head = await until(async () => {
    const found = (await headAt(url))?.head ?? null;
    return found !== null && decodeRelease(await release(url, found)).gateways === 2 ? found : null;
  }, 'a release of both');
  return Buffer.from(decodeRelease(await release(url, head)).model);
}

it("a site's gateways make the model that they make without it, and get its releases through the site", async () => {
  const top = await startTop();
  const site = await startSite();
  await enrolAll(site);
  const direct = await startCoordinator();
  try {
    for (const gateway of [north, south]) {
      await postEnrolment(direct.url, gateway);
      const envelope = envelopeOf(gateway, task);
      for (const url of [site.url, direct.url]) {
        expect(((await postDelta(url, envelope)) as DeltaAnswerView).receipt.outcome).toBe('accepted');
      }
      await postReport(site.url, gateway);
    }
    expect((await modelOfBoth(top.url)).equals(await modelOfBoth(direct.url))).toBe(true);
  } finally {
    await direct.stop();
  }
  const above = (await headAt(top.url))?.head as string;
  // A report brings the releases down, as it does to a gateway that has come itself.
  await until(async () => {
    await postReport(site.url, north);
    return (await headAt(site.url))?.head === above;
  }, 'the release at the site');
  expect((await release(site.url, above)).equals(await release(top.url, above))).toBe(true);
  expect(((await call(top.url, '/api/v1/fleet')) as FleetView).gateways.map(({ id, up }) => [id, up])).toEqual([
    [north.id, true],
    [south.id, true],
  ]);

  // Above a gateway is forgotten exactly, and what it says through its site is not wanted any more.
  const forget = ['forget', north.id, '--state', join(directory, 'top'), '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, ...forget]);
  expect(stdout).toContain(north.id);
  learnRows(north, task, 20);
  await postDelta(site.url, envelopeOf(north, task));
  await until(
    () => site.events.some(({ message }) => String(message).includes('RIV_GATEWAY_FORGOTTEN')),
    'the refusal',
  );
  await until(async () => {
    await postReport(site.url, south);
    const head = await headAt(site.url);
    return head?.head && decodeRelease(await release(site.url, head.head)).gateways === 1;
  }, 'a release without the forgotten one, at the site');
});

it('what a site was told while the coordinator above was away arrives once, over kills of both', async () => {
  const site = await startSite();
  await enrolAll(site);
  await postDelta(site.url, envelopeOf(north, task));
  await until(() => site.events.some(({ code }) => code === 'RIV_SYNC_UNREACHABLE'), 'a failure that is told');
  await site.kill();
  const again = await startSite();
  const top = await startTop();
  await until(async () => (await seqAbove(north, top)) === 1, 'the delta above');
  await top.kill();
  learnRows(north, task, 20);
  await postDelta(again.url, envelopeOf(north, task));
  await postDelta(again.url, envelopeOf(south, task));
  await again.kill();
  await startSite();
  const newTop = await startTop();
  await until(async () => (await seqAbove(north, newTop)) === 2 && (await seqAbove(south, newTop)) === 1, 'both above');
  const { coordinator } = (await call(newTop.url, '/api/v1/fleet')) as FleetView;
  expect(coordinator.deltas).toBe(3);
});

it('a coordinator above that was restored from a backup is handed in again what it lost', async () => {
  const empty = await startTop();
  await empty.stop();
  cpSync(join(directory, 'top'), join(directory, 'backup'), { recursive: true });
  const top = await startTop();
  const site = await startSite();
  await enrolAll(site);
  await postDelta(site.url, envelopeOf(north, task));
  const releaseAfter = (before: string | null) =>
    until(async () => {
      await postReport(site.url, north);
      const head = (await headAt(site.url))?.head ?? null;
      return head === before ? null : head;
    }, 'the release at the site');
  const first = await releaseAfter(null);
  learnRows(north, task, 60);
  await postDelta(site.url, envelopeOf(north, task));
  const lost = await releaseAfter(first);
  await top.kill();
  rmSync(join(directory, 'top'), { recursive: true });
  cpSync(join(directory, 'backup'), join(directory, 'top'), { recursive: true });
  const restored = await startTop();
  await until(async () => {
    await postReport(site.url, north);
    return (await seqAbove(north, restored)) === 2;
  }, 'the delta above once more');

  // What goes on from a release that is lost above does not count at the site either, and the gateway is told.
  learnRows(south, task, 20);
  await postDelta(site.url, envelopeOf(south, task, { base: Buffer.from(lost, 'hex') }));
  await until(async () => {
    const view = (await call(site.url, `/api/v1/gateways/${south.id}`)) as GatewayDetailView;
    return view.contributions.length === 0;
  }, 'the delta handed back');
  const anew = envelopeOf(south, task, { base: Buffer.from(lost, 'hex') });
  await expect(postDelta(site.url, anew)).rejects.toThrow('RIV_BASE_GONE');
  await postDelta(site.url, envelopeOf(south, task));
  await until(async () => (await seqAbove(south, restored)) !== undefined, 'what it says anew, above');
});

it('a gateway whose name is taken above is told of, once, and keeps no other from going up', async () => {
  const top = await startTop();
  const impostor = newFleet()[0] as FleetGateway;
  await postEnrolment(top.url, impostor); // the same id under another key
  const site = await startSite();
  await enrolAll(site);
  await postDelta(site.url, envelopeOf(north, task));
  await postDelta(site.url, envelopeOf(south, task));
  await until(async () => (await seqAbove(south, top)) === 1, 'what the other one learned, above');
  learnRows(south, task, 20);
  await postDelta(site.url, envelopeOf(south, task));
  await until(async () => (await seqAbove(south, top)) === 2, 'what it learned next, above');
  expect(site.events.filter(({ message }) => String(message).includes('RIV_GATEWAY_KEY')).length).toBe(1);
  expect(await seqAbove(north, top)).toBeUndefined();
});
