/** A gateway that reaches nothing but its broker, and a coordinator at the same broker that is killed in between: real processes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, expect, it } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { startCloudProcess } from '../support/cloud.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const startMs = Date.now() - 6 * 3_600_000;
async function publish(url: string, from: number, to: number): Promise<void> {
  const device = await connectAsync(url);
  for (let n = from; n < to; n++) {
    const value = 20 + 5 * Math.sin(n / 40) + (n % 7) * 0.01;
    await device.publishAsync('b/r1/temp', JSON.stringify({ value, ts: startMs + n * 1000, n }), { qos: 1 });
  }
  await device.endAsync();
}

it.skipIf(mosquittoAbsent !== null)(
  'what is learned goes up over the broker and a release comes down, over kill -9 of the coordinator',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-broker-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const mosquitto = await startMosquitto();
    closing.push(() => mosquitto.stop());
    const more = ['--mqtt', mosquitto.url];
    const state = join(directory, 'coordinator');
    const first = await startCloudProcess(state, { more });
    closing.push(() => first.kill());
    const config = join(directory, 'gateway.yaml');
    await writeFile(
      config,
      `gateway: one
state: ${join(directory, 'one')}
mqtt: { url: "${mosquitto.url}" }
sources:
  - { topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
tasks:
  - { name: soon, forecast: temp, horizon: 10s, every: 1s }
sync: { url: "${mosquitto.url}", every: 300ms }
`,
    );
    const agent = startAgentProcess(config);
    closing.push(() => agent.kill());
    await agent.ready();
    await agent.until(() => agent.status()?.connected === true, 'its broker');
    await publish(mosquitto.url, 0, 300);
    await agent.until(() => (agent.status()?.releases_accepted ?? 0) > 0, 'a release');
    const before = agent.status()?.tasks[0]?.release;
    await first.kill();
    await publish(mosquitto.url, 300, 600);
    const second = await startCloudProcess(state, { more });
    closing.push(() => second.stop());
    await agent.until(() => agent.status()?.tasks[0]?.release !== before, 'a release of the second life');
    await agent.until(() => agent.status()?.last_error === undefined, 'the end of the notice');
    const { gateways } = (await (await fetch(`${second.url}/api/v1/fleet`)).json()) as { gateways: { id: string }[] };
    expect(gateways.map(({ id }) => id)).toEqual(['one']);
    expect((await agent.stop()).last_error).toBeUndefined();
  },
  120_000,
);
