/** Whether a release goes on where its parent stopped (FORMATS.md section 7): a pure judgement on what both hold. */
import { decodeRelease } from '@rivulet/host';
import type { LineageEntry, Store } from '../drivers/store.ts';

/** Releases whose line is remembered. */
const REMEMBERED_MAX = 4_096;
const NO_HASH = Buffer.alloc(32);

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

/** The lines of releases, by hash: that of the first release of a line is its own hash. */
export interface Lines {
  /** Hex; null: no such release. */
  of(release: string): string | null;
  /** Whether a release is on the line that a model is on now. */
  isPresent(schema: string, release: string): boolean;
}

export function openLines({ blobs, heads }: Pick<Store, 'blobs' | 'heads'>): Lines {
  const known = new Map<string, string>();

  function of(release: string): string | null {
    const found = known.get(release);
    if (found !== undefined) return found;
    const bytes = blobs.get(release);
    if (bytes === null) return null;
    const { line } = decodeRelease(bytes);
    const hash = NO_HASH.equals(line) ? release : Buffer.from(line).toString('hex');
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(release, hash);
    return hash;
  }

  return {
    of,
    isPresent(schema, release) {
      const newest = heads.get(schema)?.release ?? null;
      return newest !== null && (newest === release || of(newest) === of(release));
    },
  };
}
