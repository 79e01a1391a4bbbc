/** A gateway whose state comes from a backup goes on as a new incarnation; one that is started twice raises the alarm. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AgentProcess, startAgentProcess } from '../support/agent.ts';
import { type CoordinatorUnderTest, startCoordinator, until } from '../support/coordinator.ts';

let directory = '';
let cloud: CoordinatorUnderTest;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-twice-'));
  cloud = await startCoordinator();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await cloud.stop();
  await rm(directory, { recursive: true, force: true });
});

async function start(state: string): Promise<{ agent: AgentProcess; brokerPort: number }> {
  const config = join(directory, `${state}.yaml`);
  await writeFile(
    config,
    `gateway: one
state: ${join(directory, state)}
broker: { listen: 0 }
sources:
  - { topic: "b/{sensor}", key: r, fields: { "{sensor}": value }, time: ts, seq: n }
tasks:
  - { name: soon, forecast: temp, horizon: 10s, every: 1s }
sync: { url: "${cloud.url}", every: 200ms }
`,
  );
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  return { agent, ...(await agent.ready()) };
}

const startMs = Date.now() - 7_200_000;
async function publish(port: number, from: number, to: number, lift = 0): Promise<void> {
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
  for (let n = from; n < to; n++) {
    const value = lift + 20 + 5 * Math.sin(n / 40) + (n % 7) * 0.01;
    await device.publishAsync('b/temp', JSON.stringify({ value, ts: startMs + n * 1000, n }), { qos: 1 });
  }
  await device.endAsync();
}

const held = () => cloud.store.deltas.contributionsOf('one')[0];

it('a gateway restored from an old backup takes a new incarnation, and what it learns counts', async () => {
  const first = await start('state');
  await publish(first.brokerPort, 0, 400);
  const before = await until(held, 'a delta');
  await first.agent.stop();
  await cp(join(directory, 'state'), join(directory, 'backup'), { recursive: true });
  const second = await start('state');
  await publish(second.brokerPort, 400, 500);
  await until(() => (held()?.seq ?? 0) > before.seq + 1, 'later deltas');
  await second.agent.stop();

  await rm(join(directory, 'state'), { recursive: true });
  await cp(join(directory, 'backup'), join(directory, 'state'), { recursive: true });
  const third = await start('state');
  await publish(third.brokerPort, 400, 450, 1);
  const after = await until(() => held()?.incarnation !== before.incarnation && held(), 'a new incarnation');
  expect(after?.seq).toBeGreaterThan(0);
  expect(cloud.coordinator.gateway('one')).toMatchObject({ cloned_since: null, incarnations: { length: 2 } });
}, 60_000);

it('two gateways that live with one key are both quarantined, with an alarm, until an operator has seen to it', async () => {
  const alarms: string[] = [];
  cloud.coordinator.subscribe((event) => event.kind === 'failure' && alarms.push(event.error.code));
  const original = await start('state');
  await publish(original.brokerPort, 0, 400);
  await until(held, 'a delta');
  await original.agent.stop();
  await cp(join(directory, 'state'), join(directory, 'copy'), { recursive: true });
  const pair = [await start('state'), await start('copy')] as const;
  await Promise.all(pair.map(({ brokerPort }, at) => publish(brokerPort, 400, 440, at)));
  await until(() => cloud.coordinator.gateway('one').cloned_since, 'the alarm');
  expect(alarms).toEqual(['RIV_GATEWAY_CLONED']);

  const frozen = held();
  await Promise.all(pair.map(({ brokerPort }, at) => publish(brokerPort, 440, 480, at)));
  for (const { agent } of pair) {
    await agent.until(() => agent.status()?.last_error?.code === 'RIV_GATEWAY_CLONED', 'the notice');
  }
  expect(held()).toEqual(frozen);
  expect(cloud.store.quarantine.list(1)[0]?.code).toBe('RIV_GATEWAY_CLONED');

  await pair[1].agent.stop();
  cloud.coordinator.operate({ do: 'forget', gateway: 'one', allowReturn: true });
  await publish(pair[0].brokerPort, 480, 500);
  await until(held, 'the one that is left');
  await pair[0].agent.until(() => pair[0].agent.status()?.last_error === undefined, 'the end of the notice');
}, 90_000);

it('a gateway that was taken out says so, and is back with all it had when its operator lets it', async () => {
  const { agent, brokerPort } = await start('state');
  await publish(brokerPort, 0, 400);
  await until(held, 'a delta');
  cloud.coordinator.operate({ do: 'forget', gateway: 'one', allowReturn: false });
  await publish(brokerPort, 400, 440);
  await agent.until(() => agent.status()?.last_error?.code === 'RIV_GATEWAY_FORGOTTEN', 'the notice');
  expect(held()).toBe(undefined);
  cloud.coordinator.operate({ do: 'forget', gateway: 'one', allowReturn: true });
  // nothing new is learned: what was refused is handed in again
  await until(held, 'what it had');
  await agent.until(() => agent.status()?.last_error === undefined, 'the end of the notice');
}, 60_000);
