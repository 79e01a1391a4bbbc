/** Memory is what the store says: what a full disk did not take is not known either, neither now nor after a restart. */
import { sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CoordinatorUnderTest, startCoordinator } from '../../test/support/coordinator.ts';
import { type FleetGateway, newFleet, postEnrolment, reportOf } from '../../test/support/fleet.ts';

let state: string;
let cloud: CoordinatorUnderTest;
let north: FleetGateway;

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'rivulet-full-'));
  cloud = await startCoordinator({ state, pagesMax: 300 });
  [north] = newFleet() as [FleetGateway];
  await postEnrolment(cloud.url, north);
});

afterEach(async () => {
  await cloud.stop();
  rmSync(state, { recursive: true, force: true });
});

/** No page is free any more: what still fits is little, and soon nothing does. */
function fill(): void {
  const entry = { atMs: 0, gateway: 'ballast', code: 'RIV_FOREIGN', reason: 'ballast' };
  for (const bytes of [60_000, 4_000, 100]) {
    for (let full = false; !full; ) {
      try {
        cloud.store.atomically(() => cloud.store.quarantine.add({ ...entry, bytes: Buffer.alloc(bytes) }));
      } catch {
        full = true;
      }
    }
  }
}

/** Hands in more and more until the store refuses; answers the first that was refused. */
async function untilRefused(hand: (step: number) => Promise<unknown>): Promise<number> {
  for (let step = 1; step < 200; step++) {
    const refusal = await hand(step).then(
      () => null,
      (error: { code?: string; message: string }) => `${error.code ?? ''} ${error.message}`,
    );
    if (refusal === null) continue;
    expect(refusal).toContain('RIV_STORE');
    return step;
  }
  throw new Error('nothing was refused');
}

it('a gateway whose enrolment did not get to disk is not enrolled, and can enrol later', async () => {
  fill();
  const late = (step: number): FleetGateway => ({ ...north, id: `late-${step}` });
  const refused = await untilRefused((step) => postEnrolment(cloud.url, late(step)));
  const ids = () => cloud.coordinator.fleet().gateways.map(({ id }) => id);
  expect(ids()).not.toContain(`late-${refused}`);
  expect(ids().length).toBe(cloud.store.directory.gateways().length);
  cloud.store.quarantine.forget('ballast');
  expect(await postEnrolment(cloud.url, late(refused))).toMatchObject({ status: 'enrolled' });
});

it('a report that did not get to disk is not shown, and the same is after a restart', async () => {
  fill();
  const number = Date.now();
  const report = (step: number) => {
    const body = { ...reportOf(north), number: number + step, sources: sourcesOf(step) };
    const bytes = Buffer.from(JSON.stringify(body));
    return cloud.coordinator.gathered.report(bytes, sign(null, bytes, north.privateKey).toString('base64'));
  };
  const refused = await untilRefused(report);
  expect(cloud.coordinator.gateway(north.id).sources.length).toBe(refused - 1);
  await cloud.stop();
  cloud = await startCoordinator({ state });
  expect(cloud.coordinator.gateway(north.id).sources.length).toBe(refused - 1);
  await report(refused); // not a second time: the first left no number
  expect(cloud.coordinator.gateway(north.id).sources.length).toBe(refused);
});

function sourcesOf(count: number): object[] {
  const ledger = { received: 1, used: 1, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };
  const rest = { ...ledger, gaps: 0, guarantee: 'exactly once', guarantee_why: 'devices number their messages (seq)' };
  return Array.from({ length: count }, (_, at) => ({ name: `${at}-${'long'.repeat(50)}`, ...rest }));
}
