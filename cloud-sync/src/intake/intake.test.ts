import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  decodeRelease,
  publicKeyBytes,
  publicKeyFromBytes,
  RivuletError,
  releaseHash,
  systemClock,
} from '@rivulet/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CoordinatorUnderTest, startCoordinator, until } from '../../../test/support/coordinator.ts';
import { twoEnrolled } from '../../../test/support/enrolled.ts';
import {
  advance,
  envelopeOf,
  type FleetGateway,
  type FleetTask,
  learnRows,
  newFleet,
  postDelta,
  postEnrolment,
  postReport,
  schemaHash,
  schemaText,
} from '../../../test/support/fleet.ts';
import { classStatistics, coMoments } from '../../../test/support/statistics.ts';
import type { DeltaAnswerView, EnrolmentView } from '../api/views.ts';
import type { DeltaLog } from '../drivers/store.ts';

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

async function send(envelope: Uint8Array, to = cloud): Promise<DeltaAnswerView> {
  return (await postDelta(to.url, envelope)) as DeltaAnswerView;
}

/** Status and code of a refused delta. */
async function refusal(body: Uint8Array): Promise<[number, string]> {
  const answer = await fetch(`${cloud.url}/api/v1/deltas`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(body),
  });
  return [answer.status, ((await answer.json()) as { error: { code: string } }).error.code];
}

async function headOf(task: FleetTask, from = cloud): Promise<string> {
  return until(() => from.store.heads.get(schemaHash(task))?.release, `a release of ${task.name}`);
}

describe('enrolment', () => {
  it('takes the first key that comes with an id, and the same key again', async () => {
    const answer = (await postEnrolment(cloud.url, north)) as EnrolmentView;
    expect(answer.status).toBe('known');
    expect(publicKeyBytes(publicKeyFromBytes(Buffer.from(answer.coordinator_key, 'base64')))).toEqual(cloud.publicKey);
  });

  it('refuses another key for a known id', async () => {
    const impostor = publicKeyBytes(generateKeyPairSync('ed25519').publicKey);
    await expect(postEnrolment(cloud.url, { ...north, publicKey: impostor })).rejects.toThrow('RIV_GATEWAY_KEY');
    expect((await send(envelopeOf(north, temperature))).receipt.outcome).toBe('accepted');
  });

  it('refuses names and keys that are none', async () => {
    await expect(postEnrolment(cloud.url, { ...north, id: '../up' })).rejects.toThrow('RIV_REQUEST');
    await expect(postEnrolment(cloud.url, { ...north, id: 'x', publicKey: Buffer.alloc(31) })).rejects.toThrow(
      'RIV_SIGNATURE',
    );
  });

  it('asks for the token when there is one', async () => {
    const closed = await startCoordinator({ token: 'open sesame' });
    await expect(postEnrolment(closed.url, north)).rejects.toThrow('RIV_TOKEN');
    await expect(postEnrolment(closed.url, north, { authorization: 'Bearer guess' })).rejects.toThrow('RIV_TOKEN');
    const answer = await postEnrolment(closed.url, north, { authorization: 'Bearer open sesame' });
    expect(answer).toMatchObject({ status: 'enrolled' });
    await closed.stop();
  });
});

describe('a delta', () => {
  it('is answered with a receipt that the coordinator signed', async () => {
    const { receipt, signature } = await send(envelopeOf(north, temperature));
    expect(receipt).toMatchObject({ gateway: north.id, seq: 1, outcome: 'accepted' });
    const bytes = Buffer.from(JSON.stringify(receipt));
    expect(verify(null, bytes, publicKeyFromBytes(cloud.publicKey), Buffer.from(signature, 'base64'))).toBe(true);
  });

  it('of a core that never ran here is set aside until an operator knows better, over a restart too', async () => {
    const kernel = Buffer.alloc(32, 7);
    const hash = kernel.toString('hex');
    const { receipt } = await send(envelopeOf(north, temperature, { kernel }));
    expect(receipt).toMatchObject({ outcome: 'quarantined', code: 'RIV_KERNEL_UNKNOWN' });
    expect(receipt.reason).toContain(hash);
    expect(cloud.coordinator.quarantine(1)).toMatchObject([{ gateway: north.id, code: 'RIV_KERNEL_UNKNOWN' }]);
    expect(cloud.store.heads.list()).toEqual([]);
    cloud.coordinator.operate({ do: 'kernel', hash, accept: true });
    expect((await send(envelopeOf(north, temperature, { kernel }))).receipt.outcome).toBe('accepted');
    cloud.coordinator.operate({ do: 'kernel', hash, accept: false });
    expect((await send(envelopeOf(north, temperature, { kernel }))).receipt.outcome).toBe('quarantined');
    expect((await send(envelopeOf(north, temperature))).receipt.outcome).toBe('accepted');
    expect(cloud.coordinator.audit(9).map(({ action, detail }) => [action, detail])).toEqual([
      ['kernel', { accept: false }],
      ['kernel', { accept: true }],
    ]);
  });

  it('of a task that the coordinator does not take is set aside with the reason', async () => {
    const choosy = await startCoordinator({ tasks: new Set([occupied.name]) });
    await postEnrolment(choosy.url, north);
    const { receipt } = await send(envelopeOf(north, temperature), choosy);
    expect(receipt).toMatchObject({ outcome: 'quarantined', code: 'RIV_TASK_UNKNOWN' });
    expect((await send(envelopeOf(north, occupied), choosy)).receipt.outcome).toBe('accepted');
    expect(choosy.store.heads.list().map(({ task }) => task)).toEqual([occupied.name]);
    await choosy.stop();
  });

  it('counts once, however often it comes', async () => {
    const envelope = envelopeOf(north, temperature);
    await send(envelope);
    const head = await headOf(temperature);
    for (let i = 0; i < 3; i++) expect((await send(envelope)).receipt.outcome).toBe('duplicate');
    expect(await headOf(temperature)).toBe(head);
    expect(cloud.store.counter('deltas')).toBe(1);
    expect(cloud.store.counter('duplicates')).toBe(3);
    expect(cloud.store.counter('releases')).toBe(1);
  });

  it('is left alone when something newer is in already', async () => {
    const older = envelopeOf(north, temperature);
    learnRows(north, temperature, 40);
    const newer = envelopeOf(north, temperature);
    await send(newer);
    const head = await headOf(temperature);
    expect((await send(older)).receipt.outcome).toBe('superseded');
    expect((await send(older)).receipt.outcome).toBe('duplicate');
    expect(await headOf(temperature)).toBe(head);
  });

  it('is quarantined when its number was used for other contents', async () => {
    await send(envelopeOf(north, temperature));
    learnRows(north, temperature, 5);
    const { receipt } = await send(envelopeOf(north, temperature, { seq: 1 }));
    expect(receipt.outcome).toBe('quarantined');
    expect(receipt.reason).toContain('used before');
  });

  it.each([
    ['whose numbers do not add up', (good: Buffer) => withDouble(good, 12, -5)],
    ['with a number that is none', (good: Buffer) => withDouble(good, 20, Number.NaN)],
    ['whose scatter cannot be one', (good: Buffer) => withDouble(good, good.length - 8, -1e6)],
    ['that ends too soon', (good: Buffer) => good.subarray(0, -9)],
    ['of nothing', () => Buffer.alloc(0)],
    ['of noise', () => randomBytes(500)],
  ])('with statistics %s is quarantined, and harms nothing', async (_, spoil) => {
    await send(envelopeOf(south, temperature));
    const head = await headOf(temperature);
    const payload = spoil(coMoments(north.rows.get(temperature.name) as number[][]));
    const { receipt } = await send(envelopeOf(north, temperature, { payload }));
    expect(receipt.outcome).toBe('quarantined');
    expect(receipt.reason).toMatch(/\w/);
    expect(cloud.store.quarantine.list(1)[0]).toMatchObject({ gateway: north.id });
    expect(await headOf(temperature)).toBe(head);
    expect((await send(envelopeOf(north, temperature))).receipt.outcome).toBe('accepted');
  });

  it('with a schema nobody knows is quarantined with the reason', async () => {
    const { receipt } = await send(
      envelopeOf(north, temperature, { schema: '{"task":"temp_in_30m","kind":"ranking"}' }),
    );
    expect(receipt).toMatchObject({ outcome: 'quarantined' });
    expect(receipt.reason).toContain('ranking');
    const swapped = await send(envelopeOf(north, temperature, { task: 'occupied' }));
    expect(swapped.receipt.outcome).toBe('quarantined');
    expect(cloud.store.heads.list()).toEqual([]);
  });

  it('with class statistics for a regression is quarantined', async () => {
    const payload = classStatistics({ a: [[1, 2, 3, 4, 5, 6]], b: [[2, 2, 3, 4, 5, 7]] });
    expect((await send(envelopeOf(north, temperature, { payload }))).receipt.outcome).toBe('quarantined');
  });

  it('of a gateway that is not enrolled is refused', async () => {
    const stranger = newFleet()[2] as FleetGateway;
    learnRows(stranger, stranger.tasks[0] as FleetTask, 60);
    expect(await refusal(envelopeOf(stranger, stranger.tasks[0] as FleetTask))).toEqual([403, 'RIV_GATEWAY_UNKNOWN']);
  });

  it('signed by another key, or changed on the way, is refused', async () => {
    const impostor: FleetGateway = { ...north, privateKey: south.privateKey };
    expect(await refusal(envelopeOf(impostor, temperature))).toEqual([401, 'RIV_SIGNATURE']);
    const changed = envelopeOf(north, temperature);
    changed[changed.length - 1] = (changed[changed.length - 1] as number) ^ 1;
    expect(await refusal(changed)).toEqual([401, 'RIV_SIGNATURE']);
    expect(cloud.store.counter('refused')).toBe(2);
  });

  it('that is none is refused with what is wrong, whichever byte it stops at', async () => {
    const envelope = envelopeOf(north, temperature);
    for (const length of [0, 1, 3, 5, 8, 20, 60, 150, 300, envelope.length - 1]) {
      expect(await refusal(envelope.subarray(0, length))).toEqual([400, 'RIV_TRUNCATED']);
    }
    expect(await refusal(Buffer.concat([Buffer.from('RVRL'), envelope.subarray(4)]))).toEqual([400, 'RIV_FOREIGN']);
    const newer = Buffer.from(envelope);
    newer.writeUInt16LE(2, 4);
    expect(await refusal(newer)).toEqual([400, 'RIV_TOO_NEW']);
    expect(await refusal(Buffer.concat([envelope, Buffer.alloc(1)]))).toEqual([400, 'RIV_CORRUPT']);
    expect(cloud.store.quarantine.list(100).length).toBe(13);
  });

  it('that is huge is refused before it is read', async () => {
    expect(await refusal(Buffer.alloc(5 * 1024 * 1024))).toEqual([413, 'RIV_TOO_LARGE']);
    expect(await announce(cloud.url, 10 ** 12)).toBe(413);
  });

  it('that could not be written down is not merged either, and is taken the next time', async () => {
    await send(envelopeOf(south, temperature));
    const head = await headOf(temperature);
    const broken = cloud.store.deltas as { append: DeltaLog['append'] };
    const { append } = broken;
    const envelope = envelopeOf(north, temperature);
    broken.append = () => {
      throw new RivuletError('RIV_STORE', 'the disk is full');
    };
    expect(await refusal(envelope)).toEqual([503, 'RIV_STORE']);
    broken.append = append;
    learnRows(south, temperature, 30);
    expect((await send(envelopeOf(south, temperature))).receipt.outcome).toBe('accepted');
    const next = await until(async () => {
      const now = await headOf(temperature);
      return now !== head && now;
    }, 'the next release');
    expect(cloud.coordinator.lineage(next)).toMatchObject({ gateways: 1, rows: 90 });
    expect((await send(envelope)).receipt.outcome).toBe('accepted');
  });

  it('of too few rows waits in its model until there are more', async () => {
    const few: FleetGateway = { ...north, rows: new Map() };
    learnRows(few, temperature, 1);
    const failed = new Promise((tell) =>
      cloud.coordinator.subscribe((event) => event.kind === 'failure' && tell(event)),
    );
    expect((await send(envelopeOf(few, temperature))).receipt.outcome).toBe('accepted');
    expect(await failed).toMatchObject({ error: { code: expect.stringMatching(/^RIV_CORE_/) } });
    expect(cloud.store.heads.get(schemaHash(temperature))?.release).toBeNull();
    await send(envelopeOf(south, temperature));
    const release = await headOf(temperature);
    expect(cloud.coordinator.lineage(release)).toMatchObject({ gateways: 2, rows: 61 });
  });

  it('makes the releases in which its gateway has a part known to it', async () => {
    await send(envelopeOf(north, temperature));
    const head = await headOf(temperature);
    const { heads, retry_after_s } = await send(envelopeOf(north, occupied));
    expect(heads).toContainEqual({ task: temperature.name, schema: schemaHash(temperature), release: head });
    expect(retry_after_s).toBeGreaterThanOrEqual(0);
    advance(south);
    const report = (await postReport(cloud.url, south)) as { heads: unknown[] };
    expect(report.heads).toContainEqual({ task: temperature.name, schema: schemaHash(temperature), release: head });
  });
});

describe('what an answer says beside the receipt', () => {
  it('is what the coordinator holds of the gateway, and when to come again', async () => {
    await send(envelopeOf(north, temperature));
    const held = [{ schema: schemaHash(temperature), incarnation: north.incarnation.toString('hex'), seq: 1 }];
    const again = await send(envelopeOf(north, temperature, { payload: Buffer.alloc(3) }));
    expect(again).toMatchObject({ receipt: { outcome: 'quarantined' }, held });
    expect(again.retry_window_s.to).toBeGreaterThan(0);
    advance(south);
    expect(await postReport(cloud.url, south)).toMatchObject({
      held: [],
      retry_window_s: { from: expect.any(Number) },
    });
    const refused = await fetch(`${cloud.url}/api/v1/deltas`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: 'noise',
    });
    expect(await refused.json()).toMatchObject({ retry_window_s: { to: expect.any(Number) } });
  });

  it('is where to go on from, when its base is no release of here', async () => {
    const base = randomBytes(32);
    await expect(send(envelopeOf(north, temperature, { base }))).rejects.toThrow(/409 .*RIV_BASE_GONE.*"release":null/);
    await send(envelopeOf(north, temperature));
    const head = await headOf(temperature);
    await expect(send(envelopeOf(north, temperature, { base }))).rejects.toThrow(`resync from release ${head}`);
    const { receipt } = await send(envelopeOf(north, temperature, { base: Buffer.from(head, 'hex') }));
    expect(receipt.outcome).toBe('accepted');
  });
});

describe('the merge', () => {
  it('gives the same release whatever came first, twice or late', async () => {
    const deltas: Buffer[] = [];
    for (let round = 0; round < 3; round++) {
      for (const gateway of [north, south]) {
        for (const task of gateway.tasks) {
          learnRows(gateway, task, 25);
          deltas.push(envelopeOf(gateway, task));
        }
      }
    }
    const orders = [
      deltas,
      deltas.toReversed(),
      [...deltas, ...deltas],
      shuffled([...deltas, ...deltas], north.random),
    ];
    const heads: string[][] = [];
    for (const order of orders) heads.push(await headsAfter(order));
    for (const head of heads) expect(head).toEqual(heads[0]);
  });

  it('finds the weights that the rows of all gateways were made with', async () => {
    for (const gateway of [north, south]) {
      learnRows(gateway, temperature, 2_000);
      await send(envelopeOf(gateway, temperature));
    }
    const release = await until(
      () => cloud.coordinator.releases({ limit: 1 }).find(({ gateways }) => gateways === 2),
      'a release of both gateways',
    );
    const { model, rows, gateways } = decodeRelease(cloud.coordinator.release(release.hash));
    expect([rows, gateways]).toEqual([4_120, 2]);
    const weights = temperature.features.map((_, at) => Buffer.from(model).readDoubleLE(12 + 8 + 8 * at));
    for (const [at, weight] of weights.entries()) expect(weight).toBeCloseTo(0.8 - at * 0.2, 1);
  });

  it('names the parent and the very deltas of a release', async () => {
    await send(envelopeOf(north, temperature));
    const first = await headOf(temperature);
    await send(envelopeOf(south, temperature));
    const second = await until(async () => {
      const head = await headOf(temperature);
      return head === first ? null : head;
    }, 'the second release');
    const lineage = await (await fetch(`${cloud.url}/api/v1/releases/${second}/lineage`)).json();
    expect(lineage).toMatchObject({
      parent: first,
      lineage: [
        { gateway: north.id, seq: 1 },
        { gateway: south.id, seq: 1 },
      ],
    });
    const bytes = Buffer.from(await (await fetch(`${cloud.url}/api/v1/releases/${second}`)).arrayBuffer());
    expect(releaseHash(bytes).toString('hex')).toBe(second);
    expect(Buffer.from(decodeRelease(bytes).parent).toString('hex')).toBe(first);
  });

  it('makes no release when what came changed nothing or little, until an hour has passed', async () => {
    const clock = systemClock();
    let laterMs = 0;
    const timed = await startCoordinator({ clock: { ...clock, wallMs: () => clock.wallMs() + laterMs } });
    await postEnrolment(timed.url, north);
    const sent = async () =>
      expect((await send(envelopeOf(north, temperature), timed)).receipt.outcome).toBe('accepted');
    const lookedAt = () =>
      until(() => {
        const stored = timed.store.heads.get(schemaHash(temperature));
        return stored !== null && stored.releaseOffset === stored.offset;
      }, 'the model to be looked at');
    await sent();
    const head = await headOf(temperature, timed);
    laterMs = 3_600_000;
    await sent(); // the same rows again
    await lookedAt();
    expect(await headOf(temperature, timed)).toBe(head);
    laterMs = 0;
    learnRows(north, temperature, 1);
    await sent();
    await new Promise((resume) => setTimeout(resume, 100));
    expect(await headOf(temperature, timed)).toBe(head);
    laterMs = 3_600_000;
    await sent();
    await lookedAt();
    const next = await headOf(temperature, timed);
    expect(timed.coordinator.lineage(next)).toMatchObject({ parent: head, rows: 61 });
    const line = Buffer.from(decodeRelease(timed.coordinator.release(next)).line).toString('hex');
    expect(line).toBe(head);
    await timed.stop();
  });
});

describe('what comes from next year', () => {
  it.each([
    ['a kind of task', { schema: { kind: 'weather' } }],
    ['a form of statistics', { form: 9 }],
    ['a version of statistics', { version: 7 }],
  ])('with %s that is not known here is quarantined with the reason, and shown', async (_, change) => {
    await send(envelopeOf(south, temperature));
    const head = await headOf(temperature);
    const payload = Buffer.from(coMoments(north.rows.get(temperature.name) as number[][]));
    if ('version' in change) payload.writeUInt16LE(change.version, 4);
    if ('form' in change) payload.writeUInt8(change.form, 6);
    const kind =
      'schema' in change
        ? { schema: JSON.stringify({ ...JSON.parse(schemaText(temperature)), ...change.schema }) }
        : {};
    const { receipt } = await send(envelopeOf(north, temperature, { payload, ...kind }));
    expect(receipt.outcome).toBe('quarantined');
    expect(receipt.reason).toMatch(/\w/);
    const shown = cloud.coordinator.quarantine(1)[0];
    expect(shown).toMatchObject({ gateway: north.id, reason: receipt.reason });
    expect(await headOf(temperature)).toBe(head);
    expect((await send(envelopeOf(north, temperature))).receipt.outcome).toBe('accepted');
  });

  it('as an envelope of another version is refused by its code, and kept for a look', async () => {
    const envelope = envelopeOf(north, temperature);
    envelope.writeUInt16LE(9, 4);
    expect(await refusal(envelope)).toEqual([400, 'RIV_TOO_NEW']);
    expect(cloud.coordinator.quarantine(1)[0]).toMatchObject({ code: 'RIV_TOO_NEW' });
  });

  it('by a clock that is years ahead or behind counts by its number, at the time of the coordinator', async () => {
    const yearsMs = 50 * 365 * 86_400_000;
    const beforeMs = Date.now();
    for (const wallMs of [Date.now() + yearsMs, 0, Date.now() - yearsMs]) {
      learnRows(north, temperature, 3);
      const { receipt } = await send(envelopeOf(north, temperature, { wallMs }));
      expect(receipt.outcome).toBe('accepted');
    }
    const { contributions, last_seen } = cloud.coordinator.gateway(north.id);
    expect(contributions[0]?.seq).toBe(3);
    for (const ms of [contributions[0]?.received_at ?? 0, last_seen]) {
      expect(ms).toBeGreaterThanOrEqual(beforeMs);
      expect(ms).toBeLessThanOrEqual(Date.now());
    }
  });
});

describe('a report', () => {
  it('is refused unless its gateway signed these very bytes', async () => {
    await expect(postReport(cloud.url, { ...north, privateKey: south.privateKey })).rejects.toThrow('RIV_SIGNATURE');
    const unsigned = await fetch(`${cloud.url}/api/v1/reports`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ gateway: north.id, messages: 1, ledger: { received: 1 } }),
    });
    expect(unsigned.status).toBe(401);
    await expect(postReport(cloud.url, newFleet()[2] as FleetGateway)).rejects.toThrow('RIV_GATEWAY_UNKNOWN');
  });

  it('cannot be handed in again, nor one of before, whatever has happened since', async () => {
    const incarnations = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)].map((bytes) => bytes.toString('hex'));
    const [first, second] = incarnations.map((incarnation, at) =>
      signedReport(north, { incarnation, number: 10 + at }),
    );
    for (const report of [first, second]) expect(await hand(report)).toBe(200);
    for (const report of [second, first, first, first]) expect(await hand(report)).toBe(409);
    expect(cloud.coordinator.gateway(north.id).cloned_since).toBe(null);
    expect(await hand(signedReport(north, { incarnation: incarnations[1], number: 12 }))).toBe(200);
    expect(await hand(signedReport(north, {}))).toBe(409); // as an agent of before would send it
    await expect(postReport(cloud.url, north)).rejects.toThrow('"newest_report":12');
    expect(await hand(signedReport(south, {}))).toBe(200);
  });
});

interface SignedReport {
  readonly body: string;
  readonly signature: string;
}

function signedReport(gateway: FleetGateway, over: object): SignedReport {
  const body = JSON.stringify({ gateway: gateway.id, messages: 1, ledger: { received: 1 }, ...over });
  return { body, signature: sign(null, Buffer.from(body), gateway.privateKey).toString('base64') };
}

async function hand(report: SignedReport | undefined): Promise<number> {
  const headers = { 'content-type': 'application/json', 'x-rivulet-signature': report?.signature ?? '' };
  return (await fetch(`${cloud.url}/api/v1/reports`, { method: 'POST', headers, body: report?.body ?? '' })).status;
}

/**
 * The heads of a coordinator that got these deltas and made its first release of all of them: what is in a release and
 * what it followed decide its name, so the deltas are taken in with the releaser stopped and released by the next start.
 */
async function headsAfter(deltas: readonly Buffer[]): Promise<string[]> {
  const state = mkdtempSync(join(tmpdir(), 'rivulet-order-'));
  const taking = await startCoordinator({ state });
  for (const gateway of [north, south]) await postEnrolment(taking.url, gateway);
  taking.coordinator.stop();
  for (const envelope of deltas) await send(envelope, taking);
  await taking.stop();
  const releasing = await startCoordinator({ state });
  const heads = [await headOf(temperature, releasing), await headOf(occupied, releasing)];
  expect(releasing.coordinator.releases({ limit: 10 }).map(({ gateways, rows }) => [gateways, rows])).toEqual([
    [2, 270],
    [2, 270],
  ]);
  await releasing.stop();
  rmSync(state, { recursive: true });
  return heads;
}

/** A copy with one double of the statistics replaced. */
function withDouble(statistics: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(statistics);
  copy.writeDoubleLE(value, at);
  return copy;
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((entry) => [random(), entry] as const)
    .sort(([a], [b]) => a - b)
    .map(([, entry]) => entry);
}

/** Announces a body without sending it, and returns the status of the answer. */
function announce(url: string, length: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': length };
    const sent = request(`${url}/api/v1/deltas`, { method: 'POST', headers }, (answer) => {
      resolve(answer.statusCode);
      sent.destroy();
    });
    sent.on('error', reject);
    sent.flushHeaders();
  });
}
