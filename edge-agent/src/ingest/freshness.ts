/**
 * Whether a connection still brings what it used to. A broker that lost our subscription, a half-open connection behind a
 * device that answers pings, a publisher that died: in each all looks well but nothing comes.
 *
 * The usual gap is the one that a random moment falls into, sum(gap²) / sum(gap), fading over an hour: it is right for
 * steady streams and for bursts alike, where the mean gap would be far too short. Silence many times as long is stale.
 */

/** Silence of so many usual gaps is stale ... */
const GAPS_MAX = 20;
/** ... but not less than this: a restarted broker or device may take a minute. */
const SILENT_MS_MIN = 60_000;
/** Gaps seen before anything is judged. */
const GAPS_MIN = 20;
/** Older gaps fade over this time. */
const FADE_MS = 3_600_000;

export interface Freshness {
  /** The connection is there: silence counts from here. */
  connected(nowMs: number): void;
  /** Silence means nothing without a connection, nor while we do not read. */
  disconnected(): void;
  /** Messages came. */
  heard(nowMs: number): void;
  /** True when the silence is longer than can be. After each answer of true the next takes twice as long. */
  stale(nowMs: number): boolean;
  /** True from the first `stale` until something is heard, over reconnects. */
  alarmed(): boolean;
  /** Milliseconds since the last message or the connection; null without one. */
  silentMs(nowMs: number): number | null;
}

/** @param staleAfterMs the user's limit; null: learned; 0: nothing is ever stale */
export function createFreshness(staleAfterMs: number | null): Freshness {
  let sinceMs: number | null = null;
  let sum = 0;
  let squares = 0;
  let gaps = 0;
  /** False for the time from a connection to its first message: not a gap between messages. */
  let between = false;
  let patience = 1;

  function limitMs(): number {
    if (staleAfterMs !== null) {
      return staleAfterMs === 0 ? Number.POSITIVE_INFINITY : staleAfterMs;
    }
    return gaps < GAPS_MIN ? Number.POSITIVE_INFINITY : Math.max(SILENT_MS_MIN, (GAPS_MAX * squares) / sum);
  }

  return {
    connected(nowMs) {
      sinceMs = nowMs;
      between = false;
    },
    disconnected() {
      sinceMs = null;
    },
    heard(nowMs) {
      if (sinceMs !== null && between && nowMs > sinceMs) {
        // An outage is not the rhythm of the stream: it counts as the longest gap that is not stale.
        const gap = Math.min(nowMs - sinceMs, limitMs());
        const kept = Math.exp(-gap / FADE_MS);
        sum = sum * kept + gap;
        squares = squares * kept + gap * gap;
        gaps += 1;
      }
      sinceMs = nowMs;
      between = true;
      patience = 1;
    },
    stale(nowMs) {
      if (sinceMs === null || nowMs - sinceMs <= limitMs() * patience) {
        return false;
      }
      patience *= 2;
      return true;
    },
    alarmed: () => patience > 1,
    silentMs: (nowMs) => (sinceMs === null ? null : nowMs - sinceMs),
  };
}
