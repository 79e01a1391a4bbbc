/** Whether a release goes on where its parent stopped (FORMATS.md section 7): a pure judgement on what both hold. */
import type { LineageEntry } from '../drivers/store.ts';

/**
 * True when every gateway of `earlier` is in `later` with the same incarnation and a seq that is not lower: statistics
 * are cumulative, so `later` is then `earlier` and what was added to it.
 */
export function continuesLine(earlier: readonly LineageEntry[], later: readonly LineageEntry[]): boolean {
  const newest = new Map(later.map((entry) => [entry.gateway, entry]));
  return earlier.every(({ gateway, incarnation, seq }) => {
    const now = newest.get(gateway);
    return now !== undefined && now.incarnation === incarnation && now.seq >= seq;
  });
}

/** True when a gateway joined or left, or began anew, between the two. */
export function membersChanged(earlier: readonly LineageEntry[], later: readonly LineageEntry[]): boolean {
  return earlier.length !== later.length || !continuesLine(earlier, later);
}
