/**
 * What a row costs in the engine. The rows of an evaluation are played again to a throw-away engine, first to warm the
 * code (WebAssembly gives fast code only to what has run for a while, as a live gateway's core has), then for long enough
 * that the grain of the CPU clock, a few milliseconds, does not show.
 */
import type { Core } from '@rivulet/host';

/** Encoded rows kept to be played again: the whole of most tables, the beginning of a long one. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
const WARM_UP_MS = 150;
const TIMED_MS = 250;

/** Collects the beginning of a table, then times it. */
export interface Pace {
  /** A batch as it went to the engine, in order. */
  keep(bytes: Uint8Array, rows: number): void;
  /** CPU microseconds per row of this thread. */
  usPerRow(): number;
}

/** @param plan the evaluation's plan */
export function createPace(core: Core, plan: Uint8Array): Pace {
  const batches: Uint8Array[] = [];
  let bytesKept = 0;
  let rowsKept = 0;
  let full = false;

  /** Plays what was kept from the start, again and again, until the time is over; answers how often. */
  function play(forMs: number): number {
    const engine = core.newEngine();
    const began = performance.now();
    let passes = 0;
    do {
      engine.open(plan);
      for (const batch of batches) engine.rows(batch);
      passes += 1;
    } while (performance.now() - began < forMs);
    return passes;
  }

  return {
    keep(bytes, rows) {
      full ||= bytesKept > 0 && bytesKept + bytes.length > KEPT_BYTES_MAX;
      if (full) return;
      batches.push(bytes);
      bytesKept += bytes.length;
      rowsKept += rows;
    },
    usPerRow() {
      play(WARM_UP_MS);
      const began = process.threadCpuUsage();
      const passes = play(TIMED_MS);
      const { user, system } = process.threadCpuUsage(began);
      return (user + system) / (passes * rowsKept);
    },
  };
}
