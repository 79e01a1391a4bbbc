/**
 * Whether a gateway is up: heard from within three of its own intervals.
 *
 * The interval is learned from the gaps between its reports, so nobody has to configure it twice.
 */

/** How many missed reports make a gateway "down". */
const MISSED = 3;
/** Gaps looked at: their median is the interval, so that neither an outage nor a hurried report is taken for it. */
const GAPS = 5;
/** Taken for a gateway that has reported once, in ms. */
const FIRST_INTERVAL_MS = 20_000;
/** A gateway that reports faster is still given this long, in ms: a busy second is not an outage. */
const INTERVAL_MS_MIN = 1_000;
/** The longest interval believed, in ms. */
const INTERVAL_MS_MAX = 24 * 3_600_000;

export interface Presence {
  readonly heardMonoMs: number;
  readonly reportedMonoMs: number | null;
  readonly gapsMs: readonly number[];
}

/** Anything signed by the gateway was received. */
export function heard(before: Presence | null, monoMs: number): Presence {
  return { heardMonoMs: monoMs, reportedMonoMs: before?.reportedMonoMs ?? null, gapsMs: before?.gapsMs ?? [] };
}

/** A report was received. */
export function reported(before: Presence | null, monoMs: number): Presence {
  const previous = before?.reportedMonoMs ?? null;
  const gaps = previous === null ? [] : [...(before?.gapsMs ?? []), monoMs - previous];
  return { heardMonoMs: monoMs, reportedMonoMs: monoMs, gapsMs: gaps.slice(-GAPS) };
}

/** The longest silence that still counts as up, in ms. */
export function silenceMaxMs(presence: Presence): number {
  const gaps = presence.gapsMs.toSorted((a, b) => a - b);
  const interval = gaps[Math.floor((gaps.length - 1) / 2)] ?? FIRST_INTERVAL_MS;
  return MISSED * Math.min(Math.max(interval, INTERVAL_MS_MIN), INTERVAL_MS_MAX);
}

export function isUp(presence: Presence | null, monoMs: number): boolean {
  return presence !== null && monoMs - presence.heardMonoMs <= silenceMaxMs(presence);
}
