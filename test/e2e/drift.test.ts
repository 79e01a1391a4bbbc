/** Drift on a live gateway: a world that changes is told over MQTT with its evidence, in the status and by `rivulet panel show`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';

let directory = '';
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-drift-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});

it('tells what has changed, over MQTT, in the status, in the panel, and after a restart', async () => {
  const config = join(directory, 'rivulet.yaml');
  const state = join(directory, 'state');
  await writeFile(
    config,
    `gateway: plant-7
state: ${state}
broker: { listen: 0 }
checkpoint: { every: 300ms }
sources:
  - { topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts }
tasks:
  - { name: soon, forecast: temp, horizon: 1m, every: 10s, features: [temp, temp.diff1] }
`,
  );
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  const { brokerPort } = await agent.ready();
  const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { clientId: 'd' });
  closing.push(() => device.endAsync(true));
  const told: Record<string, unknown>[] = [];
  device.on('message', (_, payload) => told.push(JSON.parse(payload.toString())));
  await device.subscribeAsync('rivulet/plant-7/drift/#', { qos: 1 });
  const start = Date.now() - 10 * 3_600_000;
  let noise = 12_345;
  for (let from = 0; from < 1500; from += 100) {
    const batch = Array.from({ length: 100 }, (_, at) => {
      noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0;
      const swing = from + at < 900 ? 0.5 : 20;
      const value = 20 + swing * (noise / 2 ** 32 - 0.5);
      const ts = start + (from + at) * 10_000;
      return device.publishAsync('b/r1/temp', JSON.stringify({ value, ts }), { qos: 1 });
    });
    await Promise.all(batch);
  }
  await agent.until(() => told.some(({ of }) => of === 'error'), 'the drift is told');
  const found = told.find(({ of }) => of === 'error') as Record<string, number>;
  expect(found).toMatchObject({ task: 'soon', key: 'r1', detector: 'adwin', batch: expect.any(Number) });
  expect(found.after).toBeGreaterThan(3 * (found.before as number));
  const reading = ((found.at as number) - start) / 10_000;
  expect(reading).toBeGreaterThan(890);
  expect(reading).toBeLessThan(1300);
  const stopped = await agent.stop();
  expect(stopped.tasks[0]?.drift?.alarms).toBe(told.length);
  expect(stopped.tasks[0]?.drift?.evidence.some(({ of }) => of === 'error')).toBe(true);
  const shown = await runRivulet('panel', 'show', state);
  expect(shown.out).toMatch(/drift: \d+ found by adwin\n( {4}.*\n)* {4}\S+Z error /);
  const again = startAgentProcess(config);
  closing.push(() => again.kill());
  await again.ready();
  expect((await again.stop()).tasks[0]?.drift).toEqual(stopped.tasks[0]?.drift);
}, 120_000);
