import { compilePlan, parseConfig } from '@rivulet/host';
import { expect, test } from 'vitest';
import { buildingConfig } from './building/building_config.ts';
import { configText, type GatewayPlace } from './feed_config.ts';
import { machineConfig } from './machine/machine.ts';

const PLACE: GatewayPlace = {
  gateway: 'building-1',
  broker: 18_830,
  state: '/tmp/some where/g',
  sync: 'http://127.0.0.1:8787',
  syncEvery: '5s',
};

test('the configuration of the building is accepted, marked as simulated and without a check of the clock', () => {
  const config = parseConfig(configText(buildingConfig(1), PLACE), 'building.yaml');
  expect(config).toMatchObject({
    gateway: 'building-1',
    simulated: true,
    state: '/tmp/some where/g',
    doors: [{ kind: 'broker', listen: 18_830 }],
    sync: { url: 'http://127.0.0.1:8787', everyMs: 5000 },
  });
  expect(config.sources[0]).toMatchObject({ clockSkewMaxMs: 0, time: 'ts', seq: 'seq' });
  expect(config.tasks.map(({ name, kind }) => [name, kind])).toEqual([
    ['temp_in_30m', 'forecast'],
    ['occupied', 'classification'],
  ]);
  expect(compilePlan(config).length).toBeGreaterThan(100);
});

test('the configuration of this machine is accepted, and every named feature has its field', async () => {
  const config = parseConfig(configText(await machineConfig(), { ...PLACE, sync: undefined }), 'machine.yaml');
  expect(config.simulated).toBe(false);
  expect(config.sync).toBeNull();
  const fields = new Set(config.sources.flatMap((source) => source.fields.map(({ name }) => name)));
  const features = config.tasks.flatMap((task) => task.features).map((name) => name.replace(/^cpu_10s\./, ''));
  for (const feature of features) expect(fields).toContain(feature.split('.')[0]);
});
