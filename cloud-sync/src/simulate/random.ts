/**
 * Seeded random numbers of the simulator: a hash of the name seeds a xoshiro128** stream, so that one seed repeats a whole run
 * and every gateway and every fault has a stream of its own that no other draw disturbs.
 * (Blackman & Vigna 2021, "Scrambled linear pseudorandom number generators".)
 */
import { sha256 } from '@rivulet/host';

export interface Random {
  /** In [0, 1), 32 bits. */
  uniform(): number;
  /** Standard normal (Box & Muller 1958). */
  gaussian(): number;
  /** A whole number in [0, bound). */
  below(bound: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** That many bytes. */
  bytes(length: number): Buffer;
}

/** A stream named by what it is for: `randomFrom(7, 'gateway-3', 'rows')`. */
export function randomFrom(...name: readonly (string | number)[]): Random {
  const seed = sha256(Buffer.from(name.join('\n')));
  let [a, b, c, d] = [0, 4, 8, 12].map((at) => seed.readInt32LE(at)) as [number, number, number, number];
  let spare: number | null = null;

  function next(): number {
    const result = Math.imul(rotated(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotated(d, 11);
    return result;
  }

  const uniform = () => next() / 2 ** 32;
  return {
    uniform,
    gaussian() {
      if (spare !== null) {
        const kept = spare;
        spare = null;
        return kept;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    below: (bound) => Math.floor(uniform() * bound),
    chance: (probability) => uniform() < probability,
    bytes: (length) => Buffer.from(Array.from({ length }, () => next() & 0xff)),
  };
}

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
