/** When silence is too long: steady streams, bursts, what the user said. */
import { expect, test } from 'vitest';
import { createFreshness } from './freshness.ts';

/** Hears messages at these gaps, from 0; returns the time of the last. */
function hear(freshness: ReturnType<typeof createFreshness>, gapsMs: number[], fromMs = 0): number {
  return gapsMs.reduce((now, gap) => {
    freshness.heard(now + gap);
    return now + gap;
  }, fromMs);
}

test('nothing is stale before the rhythm is known', () => {
  const freshness = createFreshness(null);
  freshness.connected(0);
  const last = hear(freshness, Array(10).fill(1000));
  expect(freshness.stale(last + 1e9)).toBe(false);
});

test('a steady stream is stale after many times its gap, and each further alarm takes twice as long', () => {
  const freshness = createFreshness(null);
  freshness.connected(0);
  const last = hear(freshness, Array(100).fill(10_000));
  expect(freshness.stale(last + 190_000)).toBe(false);
  expect(freshness.alarmed()).toBe(false);
  expect(freshness.stale(last + 210_000)).toBe(true);
  expect(freshness.stale(last + 390_000)).toBe(false);
  expect(freshness.stale(last + 410_000)).toBe(true);
  freshness.heard(last + 411_000);
  expect(freshness.alarmed()).toBe(false);
});

test('bursts once a minute are not stale between them', () => {
  const freshness = createFreshness(null);
  freshness.connected(0);
  const burst = [60_000, ...Array(500).fill(10)];
  const last = hear(freshness, Array(30).fill(burst).flat());
  expect(freshness.stale(last + 120_000)).toBe(false);
  expect(freshness.stale(last + 60_000 * 20)).toBe(true);
});

test('an outage does not become the rhythm', () => {
  const freshness = createFreshness(null);
  freshness.connected(0);
  let now = hear(freshness, Array(200).fill(10_000));
  now = hear(freshness, [3_600_000, ...Array(200).fill(10_000)], now);
  expect(freshness.stale(now + 20 * 60_000)).toBe(true);
});

test('silence counts from the connection, and not without one', () => {
  const freshness = createFreshness(500);
  expect(freshness.stale(1e9)).toBe(false);
  freshness.connected(1000);
  expect(freshness.stale(1400)).toBe(false);
  expect(freshness.stale(1501)).toBe(true);
  freshness.disconnected();
  expect(freshness.stale(1e9)).toBe(false);
  expect(freshness.silentMs(1e9)).toBe(null);
  expect(freshness.alarmed()).toBe(true);
});

test('zero turns it off', () => {
  const freshness = createFreshness(0);
  freshness.connected(0);
  hear(freshness, Array(100).fill(10));
  expect(freshness.stale(1e12)).toBe(false);
});
