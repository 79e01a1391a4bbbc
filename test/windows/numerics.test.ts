// Statistics of readings that are hard on arithmetic: far from zero and close together, all the same, only one. Sums of squares that
// are subtracted would have no digit right here.

import { parseConfig } from '@rivulet/host';
import { describe, expect, test } from 'vitest';
import { ARRIVAL_MS } from '../support/fold.ts';
import { fold, resultsOf } from './core.ts';
import { reference } from './reference.ts';

const STATS =
  'count, sum, mean, min, max, range, variance, std, skew, kurtosis, median, p90, distinct, top_2, first, last, rate, delta, slope, integral, time_mean, duration_1, ewma_20s, entropy, autocorrelation_1, states_2';
const SHAPES = ['every: 60s', 'size: 60s, every: 10s', 'gap: 20s', 'count: 25', 'count: 25, step: 5'];
const SKETCHED = /^(median|p90)$/;
const config = parseConfig(
  `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n, idle: 30d }]\nwindows:\n${SHAPES.map(
    (shape, index) =>
      `  - { name: w${index}, ${shape}${shape.startsWith('count') ? '' : ', lateness: 0s'}, stats: [${STATS}] }`,
  ).join('\n')}\n`,
  'numerics.yaml',
);

/** The windows over readings a second apart, beside those of the reference. */
function windowsOf(values: readonly number[]) {
  const sent = values.map((value, n) => ({ key: 'a', time: n * 1000, value, number: n + 1 }));
  const { outputs } = fold(config, [{ afterMs: 0, messages: sent }]);
  return config.windows.flatMap((window) => {
    const slow = reference(window);
    for (const { time, value } of sent) slow.add({ time: ARRIVAL_MS + time, value });
    const found = resultsOf(config, outputs, window.name, 'a');
    expect(found.map(({ start, count }) => [start, count])).toEqual(
      slow.results.map(({ start, count }) => [start, count]),
    );
    return found.map((ours, index) => ({ ours: ours.statistics, theirs: slow.results[index]?.statistics ?? {} }));
  });
}

const steps = Array.from({ length: 300 }, (_, n) => ((n * 37) % 11) / 1024);

describe('far from zero and close together', () => {
  test.each([1e9, -1e9, 1e6, 0.25])('around %d, apart by thousandths', (offset) => {
    const pairs = windowsOf(steps.map((step) => offset + step));
    expect(pairs.length).toBeGreaterThan(80);
    for (const { ours, theirs } of pairs) {
      for (const [name, value] of Object.entries(theirs)) {
        // The mean of such numbers is known to 1e-7, and their deviation is 3e-3: four digits of it are all that there are.
        if (typeof value !== 'number' || name === 'entropy') continue;
        const share = SKETCHED.test(name) ? 1 / 128 : 1e-3;
        // What may be next to nothing is measured by what is usual for it.
        const bound = Math.abs(value) * share + (/^(slope|skew|kurtosis|autocorrelation_1)$/.test(name) ? 1e-3 : 1e-6);
        expect(Math.abs((ours[name] as number) - value), `${name}: ${ours[name]}, not ${value}`).toBeLessThan(bound);
      }
    }
  });
});

describe('readings that are all the same', () => {
  test.each([1e9 + 1 / 3, -0.1, 0, 1e-300, 1e100])(
    '%d has no deviation at all, and what is not defined is null',
    (value) => {
      const pairs = windowsOf(Array(130).fill(value));
      for (const { ours } of pairs) {
        expect(ours).toMatchObject({ mean: value, min: value, max: value, first: value, last: value });
        expect(ours).toMatchObject({ variance: 0, std: 0, range: 0, delta: 0, rate: 0, distinct: 1, entropy: 0 });
        for (const name of ['skew', 'kurtosis', 'autocorrelation_1']) expect(ours[name], name).toBeNaN();
        expect(Math.abs((ours.slope as number) + 0), 'slope').toBe(0);
        expect(Math.abs((ours.time_mean as number) - value)).toBeLessThanOrEqual(Math.abs(value) * 1e-12);
        expect(Math.abs((ours.ewma_20s as number) - value)).toBeLessThanOrEqual(Math.abs(value) * 1e-12);
      }
    },
  );
});

test('one_reading_has_what_one_reading_can_have', () => {
  const one = { key: 'a', time: 0, value: 42.5, number: 1 };
  const { outputs } = fold(config, [{ afterMs: 0, messages: [one, { ...one, time: 500_000, number: 2 }] }]);
  for (const window of ['w0', 'w1', 'w2']) {
    const [first] = resultsOf(config, outputs, window, 'a');
    expect(first?.count).toBe(1);
    expect(first?.statistics).toMatchObject({
      ...{ sum: 42.5, mean: 42.5, variance: 0, std: 0, delta: 0, distinct: 1, entropy: 0, integral: 0, duration_1: 0 },
      ...{ time_mean: 42.5, ewma_20s: 42.5 },
    });
    for (const name of ['skew', 'kurtosis', 'rate', 'slope', 'autocorrelation_1'])
      expect(first?.statistics[name], name).toBeNaN();
  }
});
