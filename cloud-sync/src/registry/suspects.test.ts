import { afterEach, beforeEach, expect, it } from 'vitest';
import { type CoordinatorUnderTest, startCoordinator, until } from '../../../test/support/coordinator.ts';
import { enrolled } from '../../../test/support/enrolled.ts';
import {
  envelopeOf,
  type FleetGateway,
  type FleetTask,
  learnRows,
  newFleet,
  newFleetGateway,
  postDelta,
  schemaHash,
} from '../../../test/support/fleet.ts';
import type { ModelView } from '../api/views.ts';

let cloud: CoordinatorUnderTest;
let occupied: FleetTask;
let honest: FleetGateway[];
let liar: FleetGateway;

beforeEach(async () => {
  cloud = await startCoordinator();
  occupied = newFleet()[0]?.tasks[1] as FleetTask;
  const gateways = Array.from({ length: 8 }, (_, at) => newFleetGateway(`room-${at}`, '', true, [occupied]));
  await enrolled(cloud.url, gateways, 300);
  [liar, ...honest] = gateways as [FleetGateway, ...FleetGateway[]];
});

afterEach(() => cloud.stop());

function flipLabels(gateway: FleetGateway): void {
  const rows = gateway.rows.get(occupied.name) ?? [];
  gateway.rows.set(
    occupied.name,
    rows.map((row) => row.with(-1, -(row.at(-1) as number))),
  );
}

const sendAll = async (...gateways: FleetGateway[]) => {
  for (const gateway of gateways) {
    expect(await postDelta(cloud.url, envelopeOf(gateway, occupied))).toMatchObject({
      receipt: { outcome: 'accepted' },
    });
  }
};

/** The gateways in the release that gateways are told, once it has everything. */
const members = () =>
  until(() => {
    const head = cloud.store.heads.get(schemaHash(occupied));
    if (head?.release == null || head.releaseOffset < head.offset) return null;
    return cloud.coordinator.lineage(head.release).lineage.map(({ gateway }) => gateway);
  }, 'a release of everything');

const model = () => cloud.coordinator.models()[0] as ModelView;

it('a gateway whose labels are flipped is left out, with the evidence, until it fits again', async () => {
  const heard: string[] = [];
  cloud.coordinator.subscribe((event) => {
    if (event.kind === 'gateway' && event.change.change === 'quarantined') heard.push(event.change.id);
  });
  await sendAll(...honest);
  await members();
  flipLabels(liar);
  await sendAll(liar);
  expect(await members()).toEqual(honest.map(({ id }) => id));
  expect(model().gateways).toContain(liar.id);
  const [suspect] = model().suspects;
  expect(suspect?.gateway).toBe(liar.id);
  expect(suspect?.distance).toBeGreaterThan(5 * (suspect?.limit as number));
  expect(cloud.store.quarantine.list(9)).toMatchObject([
    { gateway: liar.id, code: 'RIV_SUSPECT', reason: expect.stringContaining('times as far from the others') },
  ]);
  expect(heard).toEqual([liar.id]);

  // judged again at each release, told once
  for (const gateway of honest) learnRows(gateway, occupied, 300);
  await sendAll(...honest);
  expect(await members()).toEqual(honest.map(({ id }) => id));
  expect(heard.length).toBe(1);

  flipLabels(liar);
  learnRows(liar, occupied, 300);
  await sendAll(liar);
  expect((await members()).length).toBe(8);
  expect(model().suspects).toEqual([]);
}, 30_000);

it('an honest fleet has no suspects, and neither has one that is not one world', async () => {
  await sendAll(liar, ...honest);
  expect((await members()).length).toBe(8);
  expect(model().suspects).toEqual([]);
  for (const [at, gateway] of honest.entries()) {
    const rows = gateway.rows.get(occupied.name) ?? [];
    gateway.rows.set(
      occupied.name,
      rows.map((row) => row.with(0, (row[0] as number) + at)),
    );
  }
  await sendAll(...honest);
  await new Promise((resume) => setTimeout(resume, 200));
  expect(model().suspects).toEqual([]);
  expect(cloud.store.quarantine.list(9)).toEqual([]);
}, 30_000);

it('an operator can overrule the test, either way, and back; each time it is on record', async () => {
  await sendAll(...honest);
  await members();
  flipLabels(liar);
  await sendAll(liar);
  expect(await members()).not.toContain(liar.id);
  const overrule = (gateway: string, trusted: boolean | null) =>
    cloud.coordinator.operate({ do: 'judge', gateway, trusted }) as { models: { in_release: boolean }[] };
  expect(overrule(liar.id, true).models).toMatchObject([{ in_release: true }]);
  expect(await members()).toContain(liar.id);
  const victim = honest[0]?.id as string;
  expect(overrule(victim, false).models).toMatchObject([{ in_release: false }]);
  overrule(liar.id, null);
  overrule(victim, null);
  expect(await members()).toEqual(honest.map(({ id }) => id));
  expect(cloud.coordinator.audit(9).map(({ action, subject }) => [action, subject])).toEqual([
    ['judge', victim],
    ['judge', liar.id],
    ['distrust', victim],
    ['trust', liar.id],
  ]);
  expect(() => overrule('stranger', true)).toThrow('no gateway');
}, 30_000);

it('a suspect that fits again is back in the releases though hardly a row is new', async () => {
  await sendAll(...honest);
  await members();
  flipLabels(liar);
  await sendAll(liar);
  expect(await members()).not.toContain(liar.id);
  flipLabels(liar);
  learnRows(liar, occupied, 1);
  await sendAll(liar);
  expect(await members()).toContain(liar.id);
}, 30_000);
