/** The client door against a real mosquitto, over a log held by the test. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { BLOCK_KIND } from '@rivulet/host';
import mqttPacket from 'mqtt-packet';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { brokerDoor, client, closeAll, closing, mqttDoor, pause, setUp, until } from '../../../test/support/doors.ts';
import { type Mosquitto, mosquittoAbsent, startMosquitto } from '../../../test/support/mosquitto.ts';
import { startProxy } from '../../../test/support/proxy.ts';
import { openBrokerDoor } from './broker_door.ts';
import { openClientDoor } from './client_door.ts';
import { reconnectDelay } from './delay.ts';
import type { DoorContext, FrontDoor } from './door.ts';

afterEach(closeAll);

/** The address of a server that the end of the test closes. */
async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A broker that speaks 3.1.1 only. */
async function openOld(context: DoorContext) {
  const { config, path } = await brokerDoor();
  return openBrokerDoor(config, path, context);
}

describe.skipIf(mosquittoAbsent !== null)(`the client door ${mosquittoAbsent ?? ''}`, () => {
  let mosquitto: Mosquitto;
  beforeAll(async () => {
    mosquitto = await startMosquitto();
  });
  afterAll(() => mosquitto.stop());

  async function open(options: { protocol?: 4 | 5 | null; qos?: 0 | 1 | 2; url?: string } = {}) {
    const parts = setUp();
    const { protocol = null, qos = 2, url = mosquitto.url } = options;
    const config = mqttDoor({ url, qos, protocol });
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
    const door = openClientDoor(mqttDoor({ url: mosquitto.url, protocol: 5 }), [`${gateway}/#`], {
      ...parts.context,
      gateway,
    });
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
    const old = await openOld(parts.context);
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

  it('says that it is there, and the broker says when it is gone', async () => {
    const reader = await client(mosquitto.url);
    const presence = `presence/${Math.random()}`;
    const seen: string[] = [];
    reader.on('message', (_, payload) => seen.push(String(payload)));
    await reader.subscribeAsync(presence, { qos: 1 });
    const parts = setUp();
    const proxy = await startProxy(mosquitto.port);
    closing.push(() => proxy.stop());
    const door = openClientDoor(mqttDoor({ url: proxy.url, presence }), ['x'], parts.context);
    closing.push(() => door.close());
    await until(() => seen.length === 1, 'the birth message');
    proxy.reset();
    await until(() => seen.length === 3, 'the will, and the next birth message');
    await door.close();
    await until(() => seen.length === 4, 'the last word');
    expect(seen.map((text) => JSON.parse(text).online)).toEqual([true, false, true, false]);
  });

  it('unsubscribes from what left the configuration since the session began', async () => {
    const { context, beat } = setUp();
    const first = openClientDoor(mqttDoor({ url: mosquitto.url }), ['gone/a', 'kept/b'], context);
    closing.push(() => first.close());
    await until(() => context.subscriptions.of(`rivulet-${context.gateway} ${mosquitto.url}`).length === 2, 'a note');
    await until(() => first.connected(), 'the door is connected');
    await pause(100); // SUBACK
    await first.close();
    await beat.drained();
    const next = setUp();
    const again = { ...next.context, gateway: context.gateway, subscriptions: context.subscriptions };
    const second = openClientDoor(mqttDoor({ url: mosquitto.url }), ['kept/b', 'new/c'], again);
    closing.push(() => second.close());
    const held = () => context.subscriptions.of(`rivulet-${context.gateway} ${mosquitto.url}`);
    await until(() => !held().includes('gone/a'), 'the note is renewed');
    expect(held()).toEqual(['kept/b', 'new/c']);
    const device = await client(mosquitto.url);
    for (const topic of ['gone/a', 'kept/b', 'new/c']) {
      await device.publishAsync(topic, '1', { qos: 1 });
    }
    await until(() => next.log.messages().length === 2, 'two messages');
    await pause(50);
    expect(next.log.messages().map(({ topic }) => topic)).toEqual(['kept/b', 'new/c']);
  });

  it.each([
    [7, 7],
    [null, 5_000],
  ])('announces the Receive Maximum of its configuration (%s)', async (receiveMaximum, said) => {
    // Read off the wire: mosquitto 2.0.11 keeps to it for the first messages only, and exceeds it after the first acknowledgements.
    const connects: Buffer[] = [];
    const broker = createServer((socket) => void socket.on('data', (bytes) => connects.push(bytes)));
    await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
    closing.push(async () => broker.close());
    const { port } = broker.address() as AddressInfo;
    const parts = setUp();
    const config = mqttDoor({ url: `mqtt://127.0.0.1:${port}`, protocol: 5, receiveMaximum });
    const door = openClientDoor(config, [`${parts.context.gateway}/#`], parts.context);
    closing.push(() => door.close());
    await until(() => connects.length > 0, 'a CONNECT');
    // Property 0x21 (MQTT 5, 3.1.2.11.3) and its two bytes.
    expect(connects[0]?.includes(Buffer.from([0x21, said >> 8, said & 0xff]))).toBe(true);
  });

  it('takes a silent connection for dead, says so, and recovers when messages come again', async () => {
    const proxy = await startProxy(mosquitto.port);
    closing.push(() => proxy.stop());
    const parts = setUp();
    const topic = `${parts.context.gateway}/x`;
    const over: string[] = [];
    const context = { ...parts.context, well: (code: string) => over.push(code) };
    const door = openClientDoor(mqttDoor({ url: proxy.url, staleAfterMs: 400 }), [topic], context);
    closing.push(() => door.close());
    await until(() => door.connected(), 'the door is connected');
    proxy.halfOpen(); // The broker is gone, and nothing tells.
    await until(() => parts.notices.some(({ code }) => code === 'RIV_MQTT_SILENT'), 'the alarm');
    expect(door.status()).toMatchObject({ name: 'mqtt', stale: true });
    over.length = 0;
    proxy.restore();
    await until(() => door.connected() && door.status().connections > 1, 'the door is back');
    // The silence goes on, and with it the alarm.
    expect(over.filter((code) => 'RIV_MQTT_SILENT'.startsWith(code))).toEqual([]);
    const device = await client(mosquitto.url);
    await device.publishAsync(topic, '1', { qos: 1 });
    await until(() => parts.log.messages().length === 1, 'the message');
    expect(door.status()).toMatchObject({ stale: false, connected: true });
    expect(over).toContain('RIV_MQTT_SILENT');
  });
});

describe('reconnecting', () => {
  it('subscribes again when the connection was lost before a broker without its session had answered', async () => {
    const sessions = [false, false, true];
    const asked: number[] = [];
    let connections = 0;
    const broker = createServer((socket) => {
      const connection = connections++;
      const parser = mqttPacket.parser({ protocolVersion: 4 });
      parser.on('packet', (packet) => {
        if (packet.cmd === 'connect') {
          const sessionPresent = sessions[connection] ?? true;
          socket.write(mqttPacket.generate({ cmd: 'connack', returnCode: 0, sessionPresent }));
        }
        if (packet.cmd !== 'subscribe') return;
        asked.push(connection);
        if (connection === 1) return socket.destroy();
        socket.write(mqttPacket.generate({ cmd: 'suback', messageId: packet.messageId as number, granted: [1] }));
        if (connection === 0) setTimeout(() => socket.destroy(), 100);
      });
      socket.on('data', (bytes) => parser.parse(bytes));
      socket.on('error', () => undefined);
    });
    const url = await listening(broker);
    const { context } = setUp();
    const door = openClientDoor(mqttDoor({ url, protocol: 4 }), ['a/#'], context);
    closing.push(() => door.close());
    await until(() => asked.includes(2), 'it subscribes at the session that knows of no subscription');
    expect(asked.slice(0, 3)).toEqual([0, 1, 2]);
  });

  it('asks again for what a broker refused, and for that alone', async () => {
    const asked: string[][] = [];
    const broker = createServer((socket) => {
      const parser = mqttPacket.parser({ protocolVersion: 4 });
      parser.on('packet', (packet) => {
        if (packet.cmd === 'connect') {
          socket.write(mqttPacket.generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }));
        }
        if (packet.cmd !== 'subscribe') return;
        const topics = packet.subscriptions.map(({ topic }) => topic);
        asked.push(topics);
        const granted = topics.map((topic) => (topic === 'b/#' && asked.length < 3 ? 0x80 : 1));
        socket.write(mqttPacket.generate({ cmd: 'suback', messageId: packet.messageId as number, granted }));
      });
      socket.on('data', (bytes) => parser.parse(bytes));
      socket.on('error', () => undefined);
    });
    const url = await listening(broker);
    const { context, notices } = setUp();
    const well: string[] = [];
    const told = { ...context, well: (code: string) => well.push(code) };
    const door = openClientDoor(mqttDoor({ url, protocol: 4 }), ['a/#', 'b/#', 'c/#'], told);
    closing.push(() => door.close());
    await until(() => well.includes('RIV_MQTT_SUBSCRIBE'), 'all is granted');
    expect(asked).toEqual([['a/#', 'b/#', 'c/#'], ['b/#'], ['b/#']]);
    expect(notices.map(({ code }) => code)).toEqual(['RIV_MQTT_SUBSCRIBE', 'RIV_MQTT_SUBSCRIBE']);
    expect(notices[0]?.message).toContain('subscription to b/#');
  });

  it('speaks MQTT 3.1.1 to a broker that never answers 5', async () => {
    const versions: number[] = [];
    const broker = createServer((socket) => {
      const parser = mqttPacket.parser();
      parser.on('packet', (packet) => {
        if (packet.cmd !== 'connect') return;
        versions.push(packet.protocolVersion ?? 0);
        if (packet.protocolVersion !== 4) return;
        socket.write(mqttPacket.generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }));
      });
      socket.on('data', (bytes) => parser.parse(bytes));
      socket.on('error', () => undefined);
    });
    const url = await listening(broker);
    const { context } = setUp();
    const door = openClientDoor(mqttDoor({ url, protocol: null }), ['a/#'], context);
    closing.push(() => door.close());
    await vi.waitUntil(() => door.connected(), { timeout: 40_000, interval: 50 });
    expect(versions).toEqual([5, 4]);
  });

  it('waits a random time up to a bound that doubles to thirty seconds', () => {
    expect([1, 2, 3, 6, 7, 8, 1000].map((attempt) => reconnectDelay(attempt, 0.999999))).toEqual([
      500, 1000, 2000, 16_000, 30_000, 30_000, 30_000,
    ]);
    expect(reconnectDelay(9, 0)).toBeGreaterThan(0);
    expect(reconnectDelay(9, 0.5)).toBeLessThan(15_100);
  });
});
