/** Numbers from a seed with integer arithmetic alone, so that every machine gets the same ones (mulberry32). */

/** A source of numbers. */
export interface Numbers {
  /** A number in 0 … 1, below 1. */
  next(): number;
  /** A whole number below `bound`. */
  below(bound: number): number;
  /** Roughly normal, standard deviation 1: the sum of twelve numbers less six. */
  normal(): number;
}

/** Starts a source at `seed`. */
export function numbersFrom(seed: number): Numbers {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    below: (bound) => Math.floor(next() * bound),
    normal: () => {
      let sum = -6;
      for (let i = 0; i < 12; i++) sum += next();
      return sum;
    },
  };
}

/** A number with few digits, as a sensor would send it. */
export function rounded(value: number, steps = 100): number {
  return Math.round(value * steps) / steps;
}
