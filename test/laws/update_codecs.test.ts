/** The laws of inexact updates: each codec keeps those of its kind, whatever it is given. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomFrom } from '../../cloud-sync/src/simulate/random.ts';
import { rotatedSigns, sparseTernary, stochastic, type UpdateCodec } from '../bench/fleet/updates/codecs.ts';
import { openFeedback } from '../bench/fleet/updates/feedback.ts';

const CODECS: readonly UpdateCodec[] = [
  stochastic('int8', 127),
  stochastic('int4', 7),
  stochastic('ternary', 1),
  sparseTernary('sparse 10 %', 0.1),
  sparseTernary('sparse 100 %', 1),
  rotatedSigns('rotated signs', 7),
];

const number = fc.oneof(
  fc.double({ min: -1e6, max: 1e6, noNaN: true }),
  fc.constantFrom(0, -0, 1e-300, 5e-324, 1e-42, 3e38, -3e38),
);
const update = fc.array(number, { maxLength: 70 }).map((values) => Float64Array.from(values));
const seeds = fc.integer({ min: 0, max: 1e6 });
const randomOf = (seed: number) => {
  const random = randomFrom(seed, 'codec');
  return random.uniform;
};
const CORRUPT = expect.objectContaining({ code: 'RIV_CORRUPT' });
const TOO_LARGE = expect.objectContaining({ code: 'RIV_TOO_LARGE' });
const squares = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
const minus = (a: Float64Array, b: Float64Array) => a.map((value, at) => value - (b[at] as number));
/** As many numbers as the models of the Synthetic scenarios have, of very different sizes. */
function wide(seed: number): Float64Array {
  const random = randomOf(seed);
  return Float64Array.from({ length: 610 }, (_, at) => (random() - 0.5) * Math.exp(-at / 100));
}

describe.each(CODECS.map((codec) => [codec.name, codec] as const))('%s', (_, codec) => {
  it('what is read is written in the same bytes again, and the same seed gives the same bytes', () => {
    fc.assert(
      fc.property(update, seeds, (values, seed) => {
        const bytes = codec.encode(values, randomOf(seed));
        expect(codec.encode(values, randomOf(seed))).toEqual(bytes);
        const read = codec.decode(bytes, values.length);
        expect(read.length).toBe(values.length);
        expect(read.every(Number.isFinite)).toBe(true);
        expect(codec.decode(bytes, values.length)).toEqual(read);
      }),
    );
  });

  it('bytes that were cut, lengthened, changed or made up are refused or read as finite numbers', () => {
    const whole = codec.encode(wide(1), randomOf(1));
    expect(() => codec.decode(Uint8Array.from([...whole, 0]), 610)).toThrow(CORRUPT);
    const refusedOrFinite = (bytes: Uint8Array, length: number) => {
      try {
        expect(codec.decode(bytes, length).every(Number.isFinite)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'RIV_CORRUPT' });
      }
    };
    // that nothing was lost on the way is what the hash in the envelope says
    for (let length = 0; length < whole.length; length++) refusedOrFinite(whole.subarray(0, length), 610);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 100 }), refusedOrFinite), {
      numRuns: 500,
    });
  });

  it('numbers that are not finite, and more than can be, are refused', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e39]) {
      expect(() => codec.encode(Float64Array.of(1, bad), randomOf(1))).toThrow(CORRUPT);
    }
    expect(() => codec.decode(new Uint8Array(0), 1e9)).toThrow(TOO_LARGE);
  });

  if (codec.kind === 'unbiased') {
    it('what is read is on average what was written', () => {
      const values = wide(2);
      const draws = 400;
      const sum = new Float64Array(values.length);
      const random = randomOf(3);
      for (let draw = 0; draw < draws; draw++) {
        for (const [at, value] of codec.decode(codec.encode(values, random), values.length).entries()) {
          sum[at] = (sum[at] as number) + value / draws;
        }
      }
      const one = minus(values, codec.decode(codec.encode(values, random), values.length));
      // errors that are independent from draw to draw shrink by their number; a bias would stay
      expect(squares(minus(values, sum))).toBeLessThan((3 * squares(one)) / draws);
    });
  } else {
    it('what is read is nearer to what was written than nothing is', () => {
      fc.assert(
        fc.property(update, (values) => {
          const read = codec.decode(codec.encode(values, randomOf(1)), values.length);
          expect(Math.sqrt(squares(minus(values, read)))).toBeLessThanOrEqual(
            Math.sqrt(squares(values)) * (1 + 1e-6) + 1e-30,
          );
        }),
      );
      const values = wide(4);
      const read = codec.decode(codec.encode(values, randomOf(1)), values.length);
      expect(squares(minus(values, read))).toBeLessThan(0.9 * squares(values));
    });

    it('with error feedback the sum of what is read follows the sum of what was written', () => {
      const feedback = openFeedback(codec);
      const rounds = 300;
      const [said, wanted] = [new Float64Array(610), new Float64Array(610)];
      let longest = 0;
      for (let round = 0; round < rounds; round++) {
        const values = wide(5 + (round % 7));
        const read = codec.decode(feedback.encode(values, 'line', randomOf(round)), 610);
        for (let at = 0; at < 610; at++) {
          said[at] = (said[at] as number) + (read[at] as number);
          wanted[at] = (wanted[at] as number) + (values[at] as number);
        }
        longest = Math.max(longest, Math.sqrt(squares(values)));
      }
      // Karimireddy et al., lemma 3: bounded, however many rounds
      expect(Math.sqrt(squares(minus(wanted, said)))).toBeCloseTo(feedback.leftOut(), 6);
      expect(feedback.leftOut()).toBeLessThan(40 * longest);
    });

    it('on another line of releases nothing is made good', () => {
      const [values, nothing] = [wide(6), new Float64Array(610)];
      const feedback = openFeedback(codec);
      feedback.encode(values, 'one line', randomOf(1));
      expect(feedback.encode(nothing, 'another', randomOf(1))).toEqual(codec.encode(nothing, randomOf(1)));
    });
  }
});

it('the entropy coder pays what the numbers are worth', () => {
  const bytes = sparseTernary('sparse', 0.1).encode(wide(1), randomOf(1)).length;
  // positions: 610 · H(0.1) bits, signs: 61, scale: 32; learning what is likely costs some more
  expect(bytes).toBeLessThan((610 * 0.469 + 61 + 32) / 8 + 4);
});
