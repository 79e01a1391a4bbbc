// What a key takes in a checkpoint, as WINDOWS.md states it: not a byte more with time, nor with longer windows.

import { parseConfig } from '@rivulet/host';
import { expect, test } from 'vitest';
import { type Batch, fold } from './core.ts';

/** Bytes that one more key adds for one window, after so many minutes of a reading each. */
function bytesOf(window: string, minutes: number): number {
  const lengthOf = (keys: number, windows: string) => {
    const config = parseConfig(
      `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n }]\nwindows: [${windows}]\n`,
      'bytes.yaml',
    );
    const batches: Batch[] = Array.from({ length: minutes }, (_, minute) => ({
      afterMs: minute * 60_000,
      messages: Array.from({ length: keys }, (_, key) => ({
        ...{ key: `k${1000 + key}`, time: minute * 60_000, value: minute % 10, number: minute + 1 },
      })),
    }));
    return fold(config, batches).state.length;
  };
  const grown = (windows: string) => lengthOf(40, windows) - lengthOf(20, windows);
  return (grown(`{ name: w, ${window} }`) - grown('')) / 20;
}

test.each([
  ['every: 5m, lateness: 0s', 141],
  ['every: 24h, lateness: 0s, stats: [mean, min, max, std, count]', 76 + 1],
  ['size: 1h, every: 5m, lateness: 0s', 97 + 13 * 72],
  ['size: 1h, every: 20m, lateness: 0s', 97 + 4 * 72],
  ['gap: 5m, lateness: 0s', 81],
  ['count: 10', 97],
  ['count: 30, step: 10', 97 + 3 * 80],
  ['count: 10, stats: [first]', 97 + 16],
  ['every: 5m, lateness: 0s, stats: [first]', 141 + 2 * 16],
  ['every: 5m, lateness: 0s, stats: [skew]', 141 + 2 * 40],
  ['every: 5m, lateness: 0s, stats: [slope]', 141 + 2 * 48],
])('a_key_takes_as_many_bytes_as_stated: %s', (window, stated) => {
  expect(bytesOf(window, 200)).toBe(stated);
  expect(bytesOf(window, 400)).toBe(stated);
});
