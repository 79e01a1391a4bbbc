/** Both front doors against real peers (mosquitto; MQTT.js clients on the embedded broker), over a log held by the test. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { BLOCK_HEADER_BYTES, BLOCK_KIND, type BlockDraft, type RivuletError, systemClock } from '@rivulet/host';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Mosquitto, mosquittoAbsent, startMosquitto } from '../../../test/support/mosquitto.ts';
import { type Beat, createBeat } from './beat.ts';
import { type BrokerDoor, openBrokerDoor } from './broker_door.ts';
import { openClientDoor } from './client_door.ts';
import type { DoorContext, FrontDoor } from './door.ts';
import { createFramer } from './framer.ts';

/** A log in memory whose writes can be held back. */
function memoryLog() {
  const written: BlockDraft[] = [];
  let gate: Promise<void> = Promise.resolve();
  let open: () => void = () => undefined;
  return {
    written,
    hold() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    release: () => open(),
    append(drafts: readonly BlockDraft[]) {
      // Payloads are copied: a door may reuse its buffers once the log has taken them.
      const copies = drafts.map((draft) => ({
        ...draft,
        payload: Buffer.concat([draft.payload].flat() as Uint8Array[]),
      }));
      const size = copies.reduce((sum, { payload }) => sum + BLOCK_HEADER_BYTES + payload.length, 0);
      const durable = gate.then(() => {
        written.push(...copies);
      });
      return { bytes: Buffer.alloc(size), firstOffsets: drafts.map(() => 0), durable };
    },
    /** The PUBLISH packets that are durable. */
    messages(): { topic: string; payload: string; qos: number; dup: boolean; retain: boolean; epoch: number }[] {
      return written.filter(({ kind }) => kind <= BLOCK_KIND.messagesV5).flatMap(publishesOf);
    },
  };
}

function publishesOf({ payload, kind, epoch }: BlockDraft) {
  const found: { topic: string; payload: string; qos: number; dup: boolean; retain: boolean; epoch: number }[] = [];
  const framer = createFramer(
    {
      packet(bytes, start, body, end) {
        const first = bytes[start] as number;
        if (first >> 4 !== 3) {
          return;
        }
        const qos = (first >> 1) & 3;
        const topicEnd = body + 2 + bytes.readUInt16BE(body);
        let at = topicEnd + (qos > 0 ? 2 : 0);
        at += kind === BLOCK_KIND.messagesV5 ? 1 + (bytes[at] as number) : 0;
        found.push({
          topic: bytes.toString('utf8', body + 2, topicEnd),
          payload: bytes.toString('utf8', at, end),
          ...{ qos, dup: (first & 8) !== 0, retain: (first & 1) !== 0, epoch },
        });
      },
      oversized: () => undefined,
    },
    1 << 24,
  );
  framer.push(payload as Buffer);
  return found;
}

function setUp() {
  const log = memoryLog();
  const notices: RivuletError[] = [];
  const failures: unknown[] = [];
  const beat: Beat = createBeat({
    log,
    fold: () => () => undefined,
    intervalMs: 5,
    now: () => performance.now(),
    failed: (error) => failures.push(error),
  });
  let epoch = 0;
  const context: DoorContext = {
    gateway: `t${process.pid}${Math.floor(Math.random() * 1e6)}`,
    put: beat.put,
    clock: systemClock(),
    random: Math.random,
    nextEpoch: () => ++epoch,
    payloadBytesMax: 100_000,
    full: () => false,
    notice: (error) => notices.push(error),
  };
  return { log, beat, context, notices, failures };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; waited < 8000; waited += 10) {
    if (condition()) {
      return;
    }
    await pause(10);
  }
  throw new Error(`not within 8 s: ${what}`);
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

async function client(url: string, options: object = {}): Promise<MqttClient> {
  const connected = await connectAsync(url, { reconnectPeriod: 100, ...options });
  connected.on('error', () => undefined);
  closing.push(() => connected.endAsync(true));
  return connected;
}

describe('the broker door', () => {
  async function open() {
    const parts = setUp();
    const config = { kind: 'broker' as const, door: 1, listen: 0, host: '127.0.0.1' };
    const door: BrokerDoor = await openBrokerDoor(config, parts.context);
    closing.push(() => door.close());
    return { ...parts, door, url: `mqtt://127.0.0.1:${door.port}` };
  }

  it('withholds PUBACK and PUBREC until the write is done', async () => {
    const { log, url } = await open();
    const device = await client(url, { protocolVersion: 4 });
    await pause(50); // The session block is written before the log is held.
    log.hold();
    let answered = 0;
    const sent = [];
    for (let n = 0; n < 60; n++) {
      sent.push(device.publishAsync('a/b', `${n}`, { qos: n % 2 === 0 ? 1 : 2 }).then(() => (answered += 1)));
    }
    await pause(300);
    expect(answered).toBe(0);
    expect(log.messages().length).toBe(0);
    log.release();
    await Promise.all(sent);
    expect(log.messages().map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  it('logs PUBREL, connections and disconnections, and clears RETAIN', async () => {
    const { log, url } = await open();
    const device = await client(url, { protocolVersion: 4, clientId: 'dev-1' });
    await device.publishAsync('a', 'x', { qos: 2, retain: true });
    await device.endAsync();
    await until(() => log.written.filter(({ kind }) => kind === BLOCK_KIND.session).length === 2, 'two session blocks');
    expect(log.messages()).toMatchObject([{ topic: 'a', payload: 'x', qos: 2, retain: false, epoch: 1 }]);
    const bytes = Buffer.concat(log.written.filter(({ kind }) => kind === 1).map(({ payload }) => payload as Buffer));
    expect(bytes.includes(Buffer.from([0x62, 2]))).toBe(true);
    const [begun, ended] = log.written.filter(({ kind }) => kind === BLOCK_KIND.session).map(({ payload }) => payload);
    expect(Buffer.from(begun as Uint8Array).toString('latin1')).toBe('\u0001\u0001\u0004\u0005\u0000\u0000\u0000dev-1');
    expect((ended as Uint8Array)[0]).toBe(2);
  });

  it('refuses MQTT 5 with its own reason code and says why', async () => {
    const { url, notices } = await open();
    const refusal = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0 }, false).catch((error) => error);
    expect(refusal).toMatchObject({ code: 132 });
    expect(notices.map(({ message }) => message).join()).toContain('speaks MQTT 5');
  });

  it('forwards to other subscribers, and carries outputs', async () => {
    const { url, door } = await open();
    const reader = await client(url, { protocolVersion: 4 });
    await reader.subscribeAsync('#', { qos: 1 });
    const seen: string[] = [];
    reader.on('message', (topic, payload) => seen.push(`${topic}=${payload}`));
    const device = await client(url, { protocolVersion: 4 });
    await device.publishAsync('s/1', '4', { qos: 1 });
    await new Promise<void>((resolve) => door.publish('rivulet/g/t/k', '{}', () => resolve()));
    await until(() => seen.length === 2, 'both messages');
    expect(seen.sort()).toEqual(['rivulet/g/t/k={}', 's/1=4']);
  });

  it('cuts a connection that announces a packet above the limit', async () => {
    const { door } = await open();
    const socket = connectTcp(door.port, '127.0.0.1');
    closing.push(async () => socket.destroy());
    socket.on('error', () => undefined);
    // CONNECT with client id "h", then a PUBLISH of 64 MB that goes on and on.
    socket.write(Buffer.from([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 1, 104]));
    await once(socket, 'data');
    socket.write(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x20, 0, 1, 97]));
    const junk = Buffer.alloc(65_536);
    const flood = setInterval(() => socket.write(junk), 2);
    await once(socket, 'close');
    clearInterval(flood);
  });

  it('counts a message above the payload limit without keeping it', async () => {
    const { log, url } = await open();
    const device = await client(url, { protocolVersion: 4 });
    await device.publishAsync('big', 'x'.repeat(120_000), { qos: 1 });
    expect(log.messages()).toMatchObject([{ topic: 'big', payload: '' }]);
  });
});

describe.skipIf(mosquittoAbsent !== null)(`the client door ${mosquittoAbsent ?? ''}`, () => {
  let mosquitto: Mosquitto;
  beforeAll(async () => {
    mosquitto = await startMosquitto();
  });
  afterAll(() => mosquitto.stop());

  async function open(options: { protocol?: 4 | 5 | null; qos?: 0 | 1 | 2; url?: string } = {}) {
    const parts = setUp();
    const { protocol = null, qos = 2, url = mosquitto.url } = options;
    const config = { kind: 'mqtt' as const, door: 1, url, user: null, password: null, qos, protocol };
    const door: FrontDoor = openClientDoor(config, [`${parts.context.gateway}/#`], parts.context);
    closing.push(() => door.close());
    await until(() => door.connected(), 'the door is connected');
    await pause(100); // SUBACK
    return { ...parts, door, topic: `${parts.context.gateway}/x` };
  }

  for (const protocol of [4, 5] as const) {
    it(`logs QoS 0, 1 and 2 once each over MQTT ${protocol === 4 ? '3.1.1' : '5'}`, async () => {
      const { log, topic, context, notices } = await open({ protocol });
      const device = await client(mosquitto.url);
      const sent = [];
      for (let n = 0; n < 600; n++) {
        sent.push(device.publishAsync(topic, `${n}`.padEnd(n % 7 === 0 ? 3000 : 10), { qos: (n % 3) as 0 | 1 | 2 }));
      }
      await Promise.all(sent);
      await until(() => log.messages().length >= 600, '600 messages');
      await pause(100);
      const numbers = log.messages().map(({ payload }) => Number(payload));
      expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, n) => n));
      expect(log.written[0]).toMatchObject({ kind: BLOCK_KIND.session, epoch: 1 });
      expect(Buffer.from(log.written[0]?.payload as Uint8Array).toString()).toContain(`rivulet-${context.gateway}`);
      expect(notices).toEqual([]);
    });
  }

  it('withholds acknowledgements until the write is done: what was not acknowledged comes again', async () => {
    const { log, topic, door } = await open({ protocol: 5 });
    const device = await client(mosquitto.url);
    log.hold();
    for (let n = 0; n < 20; n++) {
      await device.publishAsync(topic, `${n}`, { qos: 1 });
    }
    await pause(200);
    expect(log.messages().length).toBe(0);
    // The connection is lost while the write is under way: its acknowledgements must go nowhere.
    await door.close();
    log.release();
    await until(() => log.messages().length > 0, 'the held write');
    const again = await reopen(topic);
    await until(() => again.log.messages().length === 20, 'all of them again');
    expect(again.log.messages().every(({ dup }) => dup)).toBe(true);
  });

  async function reopen(topic: string) {
    const parts = setUp();
    const gateway = topic.split('/')[0] as string;
    const config = { kind: 'mqtt' as const, door: 1, url: mosquitto.url, user: null, password: null };
    const door = openClientDoor({ ...config, qos: 2, protocol: 5 }, [`${gateway}/#`], { ...parts.context, gateway });
    closing.push(() => door.close());
    return { ...parts, door };
  }

  it('goes on after the broker was killed and started again', async () => {
    const own = await startMosquitto();
    closing.push(() => own.stop());
    const { log, topic, door } = await open({ url: own.url });
    const device = await client(own.url);
    await device.publishAsync(topic, '1', { qos: 1 });
    await until(() => log.messages().length === 1, 'the first message');
    await own.kill();
    await until(() => !door.connected(), 'the loss is noticed');
    await own.start();
    await until(() => door.connected() && device.connected, 'both are back');
    await device.publishAsync(topic, '2', { qos: 1 });
    await until(() => log.messages().some(({ payload }) => payload === '2'), 'the second message');
    const sessions = log.written.filter(({ kind }) => kind === BLOCK_KIND.session).map(({ payload }) => payload[0]);
    expect(sessions).toEqual([1, 2, 1]);
  });

  it('falls back to MQTT 3.1.1 when the broker does not speak 5', async () => {
    const parts = setUp();
    const old = await openBrokerDoor({ kind: 'broker', door: 1, listen: 0, host: '127.0.0.1' }, parts.context);
    closing.push(() => old.close());
    const { log, topic } = await open({ url: `mqtt://127.0.0.1:${old.port}` });
    const device = await client(`mqtt://127.0.0.1:${old.port}`, { protocolVersion: 4 });
    await device.publishAsync(topic, '7', { qos: 1 });
    await until(() => log.messages().length === 1, 'the message');
    expect(log.written.find(({ count }) => count === 1)?.kind).toBe(BLOCK_KIND.messagesV4);
  });

  it('counts a message above the limit without keeping it, acknowledges it and goes on', async () => {
    const { log, topic } = await open({ protocol: 4, qos: 1 });
    const device = await client(mosquitto.url);
    await device.publishAsync(topic, 'x'.repeat(1_000_000), { qos: 1 });
    await device.publishAsync(topic, 'after', { qos: 1 });
    await until(() => log.messages().length === 2, 'both messages');
    expect(log.messages().map(({ payload }) => payload)).toEqual(['', 'after']);
  });
});
