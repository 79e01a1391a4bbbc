/** The embedded broker with real MQTT.js clients, over a log held by the test. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import {
  BLOCK_KIND,
  type BrokerDoor as Config,
  crc32c,
  hashPassword,
  type PasswordHash,
  parsePasswordHash,
} from '@rivulet/host';
import { connect, connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { makeAuthority, opensslAbsent } from '../../../test/support/certificates.ts';
import { brokerDoor, client, closeAll, closing, pause, setUp, until } from '../../../test/support/doors.ts';
import { covers } from './broker/access.ts';
import { type BrokerDoor, openBrokerDoor } from './broker_door.ts';

afterEach(closeAll);

describe('the broker door', () => {
  async function open(own: Partial<Config> = {}, at?: string) {
    const parts = setUp();
    const { config, path } = await brokerDoor(own);
    const door: BrokerDoor = await openBrokerDoor(config, at ?? path, parts.context);
    closing.push(() => door.close());
    const scheme = own.tls ? 'mqtts' : 'mqtt';
    return { ...parts, door, path: at ?? path, url: `${scheme}://127.0.0.1:${door.port}` };
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
    expect(notices.map(({ code }) => code)).toEqual(['RIV_CLIENT_REFUSED']);
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

  it('takes a message of any length that a client repeats, once, without its payload, and does not cut the client', async () => {
    const { log, url, door, notices } = await open();
    const device = await client(url, { protocolVersion: 4, clientId: 'big', clean: false });
    let closes = 0;
    device.on('close', () => (closes += 1));
    await device.publishAsync('before', '1', { qos: 1 });
    await device.publishAsync('huge', Buffer.alloc(3_000_000, 'x'), { qos: 1 });
    await device.publishAsync('huge', Buffer.alloc(3_000_000, 'x'), { qos: 2, retain: true });
    await device.publishAsync('after', '2', { qos: 1 });
    expect(log.messages().map(({ topic, payload, retain }) => [topic, payload, retain])).toEqual([
      ['before', '1', false],
      ['huge', '', false],
      ['huge', '', false],
      ['after', '2', false],
    ]);
    expect(closes).toBe(0);
    expect(door.status().broker).toMatchObject({ oversized: 2 });
    expect(notices[0]).toMatchObject({ code: 'RIV_MESSAGE_TOO_LARGE' });
  });

  it('takes what a device sends right behind its CONNECT, however much it has to repeat', async () => {
    const { door, log, notices } = await open();
    const socket = connectTcp(door.port, '127.0.0.1');
    closing.push(async () => socket.destroy());
    const connect = Buffer.from([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 0, 0, 0, 0, 1, 104]);
    const publishes = Array.from({ length: 500 }, (_, n) =>
      Buffer.from([0x3a, 6, 0, 1, 97, (n + 1) >> 8, (n + 1) & 0xff, 48]),
    );
    let received = 0;
    socket.on('data', (bytes) => (received += bytes.length));
    socket.write(Buffer.concat([connect, ...publishes]));
    await until(() => received === 4 + 4 * 500, 'CONNACK and every PUBACK');
    expect(log.messages().length).toBe(500);
    expect(notices).toEqual([]);
  });

  it('sheds QoS 0 and counts it while the disk stands still, and never QoS 1', async () => {
    const { door, log, notices } = await open();
    const publish = (qos: 0 | 1, payload: number): Buffer => {
      const body = Buffer.concat([Buffer.from([0, 1, 97]), qos === 1 ? Buffer.from([0, 1]) : Buffer.alloc(0)]);
      const length = body.length + payload;
      const head = Buffer.from([
        0x30 | (qos << 1),
        (length & 0x7f) | 0x80,
        ((length >> 7) & 0x7f) | 0x80,
        length >> 14,
      ]);
      return Buffer.concat([head, body, Buffer.alloc(payload, '7')]);
    };
    const sockets = [];
    for (let n = 0; n < 300; n++) {
      const socket = connectTcp(door.port, '127.0.0.1');
      closing.push(async () => socket.destroy());
      socket.on('error', () => undefined);
      socket.write(Buffer.from([0x10, 14, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 2, 104 + (n >> 6), 48 + (n & 63)]));
      await once(socket, 'data');
      sockets.push(socket);
    }
    log.hold();
    let answered = 0;
    for (const [n, socket] of sockets.entries()) {
      socket.on('data', (bytes) => (answered += bytes.length / 4));
      socket.write(publish(n % 3 === 0 ? 1 : 0, 90_000));
    }
    await until(() => (door.status().broker?.shed ?? 0) > 0, 'messages are shed');
    await pause(200);
    log.release();
    await until(() => answered === 100, 'every QoS 1 is answered');
    const taken = log.messages();
    expect(taken.filter(({ qos }) => qos === 1).length).toBe(100);
    expect(taken.length + (door.status().broker?.shed ?? 0)).toBe(300);
    expect(notices.map(({ code }) => code)).toContain('RIV_OVERLOADED');
  });

  it('holds no more of an endless packet than the limit', async () => {
    const { door } = await open();
    const socket = connectTcp(door.port, '127.0.0.1');
    closing.push(async () => socket.destroy());
    socket.on('error', () => undefined);
    // CONNECT with client id "h", then a PUBLISH of 256 MB that goes on and on.
    socket.write(Buffer.from([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 1, 104]));
    await once(socket, 'data');
    socket.write(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, 97]));
    const before = process.memoryUsage.rss();
    const junk = Buffer.alloc(65_536);
    for (let sent = 0; sent < 200 * 1024 * 1024; sent += junk.length) {
      if (!socket.write(junk)) {
        await once(socket, 'drain');
      }
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024);
    expect(door.status().broker).toMatchObject({ oversized: 1 });
    // A SUBSCRIBE as long is none that a client could mean.
    const rude = connectTcp(door.port, '127.0.0.1');
    rude.on('error', () => undefined);
    rude.write(Buffer.from([0x10, 13, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, 1, 105]));
    await once(rude, 'data');
    rude.write(Buffer.concat([Buffer.from([0x82, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(70_000)]));
    await once(rude, 'close');
  });

  it('counts a message above the payload limit without keeping it', async () => {
    const { log, url } = await open();
    const device = await client(url, { protocolVersion: 4 });
    await device.publishAsync('big', 'x'.repeat(120_000), { qos: 1 });
    expect(log.messages()).toMatchObject([{ topic: 'big', payload: '' }]);
  });

  describe('with users', async () => {
    const hash = parsePasswordHash(await hashPassword('right')) as PasswordHash;
    const user = { name: 'press', hash, publish: ['plant/{user}/#', 'c/{client}'], subscribe: ['out/+'] };

    it('lets in whoever has the password, and tells the others that it is the login', async () => {
      const { url, notices, door } = await open({ users: [user], anonymous: false });
      const logins = [{ username: 'press', password: 'wrong' }, { username: 'nobody', password: 'right' }, {}];
      for (const login of logins) {
        const refusal = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...login }, false).catch(
          (error) => error,
        );
        expect(refusal).toMatchObject({ code: 4 });
      }
      expect(notices.map(({ code }) => code)).toEqual(Array(3).fill('RIV_CLIENT_REFUSED'));
      await client(url, { protocolVersion: 4, username: 'press', password: 'right' });
      expect(door.status().broker).toMatchObject({ clients: 1, refused: 3 });
    });

    it('takes what may be published, acknowledges and drops the rest, and refuses subscriptions', async () => {
      const { url, log, door } = await open({ users: [user], anonymous: false });
      const device = await client(url, { protocolVersion: 4, username: 'press', password: 'right', clientId: 'me' });
      for (const topic of ['plant/press/a/b', 'plant/other/a', 'c/me', 'c/you', '$SYS/x']) {
        await device.publishAsync(topic, topic, { qos: topic.length % 2 === 0 ? 1 : 2, retain: true });
      }
      expect(log.messages().map(({ topic }) => topic)).toEqual(['plant/press/a/b', 'c/me']);
      const granted = await device.subscribeAsync(['out/a', '#', 'out/#', 'out/+']).catch((error) => error);
      expect(JSON.stringify(granted)).toContain('128');
      expect(door.status().broker).toMatchObject({ denied: 5 });
    });

    it('counts connections under one user name, and all of them', async () => {
      const limits = { clients: 3, clientsPerUser: 2, messagesPerSecond: null, queue: 10 };
      const { url, door } = await open({ users: [user], limits });
      const login = { protocolVersion: 4 as const, username: 'press', password: 'right', reconnectPeriod: 0 };
      await client(url, { ...login, clientId: 'a' });
      await client(url, { ...login, clientId: 'b' });
      await client(url, { ...login, clientId: 'b' }); // Takes over the session, and so the place.
      const third = await connectAsync(url, { ...login, clientId: 'c' }, false).catch((error) => error);
      expect(third).toMatchObject({ code: 3 });
      await client(url, { protocolVersion: 4 }).catch(() => undefined);
      expect(door.status().broker?.refused).toBeGreaterThan(0);
    });
  });

  it('knows filters that cover others from those that do not', () => {
    const check = (filter: string, wanted: string) => covers(filter.split('/'), wanted.split('/'));
    const yes = ['#>a', '#>#', 'a/#>a', 'a/#>a/#', 'a/+>a/+', 'a/+>a/b', '+/b>a/b', 'a/#>a/+/c', '$SYS/#>$SYS/a'];
    const no = ['+>#', 'a/+>a/#', 'a/b>a/+', 'a>a/b', 'a/b>a', '#>$SYS/a', '+/a>$SYS/a', 'a/+>a', 'a/#>b'];
    expect(yes.filter((pair) => !check(...(pair.split('>') as [string, string])))).toEqual([]);
    expect(no.filter((pair) => check(...(pair.split('>') as [string, string])))).toEqual([]);
  });

  it('slows a client down that sends faster than it may, and loses nothing', async () => {
    const limits = { clients: 10, clientsPerUser: 10, messagesPerSecond: 100, queue: 10 };
    const { url, log } = await open({ limits });
    const device = await client(url, { protocolVersion: 4, keepalive: 1 });
    const begin = performance.now();
    await Promise.all(Array.from({ length: 300 }, (_, n) => device.publishAsync('a', `${n}`, { qos: 1 })));
    expect(performance.now() - begin).toBeGreaterThan(1500); // A burst of 100, then 100 a second.
    expect(log.messages().length).toBe(300);
  });

  it('keeps retained messages, sessions and what waits for them over a restart', async () => {
    const first = await open();
    const reader = await client(first.url, {
      protocolVersion: 4,
      clientId: 'reader',
      clean: false,
      reconnectPeriod: 0,
    });
    await reader.subscribeAsync('out/#', { qos: 1 });
    await reader.endAsync();
    const device = await client(first.url, { protocolVersion: 4 });
    await device.publishAsync('state/a', 'on', { qos: 1, retain: true });
    await device.publishAsync('state/b', 'gone', { qos: 1, retain: true });
    await device.publishAsync('state/b', '', { qos: 1, retain: true });
    for (const n of [1, 2, 3]) {
      await device.publishAsync('out/x', `${n}`, { qos: n === 3 ? 2 : 1 });
    }
    const copied = await readFile(first.path); // What is on disk when all is acknowledged: as after a kill.
    await first.door.close();
    await writeFile(first.path, copied);

    const second = await open({}, first.path);
    const seen: string[] = [];
    const again = connect(second.url, { protocolVersion: 4, clientId: 'reader', clean: false });
    closing.push(() => again.endAsync(true));
    again.on('message', (topic, payload) => seen.push(`${topic}=${payload}`));
    await until(() => seen.length === 3, 'what waited');
    expect(seen).toEqual(['out/x=1', 'out/x=2', 'out/x=3']);
    await again.subscribeAsync('state/#', { qos: 1 });
    await until(() => seen.length === 4, 'what was retained');
    expect(seen[3]).toBe('state/a=on');
    await again.endAsync();
    await second.door.close();

    // Acknowledged: nothing waits any more. And a torn or damaged line costs that line only.
    const lines = (await readFile(first.path, 'utf8')).split('\n');
    await writeFile(first.path, [lines[0], 'damaged', ...lines.slice(1, -1), '0000'].join('\n'));
    const third = await open({}, first.path);
    expect(third.notices.map(({ code }) => code)).toEqual(['RIV_CORRUPT']);
    const last: string[] = [];
    const back = connect(third.url, { protocolVersion: 4, clientId: 'reader', clean: false });
    closing.push(() => back.endAsync(true));
    back.on('message', (_, payload) => last.push(String(payload)));
    await until(() => back.connected, 'the session is back');
    await back.publishAsync('out/y', 'new', { qos: 1 });
    await until(() => last.length > 0, 'a new message by the old subscription');
    expect(last).toEqual(['new']);
  });

  it('drops and counts what is too much for the queue of a subscriber that is away', async () => {
    const limits = { clients: 10, clientsPerUser: 10, messagesPerSecond: null, queue: 5 };
    const { url, door } = await open({ limits });
    const options = { protocolVersion: 4 as const, clientId: 'away', clean: false };
    const reader = await client(url, { ...options, reconnectPeriod: 0 });
    await reader.subscribeAsync('#', { qos: 1 });
    await reader.endAsync();
    const device = await client(url, { protocolVersion: 4 });
    for (let n = 0; n < 20; n++) {
      await device.publishAsync('a', `${n}`, { qos: 1 });
    }
    const seen: string[] = [];
    const back = connect(url, options);
    closing.push(() => back.endAsync(true));
    back.on('message', (_, payload) => seen.push(String(payload)));
    await until(() => seen.length >= 5, 'the queue');
    await pause(50);
    expect(seen).toEqual(['0', '1', '2', '3', '4']);
    expect(door.status().broker).toMatchObject({ dropped: 15 });
    await device.publishAsync('a', 'live', { qos: 1 });
    await until(() => seen.length >= 6, 'a message of now');
  });

  it('refuses a file of next year', async () => {
    const { path } = await brokerDoor();
    const text = '{"broker":2}';
    await writeFile(path, `${crc32c(Buffer.from(text)).toString(16).padStart(8, '0')} ${text}\n`);
    await expect(open({}, path)).rejects.toMatchObject({ code: 'RIV_TOO_NEW' });
  });

  describe.skipIf(opensslAbsent !== null)(`over TLS ${opensslAbsent ?? ''}`, () => {
    it('asks for a certificate where an authority is named, and says who was refused', async () => {
      const authority = await makeAuthority();
      closing.push(authority.remove);
      const own = await authority.issue('broker');
      const device = await authority.issue('device');
      const { url, log, notices } = await open({ tls: { ...own, ca: authority.ca } });
      const ca = await readFile(authority.ca);
      const refused = await connectAsync(url, { protocolVersion: 4, ca, reconnectPeriod: 0 }, false).catch(
        (error) => error,
      );
      expect(refused).toBeInstanceOf(Error);
      await until(() => notices.length > 0, 'a notice');
      expect(notices[0]).toMatchObject({ code: 'RIV_CLIENT_REFUSED' });
      const [cert, key] = [await readFile(device.cert), await readFile(device.key)];
      const allowed = await client(url, { protocolVersion: 4, ca, cert, key });
      await allowed.publishAsync('a', 'over TLS', { qos: 2 });
      expect(log.messages()).toMatchObject([{ payload: 'over TLS' }]);
    });
  });
});
