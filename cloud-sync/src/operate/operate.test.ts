import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@rivulet/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CoordinatorUnderTest, startCoordinator, until } from '../../../test/support/coordinator.ts';
import { twoEnrolled } from '../../../test/support/enrolled.ts';
import {
  envelopeOf,
  type FleetGateway,
  type FleetTask,
  learnRows,
  postDelta,
  postEnrolment,
  schemaHash,
} from '../../../test/support/fleet.ts';
import type { DeltaAnswerView } from '../api/views.ts';
import { championOf } from '../drivers/store.ts';
import { parseCommand } from './command.ts';
import type { ForgetAnswer } from './forget.ts';
import type { NamedReleaseView, ReleaseDiffView, ShownReleaseView, ToldView } from './releases.ts';

const DAY_MS = 86_400_000;

let cloud: CoordinatorUnderTest;
let north: FleetGateway;
let south: FleetGateway;
let temperature: FleetTask;
let occupied: FleetTask;

beforeEach(async () => {
  cloud = await startCoordinator();
  ({ north, south, temperature, occupied } = await twoEnrolled(cloud.url));
});

afterEach(() => cloud.stop());

const send = async (gateway: FleetGateway, task: FleetTask, to = cloud) =>
  (await postDelta(to.url, envelopeOf(gateway, task))) as DeltaAnswerView;

const told = (task: FleetTask) => {
  const head = cloud.store.heads.get(schemaHash(task));
  return head === null ? null : championOf(head);
};

/** Sends, and waits for the release that holds it. */
async function released(gateway: FleetGateway, task: FleetTask): Promise<string> {
  const head = () => cloud.store.heads.get(schemaHash(task));
  const before = head()?.releases ?? 0;
  await send(gateway, task);
  await until(() => (head()?.releases ?? 0) > before, 'a release');
  return head()?.release as string;
}

const forget = (gateway: FleetGateway, allowReturn = false) =>
  cloud.coordinator.operate({ do: 'forget', gateway: gateway.id, allowReturn }) as ForgetAnswer;

describe('forgetting a gateway', () => {
  it('leaves the very models of a fleet that never had it, by digest and by what is released', async () => {
    const never = await startCoordinator();
    await postEnrolment(never.url, south);
    for (const task of [temperature, occupied]) {
      await released(north, task);
      await released(south, task);
      await send(south, task, never);
    }
    const answer = forget(north);
    expect(answer.models.map(({ task, gateways, rows }) => [task, gateways, rows]).sort()).toEqual(
      [temperature.name, occupied.name].sort().map((task) => [task, 1, 60]),
    );
    for (const model of answer.models) {
      expect(model.root_after).toBe(model.root_never_had);
      expect(model.root_after).not.toBe(model.root_before);
      const release = await until(() => never.store.heads.get(model.schema)?.release, 'the release of the other fleet');
      const shown = (from: CoordinatorUnderTest, ref: string) =>
        (from.coordinator.operate({ do: 'show', ref, task: null }) as ShownReleaseView).weights;
      expect(shown(cloud, model.release as string)).toEqual(shown(never, release));
      expect(cloud.coordinator.lineage(model.release as string).lineage.map(({ gateway }) => gateway)).toEqual([
        south.id,
      ]);
    }
    await never.stop();
  });

  it('names the releases that were made with it, and writes the decision down', async () => {
    const first = await released(south, temperature);
    const second = await released(north, temperature);
    const answer = forget(north);
    expect(answer.not_removable).toEqual([second]);
    expect(answer.not_removable).not.toContain(first);
    expect(told(temperature)).toBe(answer.models[0]?.release);
    expect(cloud.coordinator.audit(5)).toMatchObject([
      {
        action: 'forget',
        subject: north.id,
        detail: { not_removable: [second], models: [{ task: temperature.name }] },
      },
    ]);
    expect(cloud.coordinator.operate({ do: 'show', ref: second, task: null })).toMatchObject({ forgotten: [north.id] });
  });

  it('refuses its later deltas with a code, and keeps nothing of them', async () => {
    await released(north, temperature);
    await postDelta(cloud.url, envelopeOf(north, temperature, { schema: '{}' })); // lands in quarantine
    expect(cloud.store.quarantine.list(9).length).toBe(1);
    forget(north);
    learnRows(north, temperature, 60);
    await expect(send(north, temperature)).rejects.toThrow('403 {"error":{"code":"RIV_GATEWAY_FORGOTTEN"');
    expect(cloud.store.quarantine.list(9)).toEqual([]);
    expect(cloud.store.deltas.contributionsOf(north.id)).toEqual([]);
  });

  it('leaves no release to be told when nobody is left', async () => {
    await released(north, temperature);
    expect(forget(north).models).toMatchObject([{ gateways: 0, rows: 0, root_after: '0'.repeat(64), release: null }]);
    expect(told(temperature)).toBeNull();
    await released(south, temperature);
  });

  it('lets it come back where that is allowed, at once or later', async () => {
    await released(north, temperature);
    await released(south, temperature);
    forget(north, true);
    learnRows(north, temperature, 60);
    expect((await send(north, temperature)).receipt.outcome).toBe('accepted');
    forget(north);
    await expect(send(north, temperature)).rejects.toThrow('RIV_GATEWAY_FORGOTTEN');
    forget(north, true);
    expect((await send(north, temperature)).receipt.outcome).toBe('accepted');
    expect(cloud.coordinator.audit(9).map(({ action }) => action)).toEqual(['allow_return', 'forget', 'forget']);
  });

  it('changes nothing when it fails half-way', async () => {
    await released(north, temperature);
    await released(south, temperature);
    const before = { told: told(temperature), north: cloud.store.deltas.contributionsOf(north.id).length };
    const audit = cloud.store.audit as { add: unknown };
    const { add } = audit;
    audit.add = () => {
      throw new Error('the disk is full');
    };
    expect(() => forget(north)).toThrow('the disk is full');
    audit.add = add;
    expect({ told: told(temperature), north: cloud.store.deltas.contributionsOf(north.id).length }).toEqual(before);
    expect(cloud.store.forgotten.has(north.id)).toBe(false);
    expect(forget(north).models).toMatchObject([{ gateways: 1, rows: 60 }]);
  });

  it('does not know a gateway that never enrolled', () => {
    expect(() => forget({ ...north, id: 'stranger' })).toThrow(expect.objectContaining({ code: 'RIV_NOT_FOUND' }));
  });

  it('can keep what came before a day: the model of a fleet in which it fell silent then, and clean releases stay', async () => {
    await cloud.stop();
    let day = 100;
    const clock = { ...systemClock(), wallMs: () => day * DAY_MS + 1_000 };
    cloud = await startCoordinator({ clock });
    const silent = await startCoordinator({ clock });
    for (const gateway of [north, south]) await postEnrolment(cloud.url, gateway);
    for (const gateway of [north, south]) await postEnrolment(silent.url, gateway);
    const clean = await released(north, temperature);
    const early = envelopeOf(north, temperature);
    await send(north, temperature); // the last of its day, of the same contents
    day += 1;
    learnRows(north, temperature, 60);
    const tainted = [await released(north, temperature)];
    day += 1;
    learnRows(north, temperature, 60);
    tainted.push(await released(north, temperature), await released(south, temperature));
    await postDelta(silent.url, early);
    await send(south, temperature, silent);

    const sinceMs = 101 * DAY_MS;
    const answer = cloud.coordinator.operate({
      do: 'forget',
      gateway: north.id,
      allowReturn: false,
      sinceMs,
    }) as ForgetAnswer;
    expect(answer).toMatchObject({ since: sinceMs, not_removable: tainted });
    const [model] = answer.models as [ForgetAnswer['models'][number]];
    expect(model).toMatchObject({ gateways: 2, rows: 120, goes_back_to: 100 * DAY_MS + 1_000 });
    expect(model.root_after).toBe(model.root_never_had);
    expect(model.root_after).not.toBe(model.root_before);
    const weights = (from: CoordinatorUnderTest, ref: string) =>
      (from.coordinator.operate({ do: 'show', ref, task: null }) as ShownReleaseView).weights;
    const other = await until(
      () => silent.coordinator.releases({ limit: 9 }).find(({ gateways }) => gateways === 2)?.hash,
      'the release of the other fleet',
    );
    expect(weights(cloud, model.release as string)).toEqual(weights(silent, other));

    await expect(send(north, temperature)).rejects.toThrow('RIV_GATEWAY_FORGOTTEN');
    const pin = (ref: string) => cloud.coordinator.operate({ do: 'pin', ref, task: null });
    expect(() => pin(tainted[0] as string)).toThrow(expect.objectContaining({ code: 'RIV_GATEWAY_FORGOTTEN' }));
    expect(pin(clean)).toMatchObject({ champion: clean });
    expect(pin(model.release as string)).toMatchObject({ champion: model.release });
    // and all of it goes when it is asked for
    expect(forget(north).models).toMatchObject([{ gateways: 1, rows: 60, goes_back_to: null }]);
    expect(cloud.store.deltas.earlier(model.schema, north.id, Number.MAX_SAFE_INTEGER)).toBeNull();
    await silent.stop();
  });

  it('goes back to one of seven days at most, and less far where statistics are long', async () => {
    const { deltas } = cloud.store;
    const delta = (day: number, bytes: number, schema: string) => ({
      ...{ gateway: north.id, incarnation: 'aa', seq: day, task: 't', schema, payloadHash: `${day}` },
      ...{ schemaText: '{}', form: 1 as const, statistics: Buffer.alloc(bytes, day), receivedMs: day * DAY_MS },
    });
    for (let day = 1; day <= 20; day++) {
      deltas.append(delta(day, 1_000, 'short'), 'accepted', null);
      deltas.append({ ...delta(day, 400_000, 'long'), seq: 100 + day }, 'accepted', null);
    }
    const back = (schema: string) => {
      const days: number[] = [];
      for (let beforeMs = 99 * DAY_MS; ; ) {
        const found = deltas.earlier(schema, north.id, beforeMs);
        if (found === null) return days;
        beforeMs = found.receivedMs;
        days.push(beforeMs / DAY_MS);
        expect(found.statistics[0]).toBe(beforeMs / DAY_MS);
      }
    };
    expect(back('short')).toEqual([19, 18, 17, 16, 15, 14, 13]);
    expect(back('long')).toEqual([19, 18]);
  });

  it('survives a start: the models are rebuilt without it, and it is still refused', async () => {
    const state = mkdtempSync(join(tmpdir(), 'rivulet-forget-'));
    await cloud.stop();
    cloud = await startCoordinator({ state });
    for (const gateway of [north, south]) {
      await postEnrolment(cloud.url, gateway);
      await released(gateway, temperature);
    }
    const [model] = forget(north).models;
    await cloud.stop();
    cloud = await startCoordinator({ state });
    expect(told(temperature)).toBe(model?.release);
    await expect(send(north, temperature)).rejects.toThrow('RIV_GATEWAY_FORGOTTEN');
    learnRows(south, temperature, 30);
    const next = await released(south, temperature);
    expect(cloud.coordinator.lineage(next)).toMatchObject({ gateways: 1, rows: 90, parent: model?.release });
    rmSync(state, { recursive: true });
  });
});

describe('what gateways are told', () => {
  const operate = <T extends object>(text: object) =>
    cloud.coordinator.operate(parseCommand(JSON.stringify(text))) as T;

  it('is the newest release, until another is pinned, and again when the pin is lifted', async () => {
    const first = await released(north, temperature);
    const second = await released(south, temperature);
    expect(told(temperature)).toBe(second);
    expect(operate<ToldView>({ do: 'pin', ref: first.slice(0, 12), task: null })).toMatchObject({
      champion: first,
      previous: second,
      pinned: true,
    });
    learnRows(south, temperature, 60);
    const third = await released(south, temperature);
    const { heads } = await send(north, occupied);
    expect(heads).toContainEqual({ task: temperature.name, schema: schemaHash(temperature), release: first });
    expect(cloud.coordinator.models().find(({ task }) => task === temperature.name)).toMatchObject({
      head: first,
      newest: third,
      pinned: true,
      previous: second,
    });
    expect(operate<ToldView>({ do: 'pin', ref: 'newest', task: temperature.name })).toMatchObject({
      champion: third,
      previous: first,
      pinned: false,
    });
    expect(told(temperature)).toBe(third);
    expect(cloud.coordinator.audit(9).map(({ action }) => action)).toEqual(['unpin', 'pin']);
  });

  it('is rolled back to what it was before, and forward again', async () => {
    const first = await released(north, temperature);
    expect(() => operate({ do: 'rollback', task: temperature.name })).toThrow(
      expect.objectContaining({ code: 'RIV_RELEASE_UNKNOWN' }),
    );
    const second = await released(south, temperature);
    expect(operate<ToldView>({ do: 'rollback', task: temperature.name })).toMatchObject({
      champion: first,
      pinned: true,
    });
    expect(operate<ToldView>({ do: 'rollback', task: temperature.name })).toMatchObject({ champion: second });
  });

  it('is never a release that was made with a forgotten gateway', async () => {
    const clean = await released(south, temperature);
    const tainted = await released(north, temperature);
    operate({ do: 'pin', ref: tainted, task: null });
    forget(north);
    expect(told(temperature)).not.toBe(tainted);
    expect(() => operate({ do: 'pin', ref: tainted, task: null })).toThrow(
      expect.objectContaining({ code: 'RIV_GATEWAY_FORGOTTEN' }),
    );
    expect(operate<ToldView>({ do: 'pin', ref: clean, task: null }).champion).toBe(clean);
  });

  it('can be listed, looked at and compared', async () => {
    const first = await released(north, temperature);
    const second = await released(south, temperature);
    const [newest, oldest] = operate<NamedReleaseView[]>({ do: 'releases', task: temperature.name, limit: 9 });
    expect([newest?.aliases, oldest?.aliases]).toEqual([['champion', 'newest'], ['previous']]);
    const shown = operate<ShownReleaseView>({ do: 'show', ref: 'champion', task: temperature.name });
    expect(Object.keys(shown.weights)).toEqual([...temperature.features, '(intercept)']);
    const diff = operate<ReleaseDiffView>({ do: 'diff', from: first, to: second, task: null });
    expect(diff).toMatchObject({ joined: [south.id], left: [], from: { rows: 60 }, to: { rows: 120 } });
    expect(diff.weights.length).toBeGreaterThan(0);
    const sizes = diff.weights.map(({ from, to }) => Math.abs((to ?? 0) - (from ?? 0)));
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    await released(north, occupied);
    const classes = operate<ShownReleaseView>({ do: 'show', ref: 'champion', task: occupied.name });
    expect(Object.keys(classes.weights).some((name) => name.endsWith(': (intercept)'))).toBe(true);
  });

  it.each([
    ['no JSON', 'forget north'],
    ['another command', '{"do":"constructor"}'],
    ['a field of another type', '{"do":"forget","gateway":7,"allowReturn":false}'],
    ['a field that is missing', '{"do":"show","ref":"champion"}'],
  ])('is not changed by %s', (_, text) => {
    expect(() => parseCommand(text)).toThrow(expect.objectContaining({ code: 'RIV_REQUEST' }));
  });
});
