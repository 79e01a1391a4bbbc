/**
 * When to try again: a pure decision. Failures back off by doubling up to a cap, half of the delay random so that a fleet
 * that lost its coordinator does not come back as one; the window that the peer asked for is honoured within bounds:
 * a moment in it by chance.
 */

/** First delay after a failure. */
const BACKOFF_MS_MIN = 1000;
/** However long the coordinator is away, it is asked this often. */
const BACKOFF_MS_MAX = 5 * 60_000;
/** A peer cannot silence us for longer than this. */
const ASKED_MS_MAX = 60 * 60_000;

export interface RetryFacts {
  /** Failures in a row; 0: the last attempt went well. */
  failures: number;
  /** The regular interval. */
  everyMs: number;
  /** What the peer asked for; null: nothing. */
  window: { fromMs: number; toMs: number } | null;
  /** In [0, 1). */
  random: number;
}

/** Milliseconds until the next attempt. */
export function nextAttemptMs({ failures, everyMs, window, random }: RetryFacts): number {
  const { fromMs, toMs } = window ?? { fromMs: 0, toMs: 0 };
  const asked = Math.min(fromMs, ASKED_MS_MAX) + Math.min(toMs - fromMs, ASKED_MS_MAX) * random;
  if (failures === 0) {
    // A tenth of jitter, so that gateways started together drift apart.
    return Math.max(asked, everyMs * (0.95 + 0.1 * random));
  }
  const full = Math.min(BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 20), BACKOFF_MS_MAX);
  return Math.max(asked, full / 2 + (full / 2) * random);
}
