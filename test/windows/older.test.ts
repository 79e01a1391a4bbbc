// A state of version 13, when count and global windows always kept their first reading, goes on as if this core had written it.
// The file was made by the core of then from the first half of the story below.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '@rivulet/host';
import { expect, test } from 'vitest';
import { type Batch, fold, resultsOf } from './core.ts';

const WINDOWS = [
  'count: 10',
  'count: 7, step: 2, stats: [mean, p90]',
  'count: 7, step: 3, stats: [first, rate]',
  'lateness: 5s, trigger: { count: 4 }',
  'lateness: 5s, trigger: { count: 4, reset: true }, stats: [mean, first, p90]',
  'count: 6, over: "#"',
];
const config = parseConfig(
  `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n, idle: 30d }]\nwindows: [${WINDOWS.map(
    (window, index) => `{ name: w${index}, ${window} }`,
  ).join(', ')}]\n`,
  'older.yaml',
);
const story: Batch[] = Array.from({ length: 60 }, (_, n) => ({
  afterMs: n * 1000,
  messages: [
    { key: n % 3 === 0 ? 'a' : 'b', time: n * 1000 - ((n * 7) % 5) * 400, value: (n * 37) % 11, number: n + 1 },
  ],
}));
const HALF = 31;

test('windows_of_a_state_of_version_13_go_on', () => {
  const state = readFileSync(join(import.meta.dirname, 'older', 'state_13.bin'));
  expect(state.readUInt16LE(4)).toBe(13);
  const straight = fold(config, story);
  const continued = fold(config, story, HALF, state);
  const results = (outputs: typeof straight.outputs) =>
    WINDOWS.flatMap((_, index) => ['a', 'b', '*'].flatMap((key) => resultsOf(config, outputs, `w${index}`, key)));
  expect(results(continued.outputs).length).toBeGreaterThan(20);
  expect(continued.outputs).toEqual(straight.outputs);
  expect(continued.report.windows).toEqual(straight.report.windows);
});
