/**
 * Exact arithmetic for the reference: readings are multiples of 1/1024 and times are whole milliseconds, so that sums of
 * their products are integers, and a quotient of integers is rounded once.
 */

/** A reading as an integer of 1/1024. */
export const UNITS = 1024;

export function units(value: number): bigint {
  return BigInt(Math.round(value * UNITS));
}

/** `above` / `below`, rounded once; NaN for 0/0. */
export function quotient(above: bigint, below: bigint): number {
  if (below === 0n) return Number.NaN;
  const bits = 120n;
  const scaled = (above << bits) / below;
  return Number(scaled) / 2 ** Number(bits);
}

export function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

/** Central moment of order `k` times count^(k + 1), in units^k: an integer. */
export function moment(values: readonly bigint[], k: bigint): bigint {
  const count = BigInt(values.length);
  const total = sum(values);
  return sum(values.map((value) => (count * value - total) ** k));
}
