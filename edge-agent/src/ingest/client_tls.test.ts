/**
 * TLS and login of the client door against a real mosquitto that requires both: what is right connects, what is wrong is
 * said with its code, and the door goes on trying.
 */
import { execFileSync } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MqttDoor } from '@rivulet/host';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, makeAuthority, opensslAbsent } from '../../../test/support/certificates.ts';
import { closeAll, closing, client as connectDevice, mqttDoor, setUp, until } from '../../../test/support/doors.ts';
import { type Mosquitto, mosquittoAbsent, startMosquitto } from '../../../test/support/mosquitto.ts';
import { openClientDoor } from './client_door.ts';

const absent = mosquittoAbsent ?? opensslAbsent;
afterEach(closeAll);

describe.skipIf(absent !== null)(`the client door over TLS ${absent ?? ''}`, () => {
  let authority: Authority;
  let mosquitto: Mosquitto;
  let ours: { cert: string; key: string };
  const passwords = (): string => join(authority.directory, 'passwords');
  beforeAll(async () => {
    authority = await makeAuthority();
    ours = await authority.issue('gateway');
    execFileSync('mosquitto_passwd', ['-c', '-b', passwords(), 'gw', 'right'], { stdio: 'ignore' });
    mosquitto = await startMosquitto({ more: await listener('127.0.0.1') });
  });
  afterAll(async () => {
    await mosquitto.stop();
    await authority.remove();
  });

  async function listener(name: string, days = 2): Promise<string> {
    const { cert, key } = await authority.issue(name, {
      days,
      ...(name === 'elsewhere' ? { address: '10.0.0.1' } : {}),
    });
    return `cafile ${authority.ca}\ncertfile ${cert}\nkeyfile ${key}\nrequire_certificate true\nallow_anonymous false\npassword_file ${passwords()}\n`;
  }

  function open(own: Partial<MqttDoor>) {
    const parts = setUp();
    const tls = { ca: authority.ca, ...ours, serverName: null };
    const login = { user: { text: 'gw' }, password: { text: 'right' } };
    const config = mqttDoor({ url: mosquitto.url, tls, ...login, ...own });
    const door = openClientDoor(config, [`${parts.context.gateway}/#`], parts.context);
    closing.push(() => door.close());
    return { ...parts, door };
  }

  it('brings messages with a certificate and a password of ours', async () => {
    const { door, log, context, notices } = open({});
    await until(() => door.connected(), 'the door is connected');
    const tls = { ca: await readFile(authority.ca), cert: await readFile(ours.cert), key: await readFile(ours.key) };
    const device = await connectDevice(mosquitto.url, { ...tls, username: 'gw', password: 'right' });
    for (let n = 0; n < 300; n++) {
      await device.publishAsync(`${context.gateway}/x`, `${n}`.padEnd(n % 50 === 0 ? 40_000 : 5), {
        qos: (n % 3) as 0 | 1 | 2,
      });
    }
    await until(() => log.messages().length === 300, '300 messages');
    expect(
      log
        .messages()
        .map(({ payload }) => Number(payload))
        .toSorted((a, b) => a - b),
    ).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(notices).toEqual([]);
  });

  it('takes the password from a file that is read at each connection', async () => {
    const file = join(authority.directory, 'secret');
    await writeFile(file, 'wrong\n');
    const { door, notices } = open({ password: { file } });
    await until(() => notices.length > 0, 'a notice');
    expect(notices[0]).toMatchObject({ code: 'RIV_MQTT_REFUSED' });
    await writeFile(file, 'right\n');
    await until(() => door.connected(), 'the door is connected');
  });

  const wrong: [string, () => Promise<Partial<MqttDoor>>, string, RegExp][] = [
    [
      'a wrong password',
      async () => ({ password: { text: 'wrong' } }),
      'RIV_MQTT_REFUSED',
      /[Nn]ot authorized.*password/,
    ],
    ['no authority', async () => tlsOf({ ca: null }), 'RIV_MQTT_TLS', /tls\.ca/],
    ['the authority of others', async () => tlsOf({ ca: await foreign() }), 'RIV_MQTT_TLS', /tls\.ca/],
    ['no certificate', async () => tlsOf({ cert: null, key: null }), 'RIV_MQTT_(TLS|UNREACHABLE)', /tls\.cert/],
  ];
  function tlsOf(own: object): Partial<MqttDoor> {
    return { tls: { ca: authority.ca, ...ours, serverName: null, ...own } };
  }
  async function foreign(): Promise<string> {
    const other = await makeAuthority();
    closing.push(other.remove);
    const copy = join(authority.directory, 'foreign.pem');
    await copyFile(other.ca, copy);
    return copy;
  }
  it.each(wrong)('says so with %s, and goes on trying', async (_, own, code, words) => {
    const { door, notices } = open(await own());
    await until(() => notices.length > 1, 'two notices');
    expect(notices[0]?.code).toMatch(new RegExp(`^${code}$`));
    expect(notices[0]?.message).toMatch(words);
    expect(notices[0]?.message).toContain(mosquitto.url);
    expect(door.connected()).toBe(false);
  });

  it.each([
    ['has expired', '127.0.0.1', -1, /expired.*Renew/],
    ['is for another name', 'elsewhere', 2, /server_name/],
  ])("says so when the broker's certificate %s", async (_, name, days, words) => {
    const other = await startMosquitto({ more: await listener(name, days) });
    closing.push(() => other.stop());
    const { notices } = open({ url: other.url });
    await until(() => notices.length > 0, 'a notice');
    expect(notices[0]?.code).toBe('RIV_MQTT_TLS');
    expect(notices[0]?.message).toMatch(words);
  });

  it('goes by `server_name` where the address is not in the certificate', async () => {
    const other = await startMosquitto({ more: await listener('elsewhere') });
    closing.push(() => other.stop());
    const { door } = open({ url: other.url, ...tlsOf({ serverName: 'elsewhere' }) });
    await until(() => door.connected(), 'the door is connected');
  });

  it('does not open with a certificate of ours that has expired, is not there, or does not fit its key', async () => {
    const expired = await authority.issue('expired', { days: -1 });
    const other = await authority.issue('other');
    expect(() => open(tlsOf(expired))).toThrow(/RIV_MQTT_TLS|expired/);
    expect(() => open(tlsOf({ cert: '/no/such/file' }))).toThrow(/cannot read the file of `mqtt.tls.cert`/);
    expect(() => open(tlsOf({ key: other.key }))).toThrow(/mismatch/i);
  });
});
