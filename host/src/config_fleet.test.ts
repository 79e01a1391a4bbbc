import { expect, it } from 'vitest';
import { parseConfig } from './config_parse.ts';
import { openFleetReadings } from './fleet_readings.ts';
import type { Output } from './outputs.ts';
import { compilePlan } from './plan.ts';

const parse = (fleet: string, more = 'sync: { url: "http://localhost" }') =>
  parseConfig(
    `sources: [{ topic: "in/{site}", fields: { pm25: v } }]\nforward: [{ readings: [pm25], topic: out }]\nfleet: ${fleet}\n${more}\n`,
    'gateway.yaml',
  );

it('a reading of the fleet has its defaults, a source that only the agent can write to, and a rule behind those of the user', () => {
  const config = parse('{ mean: pm25, of: neighbours }');
  expect(config.fleet).toEqual([
    { name: 'pm25_neighbours', statistic: 'mean', field: 'pm25', of: 'neighbours', maxAgeMs: 3 * 3_600_000 },
  ]);
  const plan = JSON.parse(String(compilePlan(config)));
  expect(plan.sources.at(-1)).toMatchObject({ topic: 'rivulet/fleet/pm25_neighbours', door: 0, time: 'rows.*.at' });
  expect(plan.forward.map(({ of }: { of: string[] }) => of)).toEqual([['pm25'], ['pm25']]);
});

it('a list of them may name gateways, and a task may use them as features', () => {
  const config = parse(
    '[{ median: pm25, of: fleet, max_age: 1h }, { max: pm25, of: [north, south], name: worst }]',
    'sync: { url: "http://localhost" }\ntasks: [{ name: t, forecast: pm25, horizon: 1h, features: [pm25, pm25_fleet, worst, worst.age, worst.lag1] }]',
  );
  expect(config.fleet.map(({ name, of }) => [name, of])).toEqual([
    ['pm25_fleet', 'fleet'],
    ['worst', ['north', 'south']],
  ]);
});

it.each([
  ['a field that no source has', '{ mean: pm10, of: fleet }', undefined, /no source has/],
  ['two statistics', '{ mean: pm25, max: pm25, of: fleet }', undefined, /mean and max/],
  ['nobody', '{ mean: pm25 }', undefined, /of/],
  ['the name of a field', '{ mean: pm25, of: fleet, name: pm25 }', undefined, /as a field is/],
  ['one name twice', '[{ mean: pm25, of: fleet }, { max: pm25, of: fleet }]', undefined, /second fleet reading/],
  ['no coordinator', '{ mean: pm25, of: fleet }', '', /without `sync`/],
])('refuses %s', (_, fleet, more, message) => {
  expect(() => parse(fleet, more)).toThrow(message);
});

const reading = (key: string, at: number, value: number, subject = 1): Output =>
  ({ kind: 'forward', subject, key, field: 'pm25', time: at, value, id: '0-0' }) as Output;
const answer = (at: number, value: unknown, name = 'pm25_neighbours') => [{ name, at, age_ms: 5, gateways: 2, value }];

it('a gateway tells the mean of the keys that have spoken lately, and nothing of what its user forwards', () => {
  const fleet = openFleetReadings(parse('{ mean: pm25, of: neighbours, max_age: 1m }'));
  expect(fleet.told()).toMatchObject({ readings: {}, wants: [{ name: 'pm25_neighbours', max_age_ms: 60_000 }] });
  fleet.take(reading('a', 1_000, 99));
  fleet.take(reading('b', 90_000, 20));
  fleet.take(reading('c', 100_000, 30));
  fleet.take(reading('c', 200_000, 1_000, 0));
  expect(fleet.told()?.readings).toEqual({ pm25: { at: 100_000, value: 25, keys: 2 } });
  expect(openFleetReadings({ fleet: [], forward: [] }).told()).toBeNull();
});

it('what the fleet says is a message for each key that has the field, once', () => {
  const fleet = openFleetReadings(parse('{ mean: pm25, of: neighbours }'));
  const textOf = (packets: Buffer[]) => packets.map((packet) => packet.toString('latin1'));
  expect(textOf(fleet.packets(answer(1_000, 7)))[0]).toContain('"rows":[{"key":"fleet","at":1000,"value":7}]');
  fleet.take(reading('a', 900, 1));
  fleet.take(reading('b', 901, 1));
  const [packet] = textOf(fleet.packets(answer(2_000, 8)));
  expect(packet).toContain('rivulet/fleet/pm25_neighbours');
  expect(packet).toContain('"rows":[{"key":"a","at":900,"value":8},{"key":"b","at":901,"value":8}]');
  expect(fleet.packets(answer(2_000, 8))).toEqual([]);
  expect(fleet.packets(answer(2_000, 9)).length).toBe(1);
});

it.each([null, {}, 'x', [null], [7], answer(1.5, 1), answer(1, 'x'), answer(1, null), answer(1, 1, 'stranger')])(
  'an answer that is none of ours is none: %j',
  (hostile) => expect(openFleetReadings(parse('{ mean: pm25, of: neighbours }')).packets(hostile)).toEqual([]),
);
