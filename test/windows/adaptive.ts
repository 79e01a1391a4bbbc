/**
 * `lateness: adaptive`, the slow and obvious way (WINDOWS.md, "Time"): all delays of a source are kept as they are counted, and
 * each 64 the wait is what covers the share asked for.
 */

const ESTIMATE_EVERY = 64;
const HALVE_AT = 8192;
const BEGIN_MS = 10_000;

export interface Waiting {
  /** Takes note of a delay behind the newest reading of its key; answers how long to wait from now on. */
  record(delayMs: number): number;
}

export function waiting({ quantile, maxMs }: { quantile: number; maxMs: number }): Waiting {
  let counts = new Map<number, number>();
  let since = 0;
  let waitMs = Math.min(BEGIN_MS, maxMs);
  return {
    record(delayMs) {
      const step = stepAbove(delayMs);
      counts.set(step, (counts.get(step) ?? 0) + 1);
      since += 1;
      if (since < ESTIMATE_EVERY) return waitMs;
      since = 0;
      const all = [...counts].sort(([one], [other]) => one - other).flatMap(([at, count]) => Array(count).fill(at));
      waitMs = Math.min(all[Math.ceil(quantile * all.length) - 1] as number, maxMs);
      if (all.length >= HALVE_AT) counts = new Map([...counts].map(([at, count]) => [at, Math.floor(count / 2)]));
      return waitMs;
    },
  };
}

/** The first of 0, 1 and four steps to an octave that is longer than a delay; none is 0. */
function stepAbove(delayMs: number): number {
  if (delayMs <= 0) return 0;
  if (delayMs < 1) return 1;
  const octave = 2 ** Math.floor(Math.log2(delayMs));
  return octave * (1 + (Math.floor((delayMs / octave - 1) * 4) + 1) / 4);
}
