/** What publishers really send, through a real broker into a gateway that knows them by presets alone. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { expect, it } from 'vitest';
import { vectors } from '../presets/vectors.ts';
import { startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

it.skipIf(mosquittoAbsent !== null)('every_preset_reads_what_its_publisher_sends_through_mosquitto', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-presets-'));
  const broker = await startMosquitto();
  const client = await connectAsync(broker.url);
  const arrivalMs = Math.floor(Date.now() / 1000) * 1000;
  const sent = vectors(arrivalMs);
  const sources = new Set(sent.map(({ preset, options }) => `${preset}${options === undefined ? '' : `, ${options}`}`));
  const config = join(directory, 'rivulet.yaml');
  await writeFile(
    config,
    `gateway: home
state: ${join(directory, 'state')}
mqtt: { url: "${broker.url}" }
sources:
${[...sources].map((source) => `  - { preset: ${source}, idle: 500ms }`).join('\n')}
windows: [{ name: second, every: 1s, stats: [last], lateness: 0s }]
outputs: [{ windows: second, topic: "out/{key}/{field}" }]
`,
  );
  const agent = startAgentProcess(config);
  try {
    await agent.ready();
    await agent.until(() => agent.status()?.connected === true, 'it is connected');
    const readings = new Map<string, { value: number; start: number }>();
    client.on('message', (_, payload) => {
      const { key, field, last, start } = JSON.parse(payload.toString());
      readings.set(`${key} ${field}`, { value: last, start });
    });
    await client.subscribeAsync('out/#', { qos: 1 });
    for (const { topic, payload } of sent) {
      await client.publishAsync(topic, Buffer.from(payload), { qos: 1 });
    }
    const expected = sent.flatMap(({ gives }) =>
      Object.entries(gives?.fields ?? {}).map(([field, value]) => ({ name: `${gives?.key} ${field}`, value, gives })),
    );
    await agent.until(() => expected.every(({ name }) => readings.has(name)), 'all readings are in windows');
    for (const { name, value, gives } of expected) {
      const reading = readings.get(name);
      expect(reading?.value, name).toBe(value);
      // What has no time of its own is of its arrival.
      const late = gives?.at === arrivalMs ? 15_000 : 0;
      expect((reading?.start ?? 0) - (gives?.at ?? 0), name).toBeLessThanOrEqual(late);
      expect((reading?.start ?? 0) - (gives?.at ?? 0), name).toBeGreaterThanOrEqual(0);
    }
    const status = await agent.stop();
    expect(status.ledger).toMatchObject({ quarantined: 0, late: 0, duplicate: 0 });
  } finally {
    await agent.kill();
    await client.endAsync(true);
    await broker.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
