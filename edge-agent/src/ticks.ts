/**
 * Ticks: the passing of time, for windows and predictions that nothing but time can close. The fold reads no clock; when
 * the core's next deadline comes, a block that carries the clocks goes into the log like everything else.
 */
import type { Clock } from '@rivulet/host';

/** Deadlines are met within a second: each tick costs a sync. */
const TICK_MS_MIN = 1000;
/** Node's timers count in 32 bits; a deadline further away is looked at again then. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface Ticks {
  /** Looks at the next deadline again; call it when the core has folded something. */
  arm(): void;
  stop(): void;
}

/**
 * @param nextDueMs wall-clock time of the core's next deadline; Infinity: none
 * @param tick writes a tick
 */
export function createTicks(clock: Clock, nextDueMs: () => number, tick: () => void): Ticks {
  let timer: NodeJS.Timeout | null = null;
  let armedFor = Number.POSITIVE_INFINITY;
  let lastTickMs = Number.NEGATIVE_INFINITY;
  let stopped = false;

  function disarm(): void {
    if (timer !== null) {
      clearTimeout(timer);
      timer = null;
    }
  }

  function arm(): void {
    const due = nextDueMs();
    // A deadline that moved on, as it does with every message, waits for the timer that is set: it looks again then.
    if (stopped || (timer !== null && due >= armedFor)) {
      return;
    }
    disarm();
    armedFor = due;
    if (!Number.isFinite(due)) {
      return;
    }
    const now = clock.wallMs();
    const waitMs = Math.min(Math.max(due - now, lastTickMs + TICK_MS_MIN - now, 1), TIMER_MS_MAX);
    timer = setTimeout(() => {
      timer = null;
      if (clock.wallMs() < nextDueMs()) {
        arm();
        return;
      }
      lastTickMs = clock.wallMs();
      tick();
    }, waitMs);
  }

  return {
    arm,
    stop() {
      stopped = true;
      disarm();
    },
  };
}
