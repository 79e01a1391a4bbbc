/**
 * Readings that go on through a real broker: by exception, filtered, sampled down, as windows; killed in the middle, the same
 * ids again; less on the wire out than in.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});

const START_MS = 1_760_000_000_000;
const SECONDS = 300;

/** A level that steps now and then and trembles in between. */
function valueAt(second: number): number {
  return 20 + Math.floor(second / 25) + (second % 5) * 0.01;
}

describe.skipIf(mosquittoAbsent !== null)(`forwarding ${mosquittoAbsent ?? ''}`, () => {
  it('sends on what moved, with the same ids after a kill, and saves what it did not send', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-forward-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const mosquitto = await startMosquitto();
    closing.push(() => mosquitto.stop());
    const config = join(directory, 'rivulet.yaml');
    await writeFile(
      config,
      `gateway: g
state: ${join(directory, 'state')}
mqtt: { url: "${mosquitto.url}" }
sources:
  - { name: s, topic: "in/{dev}", key: "{dev}", fields: { level: v, other: o }, time: ts, seq: n, derived: { total: "level + other" } }
windows:
  - { name: minute, every: 1m, of: [level], stats: [mean, count], lateness: 0 }
forward:
  - { readings: [level], topic: "out/moved/{key}", deadband: 0.5, at_least: 60s, retain: true, unit: m }
  - { readings: [level], topic: "out/sampled/{key}", every: 10s, qos: 0 }
  - { readings: [total], topic: "out/high/{key}/{field}", where: "value > 30 && level < 27", one_in: 2 }
  - { windows: minute, topic: "out/{window}/{key}" }
home_assistant: true
outputs: []
`,
    );
    const received = new Map<string, Record<string, unknown>[]>();
    const reader = await connectAsync(mosquitto.url, { protocolVersion: 4 });
    closing.push(() => reader.endAsync(true));
    await reader.subscribeAsync(['out/#', 'homeassistant/#'], { qos: 1 });
    reader.on('message', (topic, payload) => {
      received.set(topic, [...(received.get(topic) ?? []), JSON.parse(String(payload))]);
    });
    const device = await connectAsync(mosquitto.url, { protocolVersion: 4 });
    closing.push(() => device.endAsync(true));
    const publish = async (from: number, to: number): Promise<void> => {
      for (let second = from; second < to; second++) {
        const message = { v: valueAt(second), o: 5, ts: START_MS + second * 1000, n: second + 1 };
        await device.publishAsync('in/d1', JSON.stringify(message), { qos: 1 });
      }
    };
    const start = async () => {
      const agent = startAgentProcess(config);
      closing.push(() => agent.kill());
      await agent.ready();
      await agent.until(() => agent.status()?.connected === true, 'the door is connected');
      return agent;
    };
    const first = await start();
    await new Promise((resolve) => setTimeout(resolve, 300)); // SUBACK
    await publish(0, 120);
    await first.until(() => (first.status()?.ledger.used ?? 0) >= 60, 'half of them');
    await first.kill();
    const second = await start();
    await publish(120, SECONDS);
    await second.until(() => second.status()?.ledger.used === SECONDS, 'all messages');
    const stopped = await second.stop();

    // What should have gone: as an operator would say it.
    const moved: number[] = [];
    let last = Number.NaN;
    let lastAt = Number.NaN;
    for (let at = 0; at < SECONDS; at++) {
      if (Number.isNaN(last) || Math.abs(valueAt(at) - last) > 0.5 || at - lastAt >= 60) {
        moved.push(at);
        [last, lastAt] = [valueAt(at), at];
      }
    }
    const times = (topic: string): number[] => {
      const ids = new Map((received.get(topic) ?? []).map(({ id, at }) => [id, (Number(at) - START_MS) / 1000]));
      return [...ids.values()].sort((a, b) => a - b);
    };
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(times('out/moved/d1')).toEqual(moved);
    expect(received.get('out/moved/d1')?.[0]).toMatchObject({
      key: 'd1',
      field: 'level',
      value: valueAt(0),
      unit: 'm',
    });
    const high = Array.from({ length: SECONDS }, (_, at) => at).filter(
      (at) => valueAt(at) + 5 > 30 && valueAt(at) < 27,
    );
    expect(times('out/high/d1/total')).toEqual(high.filter((_, place) => place % 2 === 0));
    expect(received.get('out/minute/d1')?.length).toBeGreaterThanOrEqual(4);

    // The same ids as a fold that was never disturbed, each with the same content every time it came.
    const lines = join(directory, 'outputs.jsonl');
    expect(await runRivulet('replay', join(directory, 'state'), '--outputs', lines)).toMatchObject({ code: 0 });
    const replayed = (await readFile(lines, 'utf8')).trim().split('\n');
    const forwarded = replayed.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'forward');
    const idsOf = (rule: number): string[] => forwarded.filter((line) => line.rule === rule).map(({ id }) => id);
    for (const [rule, topic] of ['out/moved/d1', 'out/sampled/d1', 'out/high/d1/total'].entries()) {
      const came = received.get(topic) ?? [];
      expect(new Set(came.map(({ id }) => id)), topic).toEqual(new Set(idsOf(rule)));
      for (const { id } of came) {
        expect(new Set(came.filter((other) => other.id === id).map((other) => JSON.stringify(other))).size).toBe(1);
      }
    }
    expect(idsOf(1).length).toBe(SECONDS / 10);

    const announced = [...received].filter(([topic]) => topic.startsWith('homeassistant/sensor/'));
    expect(announced.length).toBe(3);
    expect(announced[0]?.[1][0]).toMatchObject({ state_topic: expect.stringMatching(/^out\//) });
    const kept = await connectAsync(mosquitto.url, { protocolVersion: 4 });
    closing.push(() => kept.endAsync(true));
    const retained = new Promise<string>((resolve) => kept.on('message', (_, payload) => resolve(String(payload))));
    await kept.subscribeAsync('out/moved/d1');
    expect(JSON.parse(await retained)).toMatchObject({ field: 'level' });

    const { in_bytes, out_bytes, saved } = stopped.bandwidth;
    expect(in_bytes).toBeGreaterThan(180 * 40);
    expect(out_bytes).toBeGreaterThan(0);
    expect(saved).toBeCloseTo(1 - out_bytes / in_bytes, 3);
  }, 60_000);
});
