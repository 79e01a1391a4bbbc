/**
 * `preset: home_assistant` at a real broker: what publishers announce, before the agent starts and while it runs, becomes
 * sources; what they take back is read no more; killed and started again it knows them, and the log gives the same state.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const ROOF = {
  '~': 'weather/roof',
  stat_t: '~/state',
  val_tpl: "{{ value_json['wind'].speed | round(1) }}",
  unit_of_meas: 'km/h',
  dev: { name: 'Roof station' },
};
const OVEN = {
  dev: { ids: ['oven-1'], name: 'Oven' },
  o: { name: 'maker' },
  cmps: {
    core: { p: 'sensor', stat_t: 'oven/1', val_tpl: '{{ value_json.core }}', unit_of_meas: '°F' },
    door: { p: 'binary_sensor', stat_t: 'oven/1', val_tpl: '{{ value_json.door }}', pl_on: 'open', pl_off: 'shut' },
  },
};

it.skipIf(mosquittoAbsent !== null)('announced_entities_are_read_while_the_agent_runs', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-announced-'));
  const broker = await startMosquitto();
  const device = await connectAsync(broker.url);
  const listener = await connectAsync(broker.url);
  const heard = new Map<string, number[]>();
  listener.on('message', (topic, payload) => {
    heard.set(topic, [...(heard.get(topic) ?? []), JSON.parse(String(payload)).value]);
  });
  await listener.subscribeAsync('out/#', { qos: 1 });
  const announce = (topic: string, config: object | null) =>
    device.publishAsync(`homeassistant/${topic}/config`, config === null ? '' : JSON.stringify(config), {
      retain: true,
      qos: 1,
    });
  const say = (topic: string, payload: object) => device.publishAsync(topic, JSON.stringify(payload), { qos: 1 });
  const config = join(directory, 'gateway.yaml');
  const state = join(directory, 'state');
  await writeFile(
    config,
    `gateway: g
state: ${state}
mqtt: { url: "${broker.url}" }
sources: [{ preset: home_assistant }]
forward: [{ readings: [speed, core, door], topic: "out/{key}/{field}" }]
outputs: []
`,
  );
  let agent = startAgentProcess(config);
  const used = (source: string) => agent.status()?.sources.find(({ name }) => name === source)?.used;
  /** Says it until it is read: when the subscription has reached the broker only the broker knows. */
  const sayUntilRead = async (topic: string, payload: object): Promise<void> => {
    const before = used(topic) ?? 0;
    for (let tries = 0; tries < 100 && (used(topic) ?? 0) === before; tries++) {
      await say(topic, payload);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(used(topic)).toBeGreaterThan(before);
  };
  try {
    await announce('sensor/roof/wind', ROOF);
    await agent.ready();
    await agent.until(() => used('weather/roof/state') !== undefined, 'the source that had been announced');
    await sayUntilRead('weather/roof/state', { wind: { speed: 36 } });

    await announce('device/oven-1', OVEN);
    await agent.until(() => used('oven/1') !== undefined, 'the source that was announced now');
    await sayUntilRead('oven/1', { core: 212, door: 'open' });
    expect(heard.get('out/Roof station/speed')?.[0]).toBe(10);
    await agent.until(() => heard.has('out/Oven/door'), 'its readings');
    expect(heard.get('out/Oven/core')?.[0]).toBe(100);
    expect(heard.get('out/Oven/door')?.[0]).toBe(1);

    await agent.kill();
    agent = startAgentProcess(config);
    await agent.ready();
    await sayUntilRead('oven/1', { core: 32, door: 'shut' });

    await announce('sensor/mood', { stat_t: 'oven/1', name: 'mood', val_tpl: '{{ value_json.core > 90 }}' });
    await agent.until(() => agent.status()?.not_read !== undefined, 'the entity that cannot be read');
    expect(agent.status()?.not_read).toEqual({
      entities: 1,
      examples: [
        {
          topic: 'homeassistant/sensor/mood/config',
          why: 'its value_template does more than read a value: {{ value_json.core > 90 }}, of oven/1',
        },
      ],
    });
    await announce('sensor/mood', null);
    await agent.until(() => agent.status()?.not_read === undefined, 'that it was taken back');

    await announce('sensor/roof/wind', null);
    await agent.until(() => used('weather/roof/state') === undefined, 'the source that was taken back');
    await say('weather/roof/state', { wind: { speed: 1 } });
    await sayUntilRead('oven/1', { core: 32, door: 'shut' });
    const { digest, ledger } = await agent.stop();
    expect(ledger.quarantined).toBe(0);
    expect(agent.complaints()).toBe('');
    const replayed = await runRivulet('replay', state, '--digest');
    expect(replayed.out.trim()).toBe(digest);
  } finally {
    await agent.kill();
    await Promise.all([device.endAsync(true), listener.endAsync(true)]);
    await broker.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
