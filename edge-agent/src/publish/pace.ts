/**
 * When a step is due on the wall, given event time and a speed. A step that could not be published in time moves all later
 * ones: the feed slows down to what the gateway takes and never hurries after the time it lost.
 */

/** How far a feed may be behind before the time is given up, wall milliseconds: hides the jitter of timers. */
const BEHIND_MS_MAX = 250;

/** Answers how long to wait for each step in turn. */
export interface Pace {
  /** Milliseconds to wait at wall time `now` before the step of event time `at`; 0 when it is due or overdue. */
  waitFor(at: number, now: number): number;
  /** Wall milliseconds given up so far because the gateway was slower than the speed. */
  readonly slowed_ms: number;
}

/** A pace of `speed` event seconds per second; Infinity publishes as fast as the gateway takes. */
export function createPace(speed: number): Pace {
  let origin: { at: number; wall: number } | null = null;
  let slowed_ms = 0;
  return {
    get slowed_ms() {
      return slowed_ms;
    },
    waitFor(at, now) {
      if (speed === Number.POSITIVE_INFINITY) return 0;
      origin ??= { at, wall: now };
      const due = origin.wall + (at - origin.at) / speed;
      if (now - due > BEHIND_MS_MAX) {
        slowed_ms += now - due;
        origin = { at, wall: now };
        return 0;
      }
      return Math.max(0, due - now);
    },
  };
}
