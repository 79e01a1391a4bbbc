// Every shape of window and every statistic against the reference, over what MQTT may bring: disorder, repeats, readings
// far too late, any cut into batches, and a restart in the middle.

import { type Config, parseConfig } from '@rivulet/host';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ARRIVAL_MS } from '../support/fold.ts';
import { type Batch, fold, resultsOf, type Sent } from './core.ts';
import { type Result, reference } from './reference.ts';

const KEYS = ['a', 'b'];
/** Relative to the values: what rounding may add up to. */
const NEAR = 1e-9;
/** The stated bound of the sketch, half a bucket of 64 to an octave. */
const SKETCH = 1 / 128;

const MOMENTS = '[count, sum, mean, min, max, range, variance, std, last, first, delta, skew, kurtosis, rate, slope]';
const SKETCHES = '[count, median, p90, p99_9, p0, p100, entropy, distinct, mode, top_3, ewma_20s]';
const ORDERED =
  '[count, integral, time_mean, duration_2, changes, state_1, state_3, states_16, autocorrelation_1, autocorrelation_3]';

const SHAPES = [
  'every: 60s, lateness: 5s',
  'every: 60s, lateness: 5s, allowed_lateness: 90s',
  'every: 60s, lateness: 0s, trigger: { count: 7, every: 25s }',
  'every: 7s, lateness: 20s, allowed_lateness: 20s, trigger: { every: 2s }',
  'size: 60s, every: 10s, lateness: 5s',
  'size: 55s, every: 20s, lateness: 0s',
  'size: 60s, every: 25s, lateness: 5s, allowed_lateness: 40s',
  'gap: 8s, lateness: 5s',
  'gap: 8s, lateness: 0s, allowed_lateness: 60s',
  'gap: 8s, lateness: 3s, allowed_lateness: 10s, trigger: { count: 5 }',
  'count: 10',
  'count: 12, step: 5',
  'lateness: 5s, trigger: { count: 9, every: 30s }',
  'lateness: 5s, trigger: { count: 9, every: 30s, reset: true }',
] as const;

function configOf(windows: readonly string[]): Config {
  const items = windows.map((window, index) => `  - { name: w${index}, ${window} }`);
  return parseConfig(
    `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n, idle: 30d }]\nwindows:\n${items.join('\n')}\n`,
    'windows.yaml',
  );
}

/** Steps of event time with readings that come early, in order, or late; some are sent again. */
const script = fc.array(
  fc.record({
    key: fc.constantFrom(...KEYS),
    // Mostly seconds, now and then a silence longer than a gap.
    stepMs: fc.oneof(
      { weight: 8, arbitrary: fc.nat(3000) },
      { weight: 1, arbitrary: fc.integer({ min: 8000, max: 90_000 }) },
    ),
    lateMs: fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.nat(8000) },
      { weight: 1, arbitrary: fc.nat(200_000) },
    ),
    value: fc.oneof(
      { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
      { weight: 3, arbitrary: fc.integer({ min: -2048, max: 65_536 }).map((units) => units / 1024) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 8192 }).map((units) => 1e6 + units / 1024) },
    ),
    again: fc.integer({ min: 0, max: 9 }),
    cut: fc.integer({ min: 0, max: 4 }),
  }),
  { minLength: 1, maxLength: 250 },
);
type Step = typeof script extends fc.Arbitrary<infer Steps> ? (Steps extends (infer One)[] ? One : never) : never;

interface Story {
  /** What was new, in the order of arrival. */
  fresh: Sent[];
  batches: Batch[];
}

function story(steps: readonly Step[]): Story {
  const fresh: Sent[] = [];
  const batches: Batch[] = [{ afterMs: 0, messages: [] }];
  let now = 1_000_000;
  for (const [number, { key, stepMs, lateMs, value, again, cut }] of steps.entries()) {
    now += stepMs;
    const sent = { key, time: now - lateMs, value, number: number + 1 };
    fresh.push(sent);
    const batch = batches.at(-1) as Batch;
    batch.messages.push(sent);
    const before = fresh.at(-1 - again);
    if (again < 3 && before !== undefined) batch.messages.push(before);
    if (cut === 0) batches.push({ afterMs: now, messages: [] });
  }
  return { fresh, batches };
}

/** What the reference says of every key, with its last windows closed by a reading far ahead. */
function expected(config: Config, fresh: readonly Sent[], key: string): Result[][] {
  return config.windows.map((window) => {
    const slow = reference(window);
    for (const sent of fresh) {
      if (sent.key === key) slow.add({ time: ARRIVAL_MS + sent.time, value: sent.value });
    }
    return slow.results;
  });
}

function order(results: readonly Result[]): Result[] {
  return [...results].sort(
    (a, b) => a.start - b.start || a.revision - b.revision || a.count - b.count || a.end - b.end,
  );
}

const head = ({ start, end, count, revision, final }: Result) => ({ start, end, count, revision, final });

function compare(found: readonly Result[], wanted: readonly Result[], where: string): void {
  const [ours, theirs] = [order(found), order(wanted)];
  expect(ours.map(head), where).toEqual(theirs.map(head));
  for (const [index, { statistics, count, start }] of ours.entries()) {
    for (const [name, value] of Object.entries(theirs[index]?.statistics ?? {})) {
      same(name, statistics[name] as typeof value, value, count, `${where} ${start} ${name}`);
    }
  }
}

function same(
  name: string,
  ours: Result['statistics'][string],
  theirs: typeof ours,
  count: number,
  where: string,
): void {
  if (typeof theirs !== 'number' || typeof ours !== 'number') {
    expect(ours, where).toEqual(theirs);
  } else if (Number.isFinite(theirs)) {
    const sketched = /^(p\d|median)/.test(name) ? SKETCH * Math.abs(theirs) : 0;
    const bound = sketched + NEAR * Math.max(Math.abs(theirs), count > 0 ? 1 : 0);
    expect(Math.abs(ours - theirs), `${where}: ${ours}, not ${theirs}`).toBeLessThanOrEqual(bound);
  } else {
    expect(Number.isFinite(ours), where).toBe(false);
  }
}

/** Restored anywhere and cut into any batches the core says the same. */
function sameHoweverCut(config: Config, batches: readonly Batch[], cut: number): void {
  const straight = fold(config, batches);
  const restored = fold(config, batches, cut % batches.length);
  expect(restored.outputs).toEqual(straight.outputs);
  expect(restored.state.equals(straight.state)).toBe(true);
  const whole = [{ afterMs: 0, messages: batches.flatMap(({ messages }) => messages) }];
  expect(fold(config, whole).outputs).toEqual(straight.outputs);
}

describe('windows and the reference', () => {
  test.each([MOMENTS, SKETCHES, ORDERED])('agree on %s', (stats) => {
    const config = configOf(SHAPES.map((shape) => `${shape}, stats: ${stats}`));
    let results = 0;
    fc.assert(
      fc.property(script, fc.nat(), (steps, cut) => {
        const { fresh, batches } = story(steps);
        const straight = fold(config, batches);
        for (const key of KEYS) {
          for (const [index, wanted] of expected(config, fresh, key).entries()) {
            const found = resultsOf(config, straight.outputs, `w${index}`, key);
            compare(found, wanted, `${SHAPES[index]} of ${key}`);
            results += wanted.length;
          }
        }
        sameHoweverCut(config, batches, cut);
      }),
      { numRuns: 120 },
    );
    // Agreement on nothing would be none.
    expect(results).toBeGreaterThan(1000);
  });

  test('agree on sliding windows of many slices', () => {
    // Longer than the blocks that their merges are kept in, with slices of steps and with cut ones.
    const shapes = ['size: 90s, every: 1s, lateness: 2s', 'size: 75s, every: 2s, lateness: 0s', 'count: 90, step: 1'];
    const config = configOf(shapes.map((shape) => `${shape}, stats: [count, sum, std, first, median, changes]`));
    fc.assert(
      fc.property(script, fc.nat(), (steps, cut) => {
        const { fresh, batches } = story(steps);
        const { outputs } = fold(config, batches);
        for (const key of KEYS) {
          for (const [index, wanted] of expected(config, fresh, key).entries()) {
            compare(resultsOf(config, outputs, `w${index}`, key), wanted, `${shapes[index]} of ${key}`);
          }
        }
        sameHoweverCut(config, batches, cut);
      }),
      { numRuns: 15 },
    );
  });

  test.each([
    'every: 30s, lateness: 10s, trigger: { on: { field: v, value: 2 } }',
    'every: 30s, lateness: 2s, allowed_lateness: 60s, trigger: { on: { field: v, value: 2 }, count: 20 }',
    'gap: 8s, lateness: 5s, trigger: { on: { field: v, value: 2 }, every: 40s }',
    'lateness: 0s, trigger: { on: { field: v, value: 2 } }',
    'lateness: 0s, trigger: { on: { field: v, value: 2 }, reset: true }',
  ])('agree on punctuation: %s', (shape) => {
    const config = configOf([`${shape}, stats: [count, sum, last]`]);
    let early = 0;
    fc.assert(
      fc.property(script, fc.nat(), (steps, cut) => {
        const { fresh, batches } = story(steps);
        const { outputs } = fold(config, batches);
        for (const key of KEYS) {
          const wanted = expected(config, fresh, key)[0] ?? [];
          compare(resultsOf(config, outputs, 'w0', key), wanted, `${shape} of ${key}`);
          early += wanted.filter(({ statistics }) => statistics.last === 2).length;
        }
        sameHoweverCut(config, batches, cut);
      }),
      { numRuns: 60 },
    );
    expect(early).toBeGreaterThan(10);
  });

  test('agree on windows over many keys', () => {
    const shapes = SHAPES.filter((shape) => !shape.includes('trigger')).map((shape) => `${shape}, over: "#"`);
    const config = configOf(shapes.map((shape) => `${shape}, stats: [count, mean, first, median, slope]`));
    fc.assert(
      fc.property(script, fc.nat(), (steps, cut) => {
        const { fresh, batches } = story(steps);
        const { outputs } = fold(config, batches);
        for (const [index, window] of config.windows.entries()) {
          const slow = reference(window);
          const newest = new Map<string, number>();
          for (const { key, time, value } of fresh) {
            newest.set(key, Math.max(newest.get(key) ?? Number.NEGATIVE_INFINITY, time));
            slow.add({ time: ARRIVAL_MS + time, value }, ARRIVAL_MS + Math.min(...newest.values()));
          }
          compare(resultsOf(config, outputs, `w${index}`, '*'), slow.results, shapes[index] as string);
        }
        sameHoweverCut(config, batches, cut);
      }),
      { numRuns: 120 },
    );
  });

  test('agree on the energy of a band', () => {
    const config = configOf(['every: 60s, lateness: 0s, stats: [energy_40_to_60, energy_100_to_450]']);
    const messages = Array.from({ length: 1000 }, (_, n) => {
      const value = Math.round(1024 * (3 * Math.sin((2 * Math.PI * 50 * n) / 1000) + (n % 7))) / 1024;
      return { key: 'a', time: n, value, number: n + 1 };
    });
    const end = { key: 'a', time: 120_000, value: 0, number: 1001 };
    const { outputs } = fold(config, [{ afterMs: 0, messages: [...messages, end] }]);
    const [result] = resultsOf(config, outputs, 'w0', 'a');
    const values = messages.map(({ value }) => value);
    expect(result?.statistics.energy_40_to_60).toBeCloseTo(energy(values, 1000, 40, 60), 9);
    expect(result?.statistics.energy_100_to_450).toBeCloseTo(energy(values, 1000, 100, 450), 9);
  });
});

/** Welch's estimate without overlap, by the definition of the Fourier transform. */
function energy(values: readonly number[], rateHz: number, fromHz: number, toHz: number): number {
  const found: number[] = [];
  for (let at = 0; at + 128 <= values.length; at += 128) {
    const segment = values.slice(at, at + 128);
    const mean = segment.reduce((sum, value) => sum + value, 0) / 128;
    const tapered = segment.map((value, n) => (value - mean) * Math.sin((Math.PI * n) / 128) ** 2);
    let energy = 0;
    for (let bin = 1; bin < 64; bin++) {
      const hz = (bin * rateHz) / 128;
      if (hz < fromHz || hz >= toHz) continue;
      const part = (wave: (turn: number) => number) =>
        tapered.reduce((sum, value, n) => sum + value * wave((2 * Math.PI * bin * n) / 128), 0);
      energy += (2 * (part(Math.cos) ** 2 + part(Math.sin) ** 2)) / (128 * 128 * 0.375);
    }
    found.push(energy);
  }
  return found.reduce((sum, one) => sum + one, 0) / found.length;
}
