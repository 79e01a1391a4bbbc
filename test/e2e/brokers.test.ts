/** A gateway with several brokers at once: one log, one state, sources that name their broker. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

let directory = '';
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-brokers-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});

describe.skipIf(mosquittoAbsent !== null)(`several brokers ${mosquittoAbsent ?? ''}`, () => {
  it('feed one log and one state; a source takes only what comes from the broker it names', async () => {
    const brokers = [await startMosquitto(), await startMosquitto()] as const;
    closing.push(...brokers.map((broker) => () => broker.stop()));
    const config = join(directory, 'rivulet.yaml');
    await writeFile(
      config,
      `gateway: plant-7
state: ${join(directory, 'state')}
mqtt:
  - { name: hall, url: "${brokers[0].url}" }
  - { name: yard, url: "${brokers[1].url}", password: { env: RIVULET_TEST_PASSWORD }, user: someone }
sources:
  - { name: both, topic: "a/{room}", fields: { v: value }, seq: n }
  - { name: hall only, topic: "h/{room}", fields: { v: value }, door: hall }
`,
    );
    process.env.RIVULET_TEST_PASSWORD = 'taken from the environment';
    const agent = startAgentProcess(config);
    closing.push(() => agent.kill());
    await agent.ready();
    await agent.until(() => agent.status()?.doors.every(({ connected }) => connected) === true, 'both are connected');
    await new Promise((resolve) => setTimeout(resolve, 200)); // SUBACK
    for (const [at, broker] of brokers.entries()) {
      const device = await connectAsync(broker.url);
      closing.push(() => device.endAsync(true));
      for (let n = 0; n < 50; n++) {
        await device.publishAsync(`a/r${at}`, JSON.stringify({ value: n, n }), { qos: 1 });
        await device.publishAsync(`h/r${at}`, JSON.stringify({ value: n }), { qos: 1 });
      }
    }
    await agent.until(() => (agent.status()?.messages ?? 0) >= 150, 'all messages');
    await brokers[1].kill();
    await agent.until(() => agent.status()?.doors[1]?.connected === false, 'the loss is noticed');
    await agent.until(() => agent.status()?.last_error?.code === 'RIV_MQTT_UNREACHABLE', 'why it is away');
    const status = agent.status();
    expect(status?.doors.map(({ name, connected }) => [name, connected])).toEqual([
      ['hall', true],
      ['yard', false],
    ]);
    await brokers[1].start();
    await agent.until(() => agent.status()?.connected === true, 'both are connected again');
    expect(agent.status()?.last_error).toBeUndefined();
    const stopped = await agent.stop();
    // The yard was asked for what all sources want and for nothing of the hall's.
    expect(stopped.sources.map(({ name, used }) => [name, used])).toEqual([
      ['both', 100],
      ['hall only', 50],
      ['(no source)', 0],
    ]);
    const held = JSON.parse(await readFile(join(directory, 'state', 'subscriptions.json'), 'utf8'));
    // in the order in which the brokers had answered
    const heldAt = ({ url }: { url: string }) => Object.keys(held).find((session) => session.endsWith(url)) as string;
    expect(brokers.map((broker) => held[heldAt(broker)])).toEqual([['a/+', 'h/+'], ['a/+']]);
    expect(Object.keys(held)).toHaveLength(2);
  }, 30_000);
});
