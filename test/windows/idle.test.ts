// Idleness, by property: however devices speak, fall silent and come back, and however the clock ticks, a gateway whose source runs
// with the wall clock and then hears nothing more ends with every window closed once, every reading in one result or late, and the
// same bits from any restart. A key that goes on has the windows of the slow reference, whoever else falls silent.

import { parseConfig } from '@rivulet/host';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ARRIVAL_MS } from '../support/fold.ts';
import { type Batch, fold, resultsOf, type Sent } from './core.ts';
import { reference } from './reference.ts';

const KEYS = ['a', 'b', 'c'];
const WINDOW_MS = 10_000;
const LATENESS_MS = 3000;
const IDLE_MS = 30_000;
const config = parseConfig(
  `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n, idle: 30s }]
windows: [{ name: w, every: 10s, lateness: 3s, stats: [sum] }]
`,
  'idle.yaml',
);

const script = fc.array(
  fc.record({
    // The gap before: mostly seconds, at times long enough for all to fall silent.
    gapMs: fc.oneof(
      { weight: 8, arbitrary: fc.nat(4000) },
      { weight: 1, arbitrary: fc.integer({ min: 20_000, max: 120_000 }) },
    ),
    // Who speaks; null: nobody, the clock ticks.
    key: fc.option(fc.constantFrom(...KEYS), { freq: 5 }),
    delayMs: fc.oneof({ weight: 6, arbitrary: fc.nat(2000) }, { weight: 1, arbitrary: fc.nat(90_000) }),
  }),
  { minLength: 1, maxLength: 80 },
);

test('a_gateway_that_falls_silent_closes_every_window_once_and_loses_no_reading', () => {
  fc.assert(
    fc.property(script, fc.nat(200), (steps, cut) => {
      let now = 0;
      const sent: Sent[] = [];
      const batches: Batch[] = steps.map(({ gapMs, key, delayMs }, number) => {
        now += gapMs;
        const message = { key: key ?? '', time: now - delayMs, value: number, number };
        if (key !== null) sent.push(message);
        return { afterMs: now, messages: key === null ? [] : [message] };
      });
      const last = { key: 'c', time: now, value: 0, number: steps.length };
      sent.push(last);
      batches.push({ afterMs: now, messages: [last] });
      for (let tick = 1; tick <= 20; tick++) batches.push({ afterMs: now + tick * IDLE_MS, messages: [] });
      const straight = fold(config, batches);
      const results = KEYS.flatMap((key) => resultsOf(config, straight.outputs, 'w', key));
      const windows = KEYS.flatMap((key) =>
        resultsOf(config, straight.outputs, 'w', key).map(({ start }) => `${key} ${start}`),
      );
      expect(new Set(windows).size).toBe(windows.length);
      expect(results.every(({ final, revision }) => final && revision === 0)).toBe(true);
      const late = straight.outputs.filter(({ kind }) => kind === 'late').length;
      expect(results.reduce((sum, { count }) => sum + count, late)).toBe(sent.length);
      const cutAt = cut % batches.length;
      const restored = fold(config, batches, cutAt);
      expect(restored.state.equals(straight.state)).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test('a_key_that_never_falls_silent_has_the_windows_of_the_reference_whoever_else_does', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(12_000), { minLength: 30, maxLength: 120 }), fc.nat(29), (delays, others) => {
      const slow = reference(config.windows[0] as (typeof config.windows)[number]);
      const batches = delays.map((delayMs, second): Batch => {
        const message = { key: 'a', time: second * 1000 - delayMs, value: second, number: second };
        slow.add({ time: ARRIVAL_MS + message.time, value: message.value });
        const talks = second % 30 < others;
        const other = { key: 'b', time: second * 1000 + 60_000, value: 1, number: second };
        return { afterMs: second * 1000, messages: talks ? [message, other] : [message] };
      });
      const found = resultsOf(config, fold(config, batches).outputs, 'w', 'a');
      expect(found.map(({ start, count }) => [start, count])).toEqual(
        slow.results.map(({ start, count }) => [start, count]),
      );
    }),
    { numRuns: 60 },
  );
});

test('the_windows_of_the_last_reading_close_after_idleness_and_lateness_and_not_before', () => {
  const batches: Batch[] = [{ afterMs: 0, messages: [{ key: 'a', time: 0, value: 1, number: 0 }] }];
  const closed = (afterMs: number) =>
    resultsOf(config, fold(config, [...batches, { afterMs, messages: [] }]).outputs, 'w', 'a').length;
  expect(closed(IDLE_MS - 1)).toBe(0);
  expect(closed(IDLE_MS + WINDOW_MS + LATENESS_MS)).toBe(1);
});
