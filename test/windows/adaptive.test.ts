// Lateness that follows the network, by property: over networks that get slower and quicker again, with keys that share what is
// learned of their source, the windows and the late readings are those of the slow reference, from any restart.

import { parseConfig } from '@rivulet/host';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ARRIVAL_MS } from '../support/fold.ts';
import { waiting } from './adaptive.ts';
import { type Batch, fold, resultsOf, type Sent } from './core.ts';
import { reference } from './reference.ts';

const KEYS = ['a', 'b'];
const QUANTILE = 0.98;
const MAX_MS = 120_000;
const config = parseConfig(
  `sources: [{ topic: "plant/{key}", fields: { v: v }, time: t, seq: n, idle: 30d, lateness: { quantile: ${QUANTILE}, max: 2m } }]
windows: [{ name: w, every: 10s, stats: [sum] }]
`,
  'adaptive.yaml',
);

/** A network for a while: how long a reading mostly takes, and how long one in some takes. */
const network = fc.record({
  readings: fc.integer({ min: 50, max: 2500 }),
  usualMs: fc.nat(3000),
  slowMs: fc.oneof(fc.nat(20_000), fc.nat(300_000)),
  oneIn: fc.integer({ min: 2, max: 60 }),
});

/** Numbers in [0, 1) from a seed. */
function draw(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

test('the_wait_follows_the_network_as_the_reference_says', () => {
  let late = 0;
  fc.assert(
    fc.property(fc.array(network, { minLength: 1, maxLength: 5 }), fc.nat(), fc.nat(), (networks, seed, cut) => {
      const random = draw(seed);
      const wait = waiting({ quantile: QUANTILE, maxMs: MAX_MS });
      const windows = config.windows.slice(0, 1);
      const slow = new Map(KEYS.flatMap((key) => windows.map((window) => [key, reference(window)] as const)));
      const newest = new Map<string, number>();
      const complete = new Map<string, number>();
      const batches: Batch[] = [];
      let number = 0;
      for (const { readings, usualMs, slowMs, oneIn } of networks) {
        for (let n = 0; n < readings; n++) {
          number += 1;
          const key = KEYS[Math.floor(random() * KEYS.length)] as string;
          const delayMs = Math.floor(random() * (random() * oneIn < 1 ? slowMs : usualMs));
          const sent: Sent = { key, time: number * 1000 - delayMs, value: number % 100, number };
          batches.push({ afterMs: number * 1000, messages: [sent] });
          const before = newest.get(key) ?? Number.NEGATIVE_INFINITY;
          const waitMs = wait.record(before - sent.time);
          const done = complete.get(key) ?? Number.NEGATIVE_INFINITY;
          slow.get(key)?.add({ time: ARRIVAL_MS + sent.time, value: sent.value }, done);
          newest.set(key, Math.max(before, sent.time));
          // A shorter wait holds from the next newest reading on.
          complete.set(key, Math.max(done, ARRIVAL_MS + sent.time - waitMs));
          slow.get(key)?.complete(complete.get(key) as number);
        }
      }
      const straight = fold(config, batches);
      for (const [key, { results, refused }] of slow) {
        expect(resultsOf(config, straight.outputs, 'w', key)).toEqual(results);
        const found = straight.outputs.filter((output) => output.kind === 'late' && output.key === key);
        expect(found.map((output) => output.kind === 'late' && output.time)).toEqual(refused.map(({ time }) => time));
        late += refused.length;
      }
      const restored = fold(config, batches, cut % batches.length);
      expect(restored.state.equals(straight.state)).toBe(true);
    }),
    { numRuns: 5 },
  );
  expect(late).toBeGreaterThan(50);
});
