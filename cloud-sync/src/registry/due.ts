/** When a model gets a release: a pure decision from what is known about it. */

export interface ReleaseFacts {
  /** Offset of the newest contribution. */
  readonly offset: number;
  /** Offset that the newest release (or the last fruitless attempt) took in. */
  readonly doneOffset: number;
  /** Monotonic time of the newest release; null: none since the start. */
  readonly lastMonoMs: number | null;
  readonly nowMonoMs: number;
  readonly everyMs: number;
}

export type ReleaseDecision =
  | { readonly kind: 'nothing_new' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'release' };

/** At most one release per `everyMs`, and only when there is something that the newest one has not taken in. */
export function releaseDecision(facts: ReleaseFacts): ReleaseDecision {
  if (facts.offset <= facts.doneOffset) return { kind: 'nothing_new' };
  if (facts.lastMonoMs === null) return { kind: 'release' };
  const ms = facts.lastMonoMs + facts.everyMs - facts.nowMonoMs;
  return ms > 0 ? { kind: 'wait', ms } : { kind: 'release' };
}
