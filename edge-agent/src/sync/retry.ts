/**
 * When to try again: a pure decision. Failures back off by doubling up to a cap, half of the delay random so that a fleet
 * that lost its coordinator does not come back as one; what the peer asked for (`retry_after_s`) is honoured within bounds.
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
  askedMs: number | null;
  /** In [0, 1). */
  random: number;
}

/** Milliseconds until the next attempt. */
export function nextAttemptMs({ failures, everyMs, askedMs, random }: RetryFacts): number {
  const asked = Math.min(askedMs ?? 0, ASKED_MS_MAX);
  if (failures === 0) {
    // A tenth of jitter, so that gateways started together drift apart.
    return Math.max(asked, everyMs * (0.95 + 0.1 * random));
  }
  const full = Math.min(BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 20), BACKOFF_MS_MAX);
  return Math.max(asked, full / 2 + (full / 2) * random);
}
