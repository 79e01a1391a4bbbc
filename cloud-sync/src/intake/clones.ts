/**
 * Two gateways that live with one key: a disk image that was started twice. A gateway that lost its state, or whose
 * state was restored, comes with a new incarnation and the old one is never heard again; of a clone both go on speaking.
 * Reports tell: they are sent as they are made, never queued. One report of an older incarnation may have been overtaken on
 * its way, a second one, after the newer spoke again, was not.
 */
import type { Clock } from '@rivulet/host';
import type { Store } from '../drivers/store.ts';

/** Incarnations of one gateway; each is a state that was lost and begun anew. */
export const INCARNATIONS_MAX = 1_000;
/** Times that an older incarnation must come back. */
const RETURNS_MIN = 2;

export interface Clones {
  /** An incarnation reported; true when that shows, for the first time, that the gateway is there twice. */
  spoke(gateway: string, incarnation: string): boolean;
}

export function openClones(
  { directory, clones, whenWritten }: Pick<Store, 'directory' | 'clones' | 'whenWritten'>,
  clock: Clock,
): Clones {
  /** Who spoke last, and how often somebody older had come back by then; no more entries than gateways. */
  const last = new Map<string, { incarnation: string; returns: number }>();

  return {
    spoke(gateway, incarnation) {
      const before = last.get(gateway);
      if (before?.incarnation === incarnation) return false;
      whenWritten((kept) => {
        if (kept) return;
        if (before === undefined) last.delete(gateway);
        else last.set(gateway, before);
      });
      const seen = directory.incarnations(gateway);
      const rank = seen.indexOf(incarnation);
      if (rank < 0 && seen.length >= INCARNATIONS_MAX) return false;
      if (rank < 0) directory.seeIncarnation(gateway, incarnation);
      if (clones.since(gateway) !== null) {
        // Known already. Once an operator has seen to it, counting begins anew: the one that is left is no return.
        last.delete(gateway);
        return false;
      }
      const older = rank >= 0 && before !== undefined && rank < seen.indexOf(before.incarnation);
      const returns = rank < 0 ? 0 : (before?.returns ?? 0) + (older ? 1 : 0);
      last.set(gateway, { incarnation, returns });
      if (returns < RETURNS_MIN) return false;
      clones.add(gateway, clock.wallMs());
      last.delete(gateway);
      return true;
    },
  };
}
