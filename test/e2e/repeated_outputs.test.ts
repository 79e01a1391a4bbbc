/**
 * Outputs after a crash: what came out since the last checkpoint is published again, since nobody knows whether it had left, and
 * each repeat is the message of before, byte for byte, under the id of before: a consumer that drops known ids has each once.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, expect, it } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { closeAll, closing, pause } from '../support/doors.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const READINGS = 300;

afterEach(closeAll);

it.skipIf(mosquittoAbsent !== null)(
  `a repeat after kill -9 is the same message with the same id ${mosquittoAbsent ?? ''}`,
  async () => {
    const mosquitto = await startMosquitto();
    closing.push(() => mosquitto.stop());
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-repeats-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const config = join(directory, 'rivulet.yaml');
    await writeFile(
      config,
      `gateway: plant-7
state: ${join(directory, 'state')}
mqtt: { url: "${mosquitto.url}" }
sources:
  - { name: rooms, topic: "b/{room}", key: "{room}", fields: { temp: value }, time: ts, seq: n }
windows:
  - { name: minute, every: 1m, of: [temp], stats: [mean, count], lateness: 0s }
tasks:
  - { name: soon, forecast: temp, horizon: 1m }
outputs:
  - { windows: minute, topic: "out/windows/{key}" }
  - { predictions: "*", topic: "out/{task}/{key}" }
checkpoint: { every: 1h }
`,
    );
    const consumer = await connectAsync(mosquitto.url);
    closing.push(() => consumer.endAsync(true));
    const lives: Map<string, string>[] = [new Map()];
    const unexpected: string[] = [];
    consumer.on('message', (topic, payload) => {
      const text = `${topic} ${payload.toString('utf8')}`;
      const { id } = JSON.parse(payload.toString('utf8')) as { id: string };
      const life = lives.at(-1) as Map<string, string>;
      const before = life.get(id);
      // In the second life the broker may still hand over what was said in the first.
      if (before !== undefined && (lives.length === 1 || before !== text)) unexpected.push(id);
      life.set(id, text);
    });
    await consumer.subscribeAsync('out/#', { qos: 1 });

    const agent = startAgentProcess(config);
    closing.push(() => agent.kill());
    await agent.ready();
    await agent.until(() => agent.status()?.connected === true, 'the door is connected');
    const startMs = Date.now() - 86_400_000;
    const publish = (n: number) => {
      const reading = { value: 20 + (n % 13), ts: startMs + n * 10_000, n };
      return consumer.publishAsync(`b/r${n % 2}`, JSON.stringify(reading), { qos: 1 });
    };
    // The first until the subscription is there; its repeats are known by their number.
    while ((agent.status()?.ledger.used ?? 0) === 0) {
      await publish(0);
      await pause(50);
    }
    for (let n = 1; n < READINGS; n++) {
      await publish(n);
    }
    await agent.until(() => agent.status()?.ledger.used === READINGS, 'all is used');
    const first = lives[0] as Map<string, string>;
    await expect.poll(() => first.size, { timeout: 40_000 }).toBeGreaterThan(READINGS / 2);
    await agent.kill();

    lives.push(new Map());
    const again = startAgentProcess(config);
    closing.push(() => again.kill());
    await again.ready();
    const second = lives[1] as Map<string, string>;
    // There was no checkpoint: all of it is said again, and what had not left is said now.
    await expect.poll(() => [...first.keys()].every((id) => second.has(id)), { timeout: 40_000 }).toBe(true);
    for (const [id, text] of first) {
      expect(second.get(id)).toBe(text);
    }
    await again.stop();
    expect(unexpected).toEqual([]);
  },
  120_000,
);
