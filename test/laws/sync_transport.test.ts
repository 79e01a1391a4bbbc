/**
 * The laws of sync, over every way that a gateway can reach its coordinator: HTTP, and a real broker with MQTT 3.1.1 and 5.
 * Whatever the way loses, doubles or overtakes, each envelope counts once and each release comes whole.
 */
import { randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  answerTopic,
  askTopic,
  decodeBrokerAnswer,
  decodeBrokerRequest,
  encodeBrokerAnswer,
  encodeBrokerRequest,
  encodeSignedAnswer,
  publicKeyBytes,
  publicKeyFromBytes,
  releaseHash,
  sha256,
} from '@rivulet/host';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AtBroker, type Coordinator, connectCoordinator } from '../../edge-agent/src/sync/coordinator.ts';
import { type CoordinatorUnderTest, startCoordinator, until } from '../support/coordinator.ts';
import { envelopeOf, type FleetGateway, type FleetTask, learnRows, newFleet, schemaText } from '../support/fleet.ts';
import { type Mosquitto, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';
import { coMoments } from '../support/statistics.ts';

/** Long enough for three parts. */
const WIDE_FEATURES = 160;

interface Way {
  readonly name: string;
  readonly protocol: 4 | 5 | null;
}
const WAYS: readonly Way[] = [
  { name: 'HTTP', protocol: null },
  { name: 'a broker, MQTT 3.1.1', protocol: 4 },
  { name: 'a broker, MQTT 5', protocol: 5 },
];

describe.each(WAYS)('over $name', ({ protocol }) => {
  const absent = protocol !== null && mosquittoAbsent !== null;
  let state = '';
  let mosquitto: Mosquitto | null = null;
  let cloud: CoordinatorUnderTest;
  let gateway: FleetGateway;
  let task: FleetTask;
  let key = '';
  const clients: Coordinator[] = [];

  beforeEach(async () => {
    if (absent) return;
    state = mkdtempSync(join(tmpdir(), 'rivulet-laws-'));
    mosquitto = protocol === null ? null : await startMosquitto();
    cloud = await start();
    gateway = newFleet()[0] as FleetGateway;
    task = gateway.tasks[0] as FleetTask;
    learnRows(gateway, task, 60);
    key = ''; // nothing is pinned yet
    key = await enrol(client());
  });

  afterEach(async () => {
    if (absent) return;
    for (const one of clients.splice(0)) await one.close();
    await cloud.stop();
    await mosquitto?.stop();
    rmSync(state, { recursive: true });
  });

  function start(port = 0): Promise<CoordinatorUnderTest> {
    const broker = mosquitto === null || protocol === null ? {} : { broker: { url: mosquitto.url, protocol } };
    return startCoordinator({ state, port, ...broker });
  }

  /** Another life of the same gateway. */
  function client(over: Partial<AtBroker> = {}): Coordinator {
    const atBroker: AtBroker = {
      gateway: gateway?.id ?? 'north',
      protocol: protocol ?? 4,
      pinned: async () => key || null,
      ...over,
    };
    const made = connectCoordinator(mosquitto?.url ?? cloud.url, null, null, atBroker);
    clients.push(made);
    return made;
  }

  /** Until the coordinator has subscribed, a broker throws away what is asked. */
  function enrol(over: Coordinator): Promise<string> {
    const enrolment = {
      ...{ gateway: gateway.id, public_key: gateway.publicKey.toString('base64'), about: '', simulated: true },
      incarnation: gateway.incarnation.toString('hex'),
    };
    return untilAnswered(() => over.enrol(enrolment, signer().sign));
  }

  const signer = () => ({
    gateway: gateway.id,
    sign: (bytes: Uint8Array) => sign(null, bytes, gateway.privateKey),
  });
  const send = async (envelope: Uint8Array, over = client()) =>
    (await over.sendDelta(envelope, key, signer())).receipt.outcome;
  const held = () => cloud.store.deltas.contributionsOf(gateway.id);

  it.skipIf(absent)('an envelope counts once, however often it comes and whatever overtakes it', async () => {
    const older = envelopeOf(gateway, task);
    learnRows(gateway, task, 20);
    const newer = envelopeOf(gateway, task);
    const over = client();
    expect(await send(newer, over)).toBe('accepted');
    expect(await send(older, over)).toBe('superseded');
    expect(await send(newer, over)).toBe('duplicate');
    expect(await Promise.all([send(newer), send(older, over), send(newer, over)])).toEqual(Array(3).fill('duplicate'));
    expect(cloud.store.counter('deltas')).toBe(1);
    expect(held()).toMatchObject([{ seq: 2 }]);
  });

  it.skipIf(absent)('a receipt that is lost is given again', async () => {
    const envelope = envelopeOf(gateway, task);
    const cut = client();
    const lost = cut.sendDelta(envelope, key, signer()).catch((error: unknown) => error);
    await until(() => cloud.store.counter('deltas') === 1, 'the delta');
    await cut.close();
    await lost; // with a receipt or without one
    expect(await send(envelope)).toBe('duplicate');
    expect(held()).toMatchObject([{ seq: 1 }]);
  });

  it.skipIf(absent)('a long envelope in pieces counts once, though the coordinator forgot half of it', async () => {
    const wide = { ...task, features: Array.from({ length: WIDE_FEATURES }, (_, at) => `f${at}`) };
    const rows = Array.from({ length: 2 * WIDE_FEATURES + 4 }, (_, row) =>
      Array.from({ length: WIDE_FEATURES + 1 }, (_, column) => Math.sin(1 + row * (column + 1.3))),
    );
    const envelope = envelopeOf(gateway, task, { schema: schemaText(wide), payload: coMoments(rows) });
    const sending = client()
      .sendDelta(envelope, key, signer())
      .catch(() => null);
    const { port } = new URL(cloud.url);
    await cloud.stop();
    cloud = await start(Number(port));
    await sending;
    const outcome = await untilAnswered(() => send(envelope));
    expect(['accepted', 'duplicate']).toContain(outcome);
    expect(held()).toHaveLength(1);
    expect(cloud.store.counter('deltas')).toBe(1);
    const hash = await until(() => cloud.store.heads.list()[0]?.release, 'a release');
    expect(releaseHash(await client().fetchRelease(hash)).toString('hex')).toBe(hash);
  });

  it.skipIf(absent)('a release of many parts comes whole', async () => {
    const bytes = randomBytes(1_000_001);
    const hash = sha256(bytes).toString('hex');
    cloud.store.blobs.put(hash, bytes);
    const over = client();
    expect((await over.fetchRelease(hash)).equals(bytes)).toBe(true);
    expect(await Promise.all([0, 1, 2].map(async () => (await over.fetchRelease(hash)).equals(bytes)))).toEqual([
      true,
      true,
      true,
    ]);
    const packs = Buffer.alloc(3_000_000, 'weights');
    const name = sha256(packs).toString('hex');
    cloud.store.blobs.put(name, packs);
    const before = over.traffic().inBytes;
    expect((await over.fetchRelease(name)).equals(packs)).toBe(true);
    expect(over.traffic().inBytes - before).toBeLessThan(10_000);
    await expect(over.fetchRelease('0'.repeat(64))).rejects.toMatchObject({ code: 'RIV_SYNC_REFUSED' });
  });

  it.skipIf(absent)('a refusal keeps its code, and what to go on from', async () => {
    const stranger = { ...gateway, id: 'stranger' };
    await expect(send(envelopeOf(stranger, task))).rejects.toMatchObject({ code: 'RIV_GATEWAY_UNKNOWN' });
    const gone = envelopeOf(gateway, task, { base: Buffer.alloc(32, 9) });
    await expect(send(gone)).rejects.toMatchObject({
      ...{ code: 'RIV_BASE_GONE', resync: { task: task.name, release: null } },
    });
    const report = { gateway: gateway.id, incarnation: gateway.incarnation.toString('hex'), messages: 1 };
    const numbered = { ...report, ledger: { received: 1 }, number: 7 };
    const over = client();
    expect(await over.sendReport(numbered, signer().sign)).toMatchObject({ forgotten: false });
    await expect(over.sendReport(numbered, signer().sign)).rejects.toMatchObject({
      ...{ code: 'RIV_REPORT_OLD', newestReport: 7 },
    });
    expect(over.retryWindow()).not.toBe(null);
  });

  it.skipIf(absent)('a coordinator or a broker that died is called again when it is back', async () => {
    const over = client();
    const { port } = new URL(cloud.url);
    await cloud.stop();
    if (mosquitto !== null) await mosquitto.kill();
    await expect(send(envelopeOf(gateway, task), over)).rejects.toMatchObject({ code: 'RIV_SYNC_UNREACHABLE' });
    if (mosquitto !== null) await mosquitto.start();
    cloud = await start(Number(port));
    expect(await untilAnswered(() => send(envelopeOf(gateway, task), over))).toBe('accepted');
    expect(held()).toHaveLength(1);
  });

  it.skipIf(absent || protocol === null)('strangers at the broker disturb nobody and learn nothing', async () => {
    const stranger = await connectAsync((mosquitto as Mosquitto).url);
    const ask = askTopic(gateway.id);
    const request = {
      ...{ id: randomBytes(16), method: 'GET' as const, media: '', encoding: 'identity' as const },
      ...{ authorization: '', signature: '', from: 0, body: Buffer.alloc(0) },
    };
    const answers: Buffer[] = [];
    stranger.on('message', (_topic, payload) => answers.push(payload));
    await stranger.subscribeAsync(`rivulet/cloud/${gateway.id}/answer`, { qos: 1 });
    for (const noise of [Buffer.alloc(0), randomBytes(100), Buffer.from('RVRQ'), randomBytes(300_000)]) {
      await stranger.publishAsync(ask, noise, { qos: 1 });
    }
    const whole = encodeBrokerRequest({ ...request, path: '/api/v1/fleet' });
    for (let length = 0; length <= whole.length; length += 7) {
      await stranger.publishAsync(ask, whole.subarray(0, length), { qos: 1 });
    }
    await stranger.publishAsync(ask, whole, { qos: 1 });
    await stranger.publishAsync(ask, whole, { qos: 1 }); // as a broker may deliver it twice
    await until(() => answers.length > 0, 'the answer');
    await stranger.publishAsync(`rivulet/cloud/${gateway.id}/answer`, randomBytes(64), { qos: 1 });
    expect(await send(envelopeOf(gateway, task))).toBe('accepted');
    expect(answers.filter((bytes) => bytes.includes('RIV_NOT_FOUND'))).toHaveLength(1);
    expect(answers.some((bytes) => bytes.includes('sentence'))).toBe(false);
    await stranger.endAsync();
  });

  it.skipIf(absent || protocol === null)(
    'nobody at the broker can answer in the place of the coordinator',
    async () => {
      const stranger = await connectAsync((mosquitto as Mosquitto).url);
      const false_ = Buffer.from(JSON.stringify({ heads: [], held: [], forgotten: false }));
      let copied: Buffer | null = null;
      let forged: 'unsigned' | 'signed' | 'replayed' | null = null;
      stranger.on('message', (topic, payload) => {
        if (topic.endsWith('answer')) copied ??= payload;
        if (!topic.endsWith('ask') || forged === null) return;
        const { id } = decodeBrokerRequest(payload);
        const answer = { id, status: 200, length: false_.length, from: 0, part: false_ };
        const say = (bytes: Uint8Array) => stranger.publish(answerTopic(gateway.id), Buffer.from(bytes), { qos: 1 });
        if (forged === 'unsigned') say(encodeBrokerAnswer(answer));
        else if (forged === 'signed') void encodeSignedAnswer(answer, async (bytes) => signer().sign(bytes)).then(say);
        else if (copied !== null) say(Buffer.concat([copied.subarray(0, 8), id, copied.subarray(24)]));
      });
      await stranger.subscribeAsync(`rivulet/cloud/${gateway.id}/+`, { qos: 1 });
      const over = client();
      let number = 0;
      const report = () => ({
        ...{ gateway: gateway.id, incarnation: gateway.incarnation.toString('hex'), messages: 1 },
        ...{ ledger: { received: 1 }, number: ++number },
      });
      await over.sendReport(report(), signer().sign);
      for (const way of ['unsigned', 'signed', 'replayed'] as const) {
        forged = way; // beside the true answer, before or after it
        expect(await over.sendReport(report(), signer().sign)).toMatchObject({ forgotten: false });
      }
      forged = 'signed';
      await cloud.stop();
      await expect(over.sendReport(report(), signer().sign)).rejects.toMatchObject({ code: 'RIV_SYNC_SIGNATURE' });
      forged = 'unsigned';
      await expect(client().fetchRelease('0'.repeat(64))).rejects.toMatchObject({ code: 'RIV_SYNC_SIGNATURE' });
      forged = null;
      cloud = await start();
      await stranger.endAsync();
      const other = client({ pinned: async () => signer().sign(Buffer.alloc(0)).subarray(0, 32).toString('base64') });
      await untilAnswered(() => enrol(client()));
      await expect(over.sendReport(report(), signer().sign)).resolves.toBeDefined();
      await expect(other.sendReport(report(), signer().sign)).rejects.toMatchObject({ code: 'RIV_SYNC_SIGNATURE' });
    },
  );

  it.skipIf(absent || protocol === null)('a packet without end takes nothing but its head', async () => {
    const stranger = await connectAsync((mosquitto as Mosquitto).url);
    // more than a broker leaves under way at a time
    for (let n = 0; n < 30; n++) {
      await stranger.publishAsync(askTopic(gateway.id), Buffer.alloc(2_000_000), { qos: 1 });
    }
    await stranger.endAsync();
    expect(await untilAnswered(() => send(envelopeOf(gateway, task)))).toBe('accepted');
  });

  it.skipIf(absent || protocol === null)(
    'a gateway of before is answered as it was before, without a signature',
    async () => {
      const old = await connectAsync((mosquitto as Mosquitto).url);
      const answers: Buffer[] = [];
      old.on('message', (_topic, payload) => answers.push(payload));
      await old.subscribeAsync(answerTopic(gateway.id), { qos: 1 });
      const request = encodeBrokerRequest({
        ...{ id: randomBytes(16), method: 'GET', path: `/api/v1/releases/${'0'.repeat(64)}`, media: '' },
        ...{ encoding: 'identity', authorization: '', signature: '', from: 0, body: Buffer.alloc(0) },
      });
      request.writeUInt16LE(1, 4);
      await old.publishAsync(askTopic(gateway.id), request, { qos: 1 });
      await until(() => answers.length > 0, 'the answer');
      expect(decodeBrokerAnswer(answers[0] as Buffer)).toMatchObject({ status: 404, signature: null });
      await old.endAsync();
    },
  );
});

it.skipIf(mosquittoAbsent !== null)('a token is proven over a broker, never told there', async () => {
  const mosquitto = await startMosquitto();
  const token = 'open sesame';
  const cloud = await startCoordinator({ token, broker: { url: mosquitto.url, protocol: 4 } });
  const reader = await connectAsync(mosquitto.url);
  const heard: Buffer[] = [];
  reader.on('message', (_topic, payload) => heard.push(payload));
  await reader.subscribeAsync('rivulet/#', { qos: 1 });
  const gateway = newFleet()[0] as FleetGateway;
  const enrolment = {
    ...{ gateway: gateway.id, public_key: gateway.publicKey.toString('base64'), about: '', simulated: true },
    incarnation: gateway.incarnation.toString('hex'),
  };
  const ours = (bytes: Uint8Array) => sign(null, bytes, gateway.privateKey);
  const enrol = async (with_: string | null, by = ours) => {
    const over = connectCoordinator(mosquitto.url, with_, null, { gateway: gateway.id, protocol: 4 });
    return over.enrol(enrolment, by).finally(() => over.close());
  };
  const refused = (work: Promise<unknown>) => work.catch((error: { code: string }) => error.code);
  await until(async () => (await refused(enrol('guess'))) === 'RIV_TOKEN', 'the refusal of a guess');
  expect(await refused(enrol(null))).toBe('RIV_TOKEN');
  expect(await refused(enrol(token, () => randomBytes(64)))).toBe('RIV_SYNC_REFUSED');
  expect(cloud.store.directory.gateways()).toEqual([]);
  const key = await enrol(token);
  expect(publicKeyBytes(publicKeyFromBytes(Buffer.from(key, 'base64')))).toEqual(cloud.publicKey);
  expect(cloud.store.directory.gateways()).toHaveLength(1);
  await until(() => heard.length >= 8, 'what was said');
  expect(heard.some((bytes) => bytes.includes(token))).toBe(false);
  await reader.endAsync();
  await cloud.stop();
  await mosquitto.stop();
});

async function untilAnswered<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }
}
