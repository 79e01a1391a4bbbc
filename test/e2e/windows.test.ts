/**
 * The job that eKuiper writes as `SELECT avg(v), count(*) … GROUP BY deviceId, TUMBLINGWINDOW(ss, 10)`, over a real broker that is
 * given messages as fast as it takes them: every window of every device is right to the last reading.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { expect, test } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const DEVICES = 20;
const READINGS = 1500;
/** Of event time: a device's readings span five minutes. */
const STEP_MS = 200;
const WINDOW_MS = 10_000;
const START_MS = Date.UTC(2026, 0, 1);

interface Result {
  key: string;
  start: number;
  count: number;
  mean: number;
  min: number;
  max: number;
  revision: number;
  final: boolean;
}

const value = (device: number, n: number): number => ((device * 31 + n * 17) % 1000) / 8;

test.skipIf(mosquittoAbsent !== null)(
  'every_window_of_every_device_is_right_to_the_last_reading_at_the_rate_of_the_broker',
  { timeout: 120_000 },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-windows-'));
    const broker = await startMosquitto({ saves: false });
    const config = join(directory, 'rivulet.yaml');
    await writeFile(
      config,
      `gateway: g
state: ${join(directory, 'state')}
mqtt: { url: "${broker.url}", qos: 1 }
sources: [{ topic: "plant/{deviceId}", fields: { v: v }, time: t, seq: n }]
windows: [{ name: ten, every: 10s, stats: [count, mean, min, max], lateness: 0s }]
outputs: [{ windows: ten, topic: "windows/{key}" }]
`,
    );
    const agent = startAgentProcess(config);
    const results: Result[] = [];
    const listener = await connectAsync(broker.url, { clientId: 'listener' });
    const senders = await Promise.all(
      Array.from({ length: 4 }, (_, n) => connectAsync(broker.url, { clientId: `s${n}` })),
    );
    try {
      listener.on('message', (_topic, payload) => results.push(JSON.parse(payload.toString())));
      await listener.subscribeAsync('windows/+', { qos: 1 });
      await agent.until(() => agent.events.some(({ event }) => event === 'ready'), 'the agent is ready');
      await Promise.all(
        Array.from({ length: DEVICES }, async (_, device) => {
          const client = senders[device % senders.length] as (typeof senders)[number];
          const sent: Promise<unknown>[] = [];
          // One more, a minute on, closes the last window.
          for (let n = 0; n <= READINGS; n++) {
            const t = START_MS + n * STEP_MS + (n === READINGS ? 60_000 : 0);
            const payload = JSON.stringify({ v: value(device, n), t, n: n + 1 });
            sent.push(client.publishAsync(`plant/d${device}`, payload, { qos: 1 }));
          }
          await Promise.all(sent);
        }),
      );
      const wanted = DEVICES * ((READINGS * STEP_MS) / WINDOW_MS);
      await agent.until(() => results.length >= wanted, `${wanted} windows are out`);
      expect(results.length).toBe(wanted);
      const perWindow = WINDOW_MS / STEP_MS;
      for (const { key, start, count, mean, min, max, revision, final } of results) {
        const first = (start - START_MS) / STEP_MS;
        const values = Array.from({ length: perWindow }, (_, n) => value(Number(key.slice(1)), first + n));
        expect([count, min, max, revision, final], `${key} ${start}`).toEqual([
          ...[perWindow, Math.min(...values), Math.max(...values), 0, true],
        ]);
        // Eighths add up without rounding.
        expect(mean).toBe(values.reduce((sum, one) => sum + one, 0) / perWindow);
      }
      expect(new Set(results.map(({ key, start }) => `${key} ${start}`)).size).toBe(wanted);
      const stopped = await agent.stop();
      expect(stopped.sources[0]).toMatchObject({ received: DEVICES * (READINGS + 1), used: DEVICES * (READINGS + 1) });
    } finally {
      await agent.kill();
      await Promise.all([listener, ...senders].map((client) => client.endAsync(true)));
      await broker.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
);
