// When windows close: silence, clocks that are wrong, networks that change. By example, through the core with real blocks.

import { type Config, parseConfig } from '@rivulet/host';
import { describe, expect, test } from 'vitest';
import { ARRIVAL_MS } from '../support/fold.ts';
import { type Batch, fold, resultsOf, type Sent } from './core.ts';

function configOf(source: string, window: string): Config {
  return parseConfig(
    `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n, ${source} }]\nwindows: [{ name: w, ${window} }]\n`,
    'time.yaml',
  );
}

let number = 0;
function sent(key: string, time: number, value = 1): Sent {
  number += 1;
  return { key, time, value, number };
}
const at = (afterMs: number, ...messages: Sent[]): Batch => ({ afterMs, messages });
const tick = (afterMs: number): Batch => ({ afterMs, messages: [] });

/** `[start, count, revision, final]` with times since the first arrival. */
function windows(config: Config, batches: readonly Batch[], key: string): [number, number, number, boolean][] {
  return resultsOf(config, fold(config, batches).outputs, 'w', key).map(({ start, count, revision, final }) => [
    start - ARRIVAL_MS,
    count,
    revision,
    final,
  ]);
}

describe('silence', () => {
  const config = configOf('idle: 30s', 'every: 10s, lateness: 0s');

  test('a_key_that_falls_silent_is_closed_by_the_others_of_its_source', () => {
    const batches = [at(1000, sent('a', 1000), sent('b', 1000))];
    for (let second = 2; second < 40; second++) batches.push(at(second * 1000, sent('b', second * 1000)));
    expect(windows(config, batches, 'a')).toEqual([[0, 1, 0, true]]);
    expect(windows(config, batches, 'b').length).toBe(3);
  });

  test('a_gateway_that_hears_nothing_more_closes_its_last_windows_by_the_clock', () => {
    const batches = [at(1000, sent('a', 1000), sent('b', 2000)), tick(20_000)];
    expect(windows(config, batches, 'a')).toEqual([]);
    expect(windows(config, [...batches, tick(31_500), tick(50_000)], 'a')).toEqual([[0, 1, 0, true]]);
    expect(windows(config, [...batches, tick(31_500), tick(50_000)], 'b')).toEqual([[0, 1, 0, true]]);
  });

  test('a_source_whose_clocks_are_hours_off_closes_its_last_windows_too_once_they_have_kept_their_distance', () => {
    for (const offMs of [-7_200_000, 7_200_000]) {
      const batches = Array.from({ length: 70 }, (_, second) =>
        at(second * 1000, sent('a', offMs + second * 1000 + (second % 3) * 200)),
      );
      const counts = (messages: readonly Batch[]) => windows(config, messages, 'a').map(([, count]) => count);
      expect(counts([...batches, tick(90_000)])).toHaveLength(6);
      expect(counts([...batches, tick(99_500), tick(120_000)])).toEqual(Array(7).fill(10));
      // Too short to know.
      expect(counts([...batches.slice(0, 45), tick(80_000), tick(120_000)])).toHaveLength(4);
    }
  });

  test('what_a_device_had_buffered_and_sends_at_once_closes_nothing_by_silence', () => {
    // Each quarter of an hour what was measured since: between two bulks an hour behind, and the time stands.
    const bulk = (number: number): Batch =>
      at(
        number * 900_000,
        ...Array.from({ length: 90 }, (_, n) => sent('a', number * 900_000 - 3_600_000 + n * 10_000)),
      );
    const batches = Array.from({ length: 8 }, (_, number) => [
      bulk(number),
      tick(number * 900_000 + 40_000),
      tick(number * 900_000 + 600_000),
    ]).flat();
    const { report } = fold(config, batches);
    expect(report.sources[0]).toMatchObject({ used: 720, late: 0 });
  });

  test('a_key_that_falls_silent_holds_no_group_up', () => {
    const group = configOf('idle: 30s', 'every: 10s, lateness: 0s, over: "#"');
    const batches = [at(1000, sent('a', 1000), sent('b', 1000))];
    for (let second = 2; second < 60; second++) batches.push(at(second * 1000, sent('b', second * 1000)));
    expect(windows(group, batches.slice(0, 20), '*')).toEqual([]);
    expect(windows(group, batches, '*').slice(0, 2)).toEqual([
      [0, 10, 0, true],
      [10_000, 10, 0, true],
    ]);
    const after = [...batches, at(60_000, sent('a', 59_500)), tick(95_000), tick(130_000)];
    const all = windows(group, after, '*');
    expect(all.reduce((sum, [, count]) => sum + count, 0)).toBe(61);
  });

  test('groups_are_named_by_what_the_pattern_captures', () => {
    const named = parseConfig(
      `sources: [{ topic: "plant/{site}/{room}", fields: { v: v }, time: t, seq: n }]
windows: [{ name: w, every: 10s, lateness: 0s, over: "{site}/+" }]\n`,
      'time.yaml',
    );
    const batches = [at(1000, sent('x/1', 1000), sent('x/2', 2000), sent('y/1', 3000))];
    batches.push(at(20_000, sent('x/1', 20_000), sent('x/2', 20_000), sent('y/1', 20_000)));
    expect(windows(named, batches, 'x')).toEqual([[0, 2, 0, true]]);
    expect(windows(named, batches, 'y')).toEqual([[0, 1, 0, true]]);
  });
});

describe('late readings', () => {
  test('go_to_the_late_output_of_each_window_that_did_not_take_them_and_are_counted', () => {
    const config = parseConfig(
      `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n }]
windows: [{ name: short, every: 10s, lateness: 0s }, { name: long, every: 60s, lateness: 0s }]\n`,
      'time.yaml',
    );
    const { outputs, report } = fold(config, [
      at(0, sent('a', 1000), sent('a', 15_000), sent('a', 2000), sent('a', 70_000), sent('a', 3000)),
    ]);
    const late = outputs.filter((output) => output.kind === 'late');
    expect(late.map(({ subject, time }) => [subject, time - ARRIVAL_MS])).toEqual([
      [0, 2000],
      [0, 3000],
      [1, 3000],
    ]);
    expect(report.windows).toEqual([
      { name: 'short', results: 2, late: 2 },
      { name: 'long', results: 1, late: 1 },
    ]);
    expect(report.sources[0]).toMatchObject({ received: 5, used: 4, late: 1 });
  });
});

describe('adaptive lateness', () => {
  test('waits_as_long_as_the_network_makes_readings_late_and_no_longer', () => {
    const config = configOf('lateness: { quantile: 0.99, max: 5m }', 'every: 10s');
    // Every tenth reading is 40 s late; 10 s is what is waited at first.
    const messages = Array.from({ length: 2000 }, (_, n) => sent('a', n * 1000 - (n % 10 === 9 ? 40_000 : 0)));
    const batches = messages.map((message, n) => at(n * 1000, message));
    const { report } = fold(config, batches);
    const [source] = report.sources;
    expect(source?.late).toBeGreaterThan(0);
    expect(source?.late).toBeLessThan(20);
    const fixed = fold(configOf('lateness: 10s', 'every: 10s'), batches);
    expect(fixed.report.sources[0]?.late).toBeGreaterThan(150);
    // A network that is quick again: windows close soon after their end.
    const quick = Array.from({ length: 70_000 }, (_, n) => sent('a', 2_000_000 + n * 1000));
    const straight = fold(config, [...batches, at(2_000_000, ...quick)]);
    const last = resultsOf(config, straight.outputs, 'w', 'a').at(-1);
    expect(ARRIVAL_MS + 72_000_000 - (last?.end ?? 0)).toBeLessThan(20_000);
  });
});

describe('device clocks', () => {
  const window = 'every: 10s, lateness: 0s';

  test('far_off_in_either_direction_are_quarantined_when_asked_for', () => {
    const config = configOf('clock: quarantine, clock_skew_max: 1m', window);
    const { report } = fold(config, [at(0, sent('a', 0), sent('a', 61_000), sent('a', -61_000), sent('a', 59_000))]);
    expect(report.sources[0]).toMatchObject({ used: 2, quarantined: 2 });
  });

  test('that_are_ahead_or_behind_are_estimated_and_corrected', () => {
    const config = configOf('clock: correct, clock_skew_max: 1m', window);
    const hour = 3_600_000;
    const batches = Array.from({ length: 30 }, (_, n) =>
      at(
        n * 1000,
        sent('ahead', n * 1000 + hour),
        sent('behind', n * 1000 - 50 * 365 * 24 * hour),
        sent('right', n * 1000),
      ),
    );
    for (const key of ['ahead', 'behind', 'right']) {
      expect(windows(config, batches, key), key).toEqual([
        [0, 10, 0, true],
        [10_000, 10, 0, true],
      ]);
    }
    expect(fold(config, batches).report.times_corrected).toBe(60);
  });

  test('that_are_set_back_are_found_out_and_what_was_buffered_is_not_taken_for_it', () => {
    const config = configOf('clock: correct, clock_skew_max: 1m', window);
    const batches: Batch[] = [];
    for (let n = 0; n < 60; n++) batches.push(at(n * 1000, sent('a', n * 1000 - (n >= 30 ? 1e9 : 0))));
    const { report } = fold(config, batches);
    // Two readings are late before it is sure.
    expect(report.sources[0]).toMatchObject({ used: 58, late: 2 });
    const buffered = fold(config, [at(0, sent('b', 0)), at(50_000, sent('b', 10_000), sent('b', 50_000))]);
    expect(buffered.report.times_corrected).toBe(0);
  });
});
