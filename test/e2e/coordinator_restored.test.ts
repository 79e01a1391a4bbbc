/** A coordinator goes back to an old backup under a live gateway that has nothing new to say: it gets everything again. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, expect, it } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { startCoordinator, until } from '../support/coordinator.ts';
import { freePort } from '../support/mosquitto.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

it('a coordinator restored from a backup is handed in again what it lost, and its releases go on', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-restored-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  const [state, backup] = [join(directory, 'coordinator'), join(directory, 'backup')];
  const port = await freePort();
  const config = join(directory, 'one.yaml');
  await writeFile(
    config,
    `gateway: one
state: ${join(directory, 'one')}
broker: { listen: 0 }
sources:
  - { topic: "b/{sensor}", key: r, fields: { "{sensor}": value }, time: ts, seq: n }
tasks:
  - { name: soon, forecast: temp, horizon: 10s, every: 1s }
sync: { url: "http://127.0.0.1:${port}", every: 200ms }
`,
  );
  const empty = await startCoordinator({ state, port });
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  const { brokerPort } = await agent.ready();
  await until(() => empty.coordinator.fleet().gateways_total === 1, 'the enrolment');
  await empty.stop();
  await cp(state, backup, { recursive: true });

  const first = await startCoordinator({ state, port });
  const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { protocolVersion: 4 });
  const startMs = Date.now() - 3_600_000;
  for (let n = 0; n < 400; n++) {
    const value = 20 + 5 * Math.sin(n / 40) + (n % 7) * 0.01;
    await device.publishAsync('b/temp', JSON.stringify({ value, ts: startMs + n * 1000, n }), { qos: 1 });
  }
  await device.endAsync();
  await agent.until(() => (agent.status()?.releases_accepted ?? 0) > 0, 'a release');
  const held = () => first.store.deltas.contributionsOf('one').map(({ schema, seq }) => ({ schema, seq }));
  await until(() => held().length === 1, 'the delta');
  await new Promise((settled) => setTimeout(settled, 1_000));
  const [before] = first.store.deltas.contributions(held()[0]?.schema as string);
  await first.stop();

  await rm(state, { recursive: true });
  await cp(backup, state, { recursive: true });
  const second = await startCoordinator({ state, port });
  closing.push(() => second.stop());
  const [after] = await until(() => {
    const found = second.store.deltas.contributions(before?.schema as string);
    return found.length > 0 && found;
  }, 'the same statistics once more');
  expect(Buffer.from(after?.statistics as Uint8Array)).toEqual(Buffer.from(before?.statistics as Uint8Array));
  expect(after?.seq).toBeGreaterThan(before?.seq as number);
  expect(second.store.counter('deltas')).toBe(1);
  const release = await until(() => second.store.heads.get(before?.schema as string)?.release, 'a release');
  await agent.until(() => agent.status()?.tasks[0]?.release === release, 'the release at the gateway');
}, 60_000);
