/**
 * Ticks: the passing of time, for windows and predictions that nothing but time can close. The fold reads no clock; when
 * the core's next deadline comes, a block that carries the clocks goes into the log like everything else. What passes is
 * counted by the monotonic clock: a wall clock that is set back must not put off a deadline by a day.
 */
import type { Clock } from '@rivulet/host';

/** Deadlines are met within a second: each tick costs a sync. */
const TICK_MS_MIN = 1000;
/** Node's timers count in 32 bits; a deadline further away is looked at again then. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface Ticks {
  /** Looks at the next deadline again; call it when the core has just folded something. */
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
  /** What the wall clock was ahead of the monotonic one when the core last heard of both: its deadlines are in that time. */
  let wallAheadMs = 0;
  let stopped = false;
  const monoMs = (): number => clock.monoUs() / 1000;
  const coreMs = (): number => monoMs() + wallAheadMs;

  function disarm(): void {
    if (timer !== null) {
      clearTimeout(timer);
      timer = null;
    }
  }

  function set(): void {
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
    const waitMs = Math.min(Math.max(due - coreMs(), lastTickMs + TICK_MS_MIN - monoMs(), 1), TIMER_MS_MAX);
    timer = setTimeout(() => {
      timer = null;
      if (coreMs() < nextDueMs()) {
        set();
        return;
      }
      lastTickMs = monoMs();
      tick();
    }, waitMs);
  }

  return {
    arm() {
      wallAheadMs = clock.wallMs() - monoMs();
      set();
    },
    stop() {
      stopped = true;
      disarm();
    },
  };
}
