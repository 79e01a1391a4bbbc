/**
 * Seeded randomness for the simulated feeds (sfc32 by Chris Doty-Humphrey, public domain algorithm). The state is a
 * plain object of four 32-bit integers, so that a feed's position can be written as JSON and gone on from.
 */

/** State of a generator; every draw changes it in place. */
export interface RandomState {
  a: number;
  b: number;
  c: number;
  counter: number;
}

/** A generator for a seed and a stream: different streams of one seed are independent. */
export function seededRandom(seed: number, stream: number): RandomState {
  const state = { a: seed | 0, b: (seed / 4294967296) | 0, c: stream | 0, counter: 1 };
  for (let n = 0; n < 16; n++) uniform(state);
  return state;
}

/** A number in [0, 1) with 32 random bits. */
export function uniform(state: RandomState): number {
  const t = (((state.a + state.b) | 0) + state.counter) | 0;
  state.counter = (state.counter + 1) | 0;
  state.a = state.b ^ (state.b >>> 9);
  state.b = (state.c + (state.c << 3)) | 0;
  state.c = (((state.c << 21) | (state.c >>> 11)) + t) | 0;
  return (t >>> 0) / 4294967296;
}

/** A number from the normal distribution with mean 0 and standard deviation 1 (Box-Muller, one of the pair). */
export function gaussian(state: RandomState): number {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform(state)));
  return radius * Math.cos(2 * Math.PI * uniform(state));
}

/** True with the given probability. */
export function happens(state: RandomState, probability: number): boolean {
  return uniform(state) < probability;
}

/** An integer from `low` to `high`, both included. */
export function integerBetween(state: RandomState, low: number, high: number): number {
  return low + Math.floor(uniform(state) * (high - low + 1));
}
