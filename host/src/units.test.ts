import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatBytes, formatDuration, parseBytes, parseDuration, parseNanoseconds } from './units.ts';

test.each([
  ['250ms', 250],
  ['10s', 10_000],
  ['5m', 300_000],
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
  ['1h30m', 5_400_000],
  [' 1h 30m ', 5_400_000],
  ['0', 0],
])('the_duration_%j_is_%d_ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '5', 'm', '5 minutes', '-1s', '1e3s', 'NaNs', '5m!', '1m2', '99999999d', '٣s'])(
  'the_duration_%j_is_refused',
  (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'RIV_UNIT' }));
  },
);

test.each([
  ['512', 512],
  ['64KB', 64_000],
  ['16MiB', 16 * 1024 * 1024],
  ['2GB', 2e9],
  ['1.5 GiB', 1.5 * 2 ** 30],
])('the_size_%j_is_%d_bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each(['', '-1', '1PB', '1 kB', 'GB', '1e9', '9999999TB'])('the_size_%j_is_refused', (text) => {
  expect(() => parseBytes(text)).toThrow(expect.objectContaining({ code: 'RIV_UNIT' }));
});

test.each([
  ['50ns', 50],
  ['1us', 1000],
  ['0.5 ms', 500_000],
  ['8µs', 8000],
])('the_time_%j_is_%d_ns', (text, ns) => {
  expect(parseNanoseconds(text)).toBe(ns);
});

test.each(['', '1', '0ns', '1s', '-1us', '2000ms', 'us'])('the_time_%j_is_refused', (text) => {
  expect(() => parseNanoseconds(text)).toThrow(expect.objectContaining({ code: 'RIV_UNIT' }));
});

test('a_formatted_duration_reads_back_exactly', () => {
  expect([0, 1, 90_000, 300_000, 86_400_000].map(formatDuration)).toEqual(['0s', '1ms', '90s', '5m', '1d']);
  fc.assert(fc.property(fc.nat(), (ms) => parseDuration(formatDuration(ms)) === ms));
});

test('sizes_are_shown_with_at_most_one_decimal', () => {
  expect([0, 1023, 1536, 5 * 2 ** 20, 3.26 * 2 ** 40].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '5 MiB',
    '3.3 TiB',
  ]);
});
