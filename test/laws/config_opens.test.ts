// The law between the two halves of a configuration: what the host accepts, the core opens, and what the core would refuse,
// the host refuses first, with a place in the file. JSON is YAML, so configurations are made as objects.

import { compilePlan, loadCore, parseConfig, RivuletError } from '@rivulet/host';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const core = await loadCore();

const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
/** Mostly what is right, now and then what is not. */
function mostly<T>(right: readonly T[], wrong: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 30, arbitrary: fc.constantFrom(...right) }, { weight: 1, arbitrary: wrong });
}

const level = fc.constantFrom('a', '{room}', '{sensor}', '+', 'Ä b', '#', '{x', 'a+', '', '{room}{sensor}');
const topic = mostly(
  ['{room}/{sensor}', 'plant/{room}/{sensor}/#', '+/{sensor}/Ä b/{room}', '/{room}//{sensor}'],
  fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/')),
);
const path = mostly(
  ['', 'value', 'a.b[0].c', '[0]', 'data[3][1].x', 'ü'],
  fc.oneof(
    fc.constantFrom('a..b', 'a[', '[0]a', 'x'.repeat(300), Array(40).fill('a').join('.')),
    fc.stringMatching(/^[ab.[\]{}?='*01]{0,12}$/),
  ),
);
const wildPath = fc.oneof(path, mostly(['d.{dev}.t', 'd.*.s[{i}].v', '*', '[?n=a].v', 'd[?x.y=1].{dev}', 'ts'], path));
const duration = mostly<string | number>(
  ['1s', '250ms', '10s', '5m', '2h'],
  fc.constantFrom('0', 0, '1ms', '30d', '36500d'),
);
const template = mostly(['{room}', '{sensor}', '{dev}', '{room}/{id}', 'all', ''], fc.constant('{nobody}'));

const layoutValue = fc.record(
  {
    at: fc.nat({ max: 9 }),
    type: fc.constantFrom('u8', 'i16', 'u24', 'f32', 'u64', 'i48', 'f16'),
    endian: fc.constantFrom('big', 'little'),
    bits: fc.constantFrom([0, 1], [7, 1], [0, 8], [1], [60, 4]),
    scale: fc.constantFrom(0.1, 2, 1e-3, 0),
    add: fc.constantFrom(-40, 0.5),
  },
  { requiredKeys: ['at', 'type'] },
);
const format = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom<unknown>('auto', 'json', 'cbor', 'msgpack') },
  fc.constantFrom<unknown>('number', 'senml', 'influx', 'csv', 'xml', {}),
  fc.record({ influx: fc.record({ precision: fc.constantFrom('ns', 'us', 'ms', 's', 'h') }, { requiredKeys: [] }) }),
  fc.record({
    csv: fc.record(
      {
        separator: fc.constantFrom(',', ';', '\t', '"', ',,', 'é'),
        columns: fc.array(fc.constantFrom('ts', 'd', 'value', 'x y'), { maxLength: 3 }),
        header: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({
    binary: fc.record(
      {
        length: fc.constantFrom<unknown>('any', 2, 20),
        values: fc.dictionary(fc.constantFrom('value', 'ts', 'a.b', "x'"), layoutValue, { maxKeys: 3 }),
      },
      { requiredKeys: ['values'] },
    ),
  }),
);

const source = fc.record(
  {
    topic,
    name,
    format,
    key: template,
    captures: fc.dictionary(fc.constantFrom('dev', 'id', 'kind'), wildPath, { maxKeys: 2 }),
    fields: fc.dictionary(fc.constantFrom('{sensor}', '{dev}', '{id}', 't', 'é'), wildPath, { minKeys: 1, maxKeys: 3 }),
    time: mostly(['ts', 'd.*.ts', 't[0]'], wildPath),
    seq: path,
    lateness: fc.oneof(
      { weight: 4, arbitrary: duration },
      fc.constant('adaptive'),
      fc.record({ quantile: mostly([0.5, 0.999, 1], fc.double()), max: duration }, { requiredKeys: [] }),
    ),
    clock: mostly(['quarantine', 'correct'], fc.constant('ahead')),
    clock_skew_max: mostly<string | number>(['1s', '24h'], duration),
    idle: duration,
  },
  { requiredKeys: ['topic'] },
);
const field = fc.constantFrom('t', 'co2', 'value', 'other');
const statistic = mostly(
  [
    ...['count', 'sum', 'mean', 'std', 'last', 'median', 'p90', 'p99_9', 'p100', 'ewma_5m', 'duration_-1_5', 'top_16'],
    ...['autocorrelation_64', 'energy_0_5_to_20', 'state_1', 'states_16', 'time_mean', 'distinct', 'entropy', 'mode'],
  ],
  fc.oneof(
    fc.constantFrom('p100_1', 'p1000', 'ewma_0s', 'top_17', 'energy_9_to_9', 'state_0', 'duration_', 'p_9', 'mean_1'),
    fc.stringMatching(/^(p|ewma_|duration_|autocorrelation_|energy_|states?_|top_)[0-9_hms-]{0,9}$/),
  ),
);
const count = mostly([10, 5000], fc.integer());
const step = mostly([2, 10], fc.integer());
const trigger = fc.record(
  { count, every: duration, on: fc.record({ field, value: mostly([1, -0.5], fc.double()) }), reset: fc.boolean() },
  { requiredKeys: ['count'] },
);
const windowBase = {
  name,
  of: fc.array(field, { maxLength: 2 }),
  over: mostly(['#', '{room}/#', '+/{id}'], topic),
  stats: fc.array(statistic, { maxLength: 3 }),
};
const late = { lateness: duration, allowed_lateness: duration };
const window = fc.oneof(
  fc.record({ every: duration, trigger, ...windowBase, ...late }, { requiredKeys: ['name', 'every'] }),
  fc.record({ size: duration, every: duration, ...windowBase, ...late }, { requiredKeys: ['name', 'size', 'every'] }),
  fc.record({ gap: duration, trigger, ...windowBase, ...late }, { requiredKeys: ['name', 'gap'] }),
  fc.record({ count, step, ...windowBase }, { requiredKeys: ['name', 'count'] }),
  fc.record({ trigger, lateness: duration, ...windowBase }, { requiredKeys: ['name', 'trigger'] }),
);
const label = fc.record({ topic, path, key: template, time: path }, { requiredKeys: ['topic', 'path'] });
const feature = mostly(['time.hour', 'temp', 'co2.lag1', 'temp.neighbours', 'co2@all', 'm.temp.mean'], name);
const budget = mostly(['1us', '8us', { per_example: '500ns', memory: '64KB' }], fc.string());
const experts = mostly(['all', ['default'], ['default', 'network']], fc.string());
const pace = { every: duration, features: fc.array(feature, { maxLength: 3 }), budget, experts };
const task = fc.oneof(
  fc.record(
    { name, forecast: field, horizon: duration, tolerance: duration, ...pace },
    { requiredKeys: ['name', 'forecast', 'horizon'] },
  ),
  fc.record(
    { name, anomaly: field, threshold: mostly([3, 6.5, 0.1, 1e6], fc.double()), wait: duration, ...pace },
    { requiredKeys: ['name', 'anomaly'] },
  ),
  fc.record(
    { name, classify: label, wait: duration, tolerance: duration, ...pace },
    { requiredKeys: ['name', 'classify'] },
  ),
  fc.record({ name, regress: label, wait: duration, ...pace }, { requiredKeys: ['name', 'regress'] }),
);
const limit = (maximum: number) => fc.oneof({ weight: 10, arbitrary: fc.integer({ min: 2, max: maximum }) }, fc.nat());
const limits = fc.record(
  {
    keys: limit(1_000_000),
    fields: limit(4096),
    pending_per_key: limit(65_536),
    payload_bytes: limit(8_000_000),
    classes: limit(1024),
  },
  { requiredKeys: [] },
);
const config = fc.record(
  {
    gateway: name,
    sources: fc.array(source, { minLength: 1, maxLength: 2 }),
    windows: fc.array(window, { maxLength: 2 }),
    tasks: fc.array(task, { maxLength: 2 }),
    limits,
  },
  { requiredKeys: ['sources'] },
);

test('what_the_host_accepts_the_core_opens', () => {
  const engine = core.newEngine();
  let accepted = 0;
  fc.assert(
    fc.property(config, (object) => {
      let plan: Buffer;
      try {
        plan = compilePlan(parseConfig(JSON.stringify(object), 'law.yaml'));
      } catch (thrown) {
        if (!(thrown instanceof RivuletError)) throw thrown;
        return;
      }
      accepted += 1;
      engine.open(plan);
    }),
    { numRuns: 8000 },
  );
  // A law over nothing would always hold; some hundred of these configurations are whole.
  expect(accepted).toBeGreaterThan(40);
});
