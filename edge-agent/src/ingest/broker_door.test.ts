/** The embedded broker with real MQTT.js clients, over a log held by the test. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { BLOCK_KIND } from '@rivulet/host';
import { connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { client, closeAll, closing, pause, setUp, until } from '../../../test/support/doors.ts';
import { type BrokerDoor, openBrokerDoor } from './broker_door.ts';

afterEach(closeAll);

describe('the broker door', () => {
  async function open() {
    const parts = setUp();
    const config = { kind: 'broker' as const, door: 1, name: 'broker', listen: 0, host: '127.0.0.1' };
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
