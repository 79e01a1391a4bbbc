/**
 * A gateway as a real process, from publishers to replay: killed in the middle, stopped cleanly, given a full disk, a broken
 * configuration, another plan. The devices number their messages, so that every one can be counted.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ledger } from '@rivulet/host';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from '../support/agent.ts';
import { freePort, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

let directory = '';
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-gateway-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function configure(door: string, more = ''): Promise<string> {
  const path = join(directory, 'rivulet.yaml');
  await writeFile(
    path,
    `gateway: plant-7
about: "a test"
state: ${join(directory, 'state')}
${door}
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
windows:
  - { name: minute, every: 1m, of: [temp], stats: [mean, count], lateness: 5s }
tasks:
  - { name: soon, forecast: temp, horizon: 10s }
${more}
outputs:
  - { predictions: "*", topic: "rivulet/plant-7/{task}/{key}" }
  - { windows: minute, topic: "rivulet/plant-7/windows/{key}" }
`,
  );
  return path;
}

function start(config: string, options?: Parameters<typeof startAgentProcess>[1]): AgentProcess {
  const agent = startAgentProcess(config, options);
  closing.push(() => agent.kill());
  return agent;
}

/** A device that numbers its messages and keeps every one until it is acknowledged. */
async function device(url: string, key: string) {
  const client: MqttClient = await connectAsync(url, {
    ...{ protocolVersion: 4, clean: false, clientId: `device-${key}-${process.pid}`, reconnectPeriod: 50 },
  });
  client.on('error', () => undefined);
  closing.push(() => client.endAsync(true));
  let n = 0;
  let acked = 0;
  const startMs = Date.now() - 6 * 3_600_000;
  return {
    client,
    sent: () => n,
    acked: () => acked,
    /** Resolves when it is acknowledged; given up by the client in a lost connection, it is sent again. */
    async send(qos: 1 | 2 = 1): Promise<void> {
      n += 1;
      const value = 20 + 5 * Math.sin(n / 40) + (n % 7) * 0.01;
      const payload = JSON.stringify({ value, ts: startMs + n * 1000, n });
      while (!client.disconnecting) {
        try {
          await client.publishAsync(`b/${key}/temp`, payload, { qos });
          acked += 1;
          return;
        } catch {
          await pause(50);
        }
      }
    },
  };
}

async function expectReplayEqual(digest: string, messages: number): Promise<void> {
  for (const core of ['scalar', 'simd']) {
    const { code, out, err } = await runRivulet('replay', join(directory, 'state'), '--json', '--core', core);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(JSON.parse(out)).toMatchObject({ messages, digest });
  }
}

function expectLedgerAddsUp(status: { ledger: Ledger }): void {
  const { received, ...fates } = status.ledger;
  expect(Object.values(fates).reduce((sum, count) => sum + count, 0)).toBe(received);
}

describe('a gateway', () => {
  it('killed in the middle, again and again, misses no acknowledged message and counts none twice (broker door)', async () => {
    const port = await freePort();
    const config = await configure(`broker: { listen: ${port} }`);
    let agent = start(config);
    await agent.ready();
    const devices = [await device(`mqtt://127.0.0.1:${port}`, 'r1'), await device(`mqtt://127.0.0.1:${port}`, 'r2')];
    const sending: Promise<void>[] = [];
    for (let kill = 0; kill < 3; kill++) {
      for (let round = 0; round < 40; round++) {
        for (const each of devices) {
          sending.push(each.send(), each.send(), each.send());
        }
        await pause(5);
      }
      await agent.kill();
      for (const each of devices) {
        sending.push(each.send()); // into the void, until the gateway is back
      }
      agent = start(config);
      await agent.ready();
    }
    await Promise.all(sending);
    const stopped = await agent.stop();
    const sent = devices.reduce((sum, each) => sum + each.sent(), 0);
    expect(devices.reduce((sum, each) => sum + each.acked(), 0)).toBe(sent);
    const rooms = stopped.sources.find(({ name }) => name === 'rooms');
    expect(rooms).toMatchObject({ gaps: 0, guarantee: 'exactly once' });
    // What was sent again after a kill may come behind its window: then it is late, but it is counted, and once.
    expect((rooms?.used ?? 0) + (rooms?.late ?? 0)).toBe(sent);
    expectLedgerAddsUp(stopped);
    await expectReplayEqual(stopped.digest, stopped.messages);
  }, 180_000);

  it.skipIf(mosquittoAbsent !== null)(
    `killed in the middle behind a broker, takes QoS 1 and 2 exactly once ${mosquittoAbsent ?? ''}`,
    async () => {
      const mosquitto = await startMosquitto();
      closing.push(() => mosquitto.stop());
      const config = await configure(`mqtt: { url: "${mosquitto.url}", qos: 2 }`);
      let agent = start(config);
      await agent.ready();
      await agent.until(() => agent.status()?.connected === true, 'the door is connected');
      await pause(200); // SUBACK
      const sensor = await device(mosquitto.url, 'r1');
      const sending: Promise<void>[] = [];
      for (let kill = 0; kill < 3; kill++) {
        for (let round = 0; round < 60; round++) {
          sending.push(sensor.send(1), sensor.send(2), sensor.send(1));
          await pause(4);
        }
        await agent.kill();
        agent = start(config);
        await agent.ready();
      }
      await Promise.all(sending);
      const counted = (status = agent.status()) => (status?.ledger.used ?? 0) + (status?.ledger.late ?? 0);
      await agent.until(() => counted() >= sensor.sent(), 'all messages');
      const stopped = await agent.stop();
      expect(counted(stopped)).toBe(sensor.sent());
      expect(stopped.ledger).toMatchObject({ quarantined: 0, filtered: 0, retained: 0 });
      expect(stopped.sources[0]?.gaps).toBe(0);
      expectLedgerAddsUp(stopped);
      await expectReplayEqual(stopped.digest, stopped.messages);
    },
    180_000,
  );

  it('publishes predictions with interval, error so far, model version and id, and window results', async () => {
    const config = await configure('broker: { listen: 0 }');
    const agent = start(config);
    const { brokerPort } = await agent.ready();
    const seen = new Map<string, Record<string, unknown>>();
    const reader = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { protocolVersion: 4 });
    closing.push(() => reader.endAsync(true));
    await reader.subscribeAsync('rivulet/#', { qos: 1 });
    reader.on('message', (topic, payload) => seen.set(topic, JSON.parse(String(payload))));
    const sensor = await device(`mqtt://127.0.0.1:${brokerPort}`, 'r1');
    for (let n = 0; n < 300; n++) {
      await sensor.send();
    }
    await agent.until(() => seen.size >= 2, 'a prediction and a window');
    const prediction = seen.get('rivulet/plant-7/soon/r1') ?? {};
    expect(prediction).toMatchObject({ task: 'soon', key: 'r1', horizon: 10_000, release: null });
    expect(prediction.id).toMatch(/^\d+-\d+$/);
    expect(Number(prediction.low)).toBeLessThanOrEqual(Number(prediction.value));
    expect(Number(prediction.high)).toBeGreaterThanOrEqual(Number(prediction.value));
    expect(prediction.error).toBeTypeOf('number');
    expect(prediction.error_last_value).toBeTypeOf('number');
    const window = seen.get('rivulet/plant-7/windows/r1') ?? {};
    expect(window).toMatchObject({ window: 'minute', key: 'r1', field: 'temp', count: 60, final: true });
    const stopped = await agent.stop();
    expect(stopped.tasks[0]?.matured).toBeGreaterThan(0);
  }, 30_000);

  it('keeps what it cannot read in quarantine, and counts it', async () => {
    const config = await configure('broker: { listen: 0 }');
    const agent = start(config);
    const { brokerPort } = await agent.ready();
    const sensor = await device(`mqtt://127.0.0.1:${brokerPort}`, 'r1');
    await sensor.send();
    await sensor.client.publishAsync('b/r1/temp', '{"v": 1, "ts": }', { qos: 1 });
    await sensor.client.publishAsync('elsewhere', '1', { qos: 1 });
    const stopped = await agent.stop();
    expect(stopped.ledger).toMatchObject({ received: 3, used: 1, quarantined: 1, filtered: 1 });
    const kept = (await readdir(join(directory, 'state', 'quarantine'))).filter((name) => name.endsWith('.rvqr'));
    expect(kept.length).toBe(1);
    const listed = await runRivulet('quarantine', 'ls', join(directory, 'state'), '--json');
    // Where reading stopped, and what stands there.
    expect(JSON.parse(listed.out)).toMatchObject({ code: 'RIV_CORE_CORRUPT', topic: 'b/r1/temp', path: 'byte 15' });
  }, 30_000);

  it('goes on under another plan, and its replay follows', async () => {
    const port = await freePort();
    let agent = start(await configure(`broker: { listen: ${port} }`));
    await agent.ready();
    const sensor = await device(`mqtt://127.0.0.1:${port}`, 'r1');
    for (let n = 0; n < 50; n++) {
      await sensor.send();
    }
    await agent.stop();
    agent = start(await configure(`broker: { listen: ${port} }`, '  - { name: odd, anomaly: temp }'));
    await agent.ready();
    const sending = Array.from({ length: 50 }, () => sensor.send());
    await Promise.all(sending);
    const stopped = await agent.stop();
    expect(stopped.ledger.used).toBe(100);
    expect(stopped.tasks.map(({ name }) => name)).toEqual(['soon', 'odd']);
    await expectReplayEqual(stopped.digest, stopped.messages);
  }, 30_000);

  it('can be replayed while it runs', async () => {
    const agent = start(await configure('broker: { listen: 0 }'));
    const { brokerPort } = await agent.ready();
    const sensor = await device(`mqtt://127.0.0.1:${brokerPort}`, 'r1');
    for (let n = 0; n < 20; n++) {
      await sensor.send();
    }
    const { code, out } = await runRivulet('replay', join(directory, 'state'), '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ messages: 20 });
    expect((await agent.stop()).messages).toBe(20);
  }, 30_000);

  it('refuses a state directory that another gateway uses', async () => {
    const config = await configure('broker: { listen: 0 }');
    const agent = start(config);
    await agent.ready();
    const second = start(config);
    expect(await second.ended()).toBe(1);
    expect(second.events).toMatchObject([{ event: 'error', code: 'RIV_STATE_LOCKED' }]);
    await agent.stop();
  }, 30_000);

  it('says in one line where a configuration is wrong', async () => {
    const config = await configure('broker: { listne: 1883 }');
    const { code, out, err } = await runRivulet('run', '--config', config);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.trim().split('\n').length).toBe(1);
    expect(err).toMatch(/^RIV_CONFIG_UNKNOWN: .*rivulet\.yaml:4:\d+: /);
  });

  it('says which port is busy', async () => {
    const agent = start(await configure('broker: { listen: 0 }'));
    const { brokerPort } = await agent.ready();
    const second = await configure(`broker: { listen: ${brokerPort} }`);
    const { code, err } = await runRivulet('run', '--config', second, '--state', join(directory, 'second'));
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`^RIV_PORT_BUSY: .*${brokerPort}`));
    await agent.stop();
  }, 30_000);

  it.skipIf(!existsSync('/usr/bin/prlimit'))(
    'stops with a code when the log cannot be written, and has acknowledged nothing that is lost',
    async () => {
      const port = await freePort();
      const config = await configure(`broker: { listen: ${port} }\nlog: { commit: 2ms, keep: 1GB }\nsync: null`);
      // No file may grow beyond this: the write fails with EFBIG in the middle.
      const agent = start(config, { before: ['/usr/bin/prlimit', '--fsize=60000'] });
      await agent.ready();
      const sensor = await device(`mqtt://127.0.0.1:${port}`, 'r1');
      for (let n = 0; n < 800; n++) {
        void sensor.send();
        await pause(1);
      }
      expect(await agent.ended()).toBe(1);
      expect(agent.events.at(-1)).toMatchObject({ event: 'error' });
      expect(agent.complaints()).toMatch(/^RIV_LOG_(WRITE|FULL): /m);
      const acked = sensor.acked();
      expect(acked).toBeGreaterThan(100);
      expect(acked).toBeLessThan(800);
      await sensor.client.endAsync(true);
      const again = start(config);
      await again.ready();
      expect((await again.stop()).ledger.used).toBeGreaterThanOrEqual(acked);
    },
    30_000,
  );
});
