/** When a model gets a release: a pure decision from what is known about it. */

/** Growth (or loss) of the rows from which on a release is worth its place in every panel. */
export const GROWTH_MIN = 0.05;
/** So long at most is something new kept back because it is little. */
export const AGE_MAX_MS = 60 * 60 * 1000;

export interface ReleaseFacts {
  /** Offset of the newest contribution. */
  readonly offset: number;
  /** Offset that the newest release (or the last fruitless attempt) took in. */
  readonly doneOffset: number;
  /** Monotonic time of the newest release; null: none since the start. */
  readonly lastMonoMs: number | null;
  readonly nowMonoMs: number;
  readonly everyMs: number;
  /** What is there against the newest release; null: there is no release yet. Asked for only when it decides. */
  readonly change: () => ReleaseChange | null;
}

export interface ReleaseChange {
  readonly rowsReleased: number;
  readonly rowsNow: number;
  /** A gateway joined or left, or one began anew. */
  readonly membersChanged: boolean;
  /** Since the release was made, by the wall clock. */
  readonly ageMs: number;
}

export type ReleaseDecision =
  | { readonly kind: 'nothing_new' }
  | { readonly kind: 'wait'; readonly ms: number }
  /** New rows, but too few to change the model; due in `ms` unless more come. */
  | { readonly kind: 'little_new'; readonly ms: number }
  | { readonly kind: 'release' };

/**
 * At most one release per `everyMs`, and only when there is something that the newest one has not taken in: 5 % more
 * rows, a gateway more or less, or anything at all after an hour.
 */
export function releaseDecision(facts: ReleaseFacts): ReleaseDecision {
  if (facts.offset <= facts.doneOffset) return { kind: 'nothing_new' };
  const ms = facts.lastMonoMs === null ? 0 : facts.lastMonoMs + facts.everyMs - facts.nowMonoMs;
  if (ms > 0) return { kind: 'wait', ms };
  const change = facts.change();
  if (change === null || isMaterial(change)) return { kind: 'release' };
  return { kind: 'little_new', ms: AGE_MAX_MS - Math.max(0, change.ageMs) };
}

function isMaterial({ rowsReleased, rowsNow, membersChanged, ageMs }: ReleaseChange): boolean {
  return membersChanged || ageMs >= AGE_MAX_MS || Math.abs(rowsNow - rowsReleased) >= GROWTH_MIN * rowsReleased;
}
