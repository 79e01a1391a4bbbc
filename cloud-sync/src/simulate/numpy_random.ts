/**
 * The random numbers of `numpy.random.seed(n)`: Mersenne Twister MT19937 and Gaussians by the polar method, as published
 * data sets were drawn with them. It is here only so that the same seed gives the same sizes as the code that figures in
 * papers come from; everything else draws from `random.ts`.
 *
 * Papers: Matsumoto & Nishimura, "Mersenne Twister" (1998); Marsaglia & Bray, "A convenient method for generating normal
 * variables" (1964).
 */

const LENGTH = 624;
const MIDDLE = 397;

/** Gaussians of mean 0 and variance 1. `seed`: 0 to 2^32 - 1. */
export function numpyGaussians(seed: number): () => number {
  const next = mersenneTwister(seed);
  const uniform = () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
  let spare: number | null = null;
  return () => {
    if (spare !== null) {
      const gaussian = spare;
      spare = null;
      return gaussian;
    }
    for (;;) {
      const a = 2 * uniform() - 1;
      const b = 2 * uniform() - 1;
      const square = a * a + b * b;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      spare = scale * a;
      return scale * b;
    }
  };
}

/** Unsigned numbers of 32 bits. */
function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(LENGTH);
  state[0] = seed;
  for (let i = 1; i < LENGTH; i++) {
    const before = state[i - 1] as number;
    state[i] = Math.imul(1_812_433_253, before ^ (before >>> 30)) + i;
  }
  let at = LENGTH;

  function twist(): void {
    for (let i = 0; i < LENGTH; i++) {
      const y = ((state[i] as number) & 0x80000000) | ((state[(i + 1) % LENGTH] as number) & 0x7fffffff);
      state[i] = (state[(i + MIDDLE) % LENGTH] as number) ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : 0x9908b0df);
    }
    at = 0;
  }

  return () => {
    if (at === LENGTH) twist();
    let y = state[at++] as number;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}
