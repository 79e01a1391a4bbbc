/** `rivulet discover` at a real broker with known publishers and unknown ones; what it prints runs, and reads them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '@rivulet/host';
import { connectAsync } from 'mqtt';
import { expect, it } from 'vitest';
import { vectors } from '../presets/vectors.ts';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const KNOWN = [
  'zigbee2mqtt',
  'tasmota',
  'shelly',
  'esphome',
  'the_things_network',
  'chirpstack',
  'sparkplug_b',
  'theengs',
];
const ANNOUNCEMENT = {
  '~': 'weather/roof',
  stat_t: '~/state',
  val_tpl: "{{ value_json['wind'].speed | round(1) }}",
  unit_of_meas: 'm/s',
  uniq_id: 'roof_wind',
  dev: { name: 'Roof station' },
};

it.skipIf(mosquittoAbsent !== null)(
  'what_discover_prints_is_a_configuration_that_reads_what_it_heard',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-discover-'));
    const broker = await startMosquitto();
    const client = await connectAsync(broker.url);
    const send = async (n: number): Promise<void> => {
      const second = Math.floor(Date.now() / 1000) * 1000;
      const known = vectors(second).filter(({ preset, gives }) => KNOWN.includes(preset) && gives !== null);
      const unknown = [
        ...['a', 'b'].map((press) => ({
          topic: `plant/${press}/telemetry`,
          payload: JSON.stringify({ ts: Date.now(), seq: n, data: { temp: 20 + n, load: 0.5 }, operator: 'x' }),
        })),
        ...['temp', 'co2'].flatMap((field) =>
          ['r1', 'r2'].map((room) => ({ topic: `rooms/${room}/${field}`, payload: `${n}.5` })),
        ),
        { topic: 'weather/roof/state', payload: JSON.stringify({ wind: { speed: 3.25 }, raw: [1, 2] }) },
        { topic: 'site/pump', payload: JSON.stringify({ on: 'yes', bar: 2 + n / 10 }) },
        { topic: 'camera/door', payload: Buffer.from([0xff, 0xd8, 0xff, 0xe0]) },
        { topic: 'chat', payload: 'hello' },
      ];
      for (const { topic, payload } of [...known, ...unknown]) {
        await client.publishAsync(topic, Buffer.from(payload), { qos: 1 });
      }
    };
    await client.publishAsync('homeassistant/sensor/roof/wind/config', JSON.stringify(ANNOUNCEMENT), {
      retain: true,
      qos: 1,
    });
    const pump = {
      ...{ dev: { ids: 'pump', name: 'Pump' }, o: { name: 'x' }, stat_t: 'site/pump' },
      cmps: {
        on: { p: 'binary_sensor', val_tpl: '{{ value_json.on }}', pl_on: 'yes', pl_off: 'no' },
        bar: { p: 'sensor', val_tpl: '{{ value_json.bar }}', unit_of_meas: 'bar' },
        psi: { p: 'sensor', val_tpl: '{{ value_json.bar * 14.5 }}', unit_of_meas: 'psi' },
        high: { p: 'sensor', val_tpl: '{{ value_json.bar > 14.5 }}' },
      },
    };
    await client.publishAsync('homeassistant/device/pump/config', JSON.stringify(pump), { retain: true, qos: 1 });
    await client.publishAsync('zigbee2mqtt/bridge/state', 'online', { retain: true, qos: 1 });
    let n = 0;
    const sending = setInterval(() => void send(++n), 300);
    try {
      const { code, out, err } = await runRivulet('discover', broker.url, '--seconds', '3');
      clearInterval(sending);
      expect(code, err).toBe(0);
      for (const preset of KNOWN) {
        expect(out, preset).toContain(`preset: ${preset},`);
      }
      const topics = parseConfig(out, 'discovered').sources.map(({ topic }) => topic);
      expect(topics).toEqual(
        expect.arrayContaining(['plant/{device}/telemetry', 'rooms/{device}/{field}', 'weather/roof/state']),
      );
      expect(out).toContain('"temp": "data.temp"');
      expect(out).toContain('time: "ts"');
      expect(out).toContain('seq: "seq"');
      expect(out).toMatch(/"speed": "wind\.speed" # m\/s/);
      expect(out).toContain('"on": { path: "on", values: {"yes":1,"no":0} }');
      expect(out).toContain('"bar": "bar" # bar');
      expect(out).toContain('"psi": { path: "bar", scale: 14.5, offset: 0 } # psi');
      expect(out).toMatch(/# Announced to Home Assistant and not read: 1 entities\.\n# .*value_json\.bar > 14\.5/);
      expect(out).toContain('# Not mapped: 2 topics.');
      expect(out).toContain('camera/door: no text, for example 0xffd8ffe0');
      expect(out).toMatch(
        /2 topics such as plant\/a\/telemetry, plant\/b\/telemetry; \d+ messages, each topic about every/,
      );

      const config = join(directory, 'rivulet.yaml');
      await writeFile(config, `${out}state: ${JSON.stringify(join(directory, 'state'))}\n`);
      const agent = startAgentProcess(config);
      try {
        await agent.ready();
        await agent.until(() => agent.status()?.connected === true, 'it is connected');
        await send(++n);
        const idle = (): string[] =>
          (agent.status()?.sources ?? [])
            .filter(({ used, name }) => used === 0 && !name.startsWith('('))
            .map(({ name }) => name);
        await agent.until(() => (agent.status()?.ledger.used ?? 0) > 20, 'what is sent is read');
        await agent.until(
          () => idle().length < (agent.status()?.sources.length ?? 0) - KNOWN.length,
          'every publisher is read',
        );
        expect((await agent.stop()).ledger).toMatchObject({ quarantined: 0 });
      } finally {
        await agent.kill();
      }
    } finally {
      clearInterval(sending);
      await client.endAsync(true);
      await broker.stop();
      await rm(directory, { recursive: true, force: true });
    }
  },
  60_000,
);

it('an_address_that_is_none_and_a_broker_that_is_not_there_are_told_apart', async () => {
  expect(await runRivulet('discover', 'localhost')).toMatchObject({
    code: 2,
    err: expect.stringContaining('RIV_USAGE'),
  });
  const absent = await runRivulet('discover', 'mqtt://127.0.0.1:1', '--seconds', '1');
  expect(absent).toMatchObject({ code: 1, err: expect.stringContaining('RIV_MQTT_UNREACHABLE') });
});
