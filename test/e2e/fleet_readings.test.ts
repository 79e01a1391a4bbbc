/** Two gateways and a coordinator, all real: what one measures is a feature of the other, in its log and in every replay. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { startCoordinator } from '../support/coordinator.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function gateway(directory: string, name: string, url: string) {
  const config = join(directory, `${name}.yaml`);
  await writeFile(
    config,
    `gateway: ${name}
state: ${join(directory, name)}
broker: { listen: 0 }
sources: [{ topic: "air/{site}", key: "{site}", fields: { pm25: v }, time: ts }]
tasks: [{ name: soon, forecast: pm25, horizon: 10s, every: 0s, features: [pm25, pm25_neighbours, pm25_neighbours.age] }]
fleet: { mean: pm25, of: neighbours }
sync: { url: "${url}", every: 200ms }
`,
  );
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  const { brokerPort } = await agent.ready();
  const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { protocolVersion: 4 });
  closing.push(() => device.endAsync());
  return { agent, device, state: join(directory, name) };
}

const say = (device: MqttClient, site: string, v: number, ts: number) =>
  device.publishAsync(`air/${site}`, JSON.stringify({ v, ts }), { qos: 1 });

it('what the neighbours measure enters the log and is a feature, live and in replay', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-readings-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  const cloud = await startCoordinator();
  closing.push(() => cloud.stop());
  const [north, south] = [await gateway(directory, 'north', cloud.url), await gateway(directory, 'south', cloud.url)];
  const startMs = Date.now() - 60_000;
  await say(north.device, 'n', 10, startMs);
  // The clocks of the south are ten hours ahead, which is no reason to take what the north measures for late.
  await say(south.device, 's1', 30, startMs + 36_000_100);
  const own = (agent: typeof north.agent) =>
    agent.status()?.sources.find(({ name }) => name === 'fleet-pm25_neighbours')?.used ?? 0;
  await north.agent.until(() => own(north.agent) === 1, 'the first reading of the south');
  await say(south.device, 's2', 50, startMs + 36_000_200);
  await north.agent.until(() => own(north.agent) === 2, 'the mean of its two');
  // an outsider cannot say what the fleet measures
  const before = own(north.agent);
  await north.device.publishAsync('rivulet/fleet/pm25_neighbours', '{"at":1,"rows":[{"key":"n","value":1}]}', {
    qos: 1,
  });
  await say(north.device, 'n', 11, startMs + 20_000);
  await north.agent.until(() => (north.agent.status()?.tasks[0]?.predictions ?? 0) > 1, 'a prediction with it');
  expect(own(north.agent)).toBe(before);
  expect(north.agent.status()?.sources[0]).toMatchObject({ used: 2, late: 0 });
  const stopped = await north.agent.stop();
  expect(stopped.last_error).toBeUndefined();
  const { out } = await runRivulet('replay', north.state, '--json');
  expect(JSON.parse(out)).toMatchObject({ messages: stopped.messages, digest: stopped.digest });
  const table = await runRivulet('features', 'export', north.state, '--task', 'soon');
  const [header = '', ...rows] = table.out.trim().split('\n');
  const place = header.split(',').indexOf('pm25_neighbours');
  expect(rows.map((row) => row.split(',')[place])).toContain('40');
}, 120_000);
