/**
 * Devices of several kinds on one source, as most sites have them: rooms that measure temperature, one of them without
 * humidity, meters that measure neither. Two gateways hear the same devices in another order; both learn, agree on the
 * features, and get a model made of both. Then every humidity sensor falls silent, and learning goes on.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { numbersFrom } from '../golden/numbers.ts';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { startCoordinator } from '../support/coordinator.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

const START_MS = 1_760_000_000_000;
/** What each device says at a step; `dry`: after the humidity sensors have fallen silent. */
const DEVICES: Record<string, (value: number, dry: boolean) => object> = {
  r1: (value, dry) => ({ t: value, ...(dry ? {} : { h: 60 - value }) }),
  r2: (value, dry) => ({ t: value + 1, ...(dry ? {} : { h: 55 - value }), n: 3 }),
  r3: (value, dry) => ({ t: value - 1, ...(dry ? {} : { h: 50 - value }) }),
  r4: (value) => ({ t: value + 2 }),
  m1: (value) => ({ p: 100 * value }),
  m2: (value) => ({ p: 90 * value }),
};

async function gateway(directory: string, name: string, url: string) {
  const config = join(directory, `${name}.yaml`);
  await writeFile(
    config,
    `gateway: ${name}
state: ${join(directory, name)}
broker: { listen: 0 }
sources:
  - { name: site, topic: "site/{device}", key: "{device}", time: ts, seq: seq,
      fields: { temperature: t, humidity: h, people: n, power: p } }
tasks:
  - { name: soon, forecast: temperature, horizon: 10s, every: 1s }
sync: { url: "${url}", every: 300ms, token: secret }
`,
  );
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  const { brokerPort } = await agent.ready();
  return { agent, brokerPort, state: join(directory, name) };
}

/** Each device speaks once a second, in an order that depends on the seed and changes from second to second. */
async function publish(port: number, [from, to]: [number, number], seed: number, dry: boolean): Promise<void> {
  const numbers = numbersFrom(seed);
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
  for (let n = from; n < to; n++) {
    const value = 20 + 5 * Math.sin(n / 40) + (n % 7) * 0.01;
    const order = Object.entries(DEVICES).map(([device, say]) => ({ device, say, place: numbers.next() }));
    order.sort((a, b) => a.place - b.place);
    await Promise.all(
      order.map(({ device, say }) => {
        const payload = JSON.stringify({ ...say(value, dry), ts: START_MS + n * 1000, seq: n });
        return client.publishAsync(`site/${device}`, payload, { qos: 1 });
      }),
    );
  }
  await client.endAsync();
}

describe('devices of several kinds on one source', () => {
  it('give features that their rows have, the same at every gateway, and outlive a kind of sensor', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-mixed-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const coordinator = await startCoordinator({ token: 'secret' });
    closing.push(() => coordinator.stop());
    const gateways = await Promise.all(['one', 'two'].map((name) => gateway(directory, name, coordinator.url)));
    await Promise.all(gateways.map(({ brokerPort }, index) => publish(brokerPort, [0, 120], index + 1, false)));
    for (const { agent } of gateways) {
      await agent.until(() => (agent.status()?.releases_accepted ?? 0) > 0, 'a release');
    }
    const rowsBefore = gateways.map(({ agent }) => agent.status()?.tasks[0]?.rows ?? 0);
    await Promise.all(gateways.map(({ brokerPort }, index) => publish(brokerPort, [120, 180], index + 1, true)));
    const stopped = [];
    for (const { agent } of gateways) {
      stopped.push(await agent.stop());
    }
    for (const [index, { tasks, messages, digest }] of stopped.entries()) {
      const [task] = tasks;
      expect(task?.features.filter((name) => !name.includes('.'))).toEqual(['humidity', 'temperature']);
      expect(task?.schema).toBe(stopped[0]?.tasks[0]?.schema);
      // Four rooms, sixty seconds more: every matured prediction is a row, with humidity or without.
      expect(task?.rows).toBe(task?.matured);
      expect(task?.rows).toBeGreaterThanOrEqual((rowsBefore[index] ?? 0) + 4 * 50);
      const missing = new Map(task?.features.map((name, place) => [name, task.missing[place]]));
      expect(missing.get('temperature')).toBe(0);
      // One room never had a sensor.
      expect(missing.get('humidity')).toBeGreaterThan(0);
      const { out } = await runRivulet('replay', gateways[index]?.state ?? '', '--json');
      expect(JSON.parse(out)).toMatchObject({ messages, digest });
    }
  }, 60_000);
});
