/** Two gateways and a coordinator, all real: deltas go in, a release comes back, enters the log, and replay agrees. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { startCoordinator } from '../support/coordinator.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

async function gateway(directory: string, name: string, url: string, more = 'token: secret') {
  const config = join(directory, `${name}.yaml`);
  await writeFile(
    config,
    `gateway: ${name}
state: ${join(directory, name)}
broker: { listen: 0 }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
tasks:
  - { name: soon, forecast: temp, horizon: 10s, every: 1s }
sync: { url: "${url}", every: 300ms, ${more} }
`,
  );
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  const { brokerPort } = await agent.ready();
  return { agent, brokerPort, state: join(directory, name) };
}

async function publish(port: number, from: number, to: number): Promise<void> {
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
  const startMs = Date.now() - 6 * 3_600_000;
  for (let n = from; n < to; n++) {
    const value = 20 + 5 * Math.sin(n / 40) + (n % 7) * 0.01;
    await device.publishAsync('b/r1/temp', JSON.stringify({ value, ts: startMs + n * 1000, n }), { qos: 1 });
  }
  await device.endAsync();
}

describe('sync', () => {
  it('brings a release to every gateway and its panel, and the replay has it too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-sync-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const coordinator = await startCoordinator({ token: 'secret' });
    closing.push(() => coordinator.stop());
    const gateways = [
      await gateway(directory, 'one', coordinator.url),
      await gateway(directory, 'two', coordinator.url),
    ];
    await Promise.all(gateways.map(({ brokerPort }) => publish(brokerPort, 0, 400)));
    for (const { agent } of gateways) {
      await agent.until(() => (agent.status()?.releases_accepted ?? 0) > 0, 'a release');
    }
    await Promise.all(gateways.map(({ brokerPort }) => publish(brokerPort, 400, 600)));
    for (const { agent, state } of gateways) {
      const stopped = await agent.stop();
      expect(stopped.last_error).toBeUndefined();
      const [task] = stopped.tasks;
      expect(task?.release).toMatch(/^[0-9a-f]{64}$/);
      expect(task?.panel.some(({ expert }) => expert.startsWith('release'))).toBe(true);
      for (const core of ['scalar', 'simd']) {
        const { out } = await runRivulet('replay', state, '--json', '--core', core);
        expect(JSON.parse(out)).toMatchObject({ messages: stopped.messages, digest: stopped.digest });
      }
    }
    expect(coordinator.coordinator.fleet().gateways.map(({ id }) => id)).toEqual(['one', 'two']);
  }, 60_000);

  it('says nothing when there is nothing to say, keeps to its bytes, and counts both', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-sync-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const cloud = await startCoordinator({ token: 'secret' });
    closing.push(() => cloud.stop());
    const { agent, brokerPort } = await gateway(directory, 'one', cloud.url);
    await publish(brokerPort, 0, 400);
    await agent.until(() => (agent.status()?.releases_accepted ?? 0) > 0, 'a release');
    const talk = () => {
      const { told, little, unchanged } = agent.status()?.sync ?? { told: { time: 0 }, little: 0, unchanged: 0 };
      return { told: told.time, quiet: little + unchanged };
    };
    /** Until four intervals in a row had nothing to say; answers how often there was something before. */
    const silence = async (): Promise<number> => {
      let since = talk();
      await agent.until(() => {
        const now = talk();
        if (now.told !== since.told) since = now;
        return now.quiet >= since.quiet + 4;
      }, 'silence');
      return since.told;
    };
    const before = await silence();
    // A row is less than a hundredth of some 390. Up to three may have been kept back before, so three more go out once at most.
    let after = before;
    for (const from of [400, 401, 402]) {
      await publish(brokerPort, from, from + 1);
      after = await silence();
    }
    expect(after).toBeLessThanOrEqual(before + 1);

    const sparing = await gateway(directory, 'two', cloud.url, 'token: secret, bytes_per_day: 240KB');
    await publish(sparing.brokerPort, 0, 400);
    await sparing.agent.until(() => (sparing.agent.status()?.sync?.left_bytes ?? 1) < 10_000, 'the first calls');
    const { sync } = await sparing.agent.stop();
    expect((sync?.out_bytes ?? 0) + (sync?.in_bytes ?? 0)).toBeLessThan(30_000);
  }, 60_000);

  it('goes on without a coordinator, keeps what is due, and hands it in when there is one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-sync-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const first = await startCoordinator({ token: 'secret', state: join(directory, 'coordinator') });
    const { url } = first;
    await first.stop();
    const { agent, brokerPort } = await gateway(directory, 'one', url);
    await publish(brokerPort, 0, 400);
    await agent.until(() => agent.status()?.last_error?.code === 'RIV_SYNC_UNREACHABLE', 'the notice');
    const stopped = await agent.stop();
    expect(stopped.messages).toBe(400);

    const second = await startCoordinator({ token: 'secret', state: join(directory, 'coordinator') });
    closing.push(() => second.stop());
    const again = await gateway(directory, 'one', second.url);
    await again.agent.until(() => (again.agent.status()?.releases_accepted ?? 0) > 0, 'a release');
    await again.agent.stop();
  }, 60_000);
});
