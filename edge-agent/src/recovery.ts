/**
 * Where the fold begins at a start: a pure decision from what is on disk. The state of a log is the fold of all its blocks
 * under the last plan in it; a checkpoint is a short cut to it and may be taken only when it leads to the same state.
 */

import {
  type Core,
  type Engine,
  encodePlanPayload,
  type LoadedSlot,
  type Log,
  type Output,
  planHash,
  RivuletError,
  type Slots,
} from '@rivulet/host';
import { blocksOf, foldLog, planIn, readSkipped, writeSkipped } from './fold.ts';

export interface RecoveryFacts {
  /** The newest slot that verifies; null: none. */
  slot: { nextSequence: number; samePlan: boolean; sameKernel: boolean } | null;
  /** Sequence of the oldest block that is kept, and of the next one. */
  oldestSequence: number;
  nextSequence: number;
}

export type Recovery =
  /** The log is empty: begin. */
  | { kind: 'begin' }
  /** The slot's state, then the log from its place on. */
  | { kind: 'resume'; fromSequence: number; why: string }
  /** The whole log again from its oldest block. */
  | { kind: 'refold'; fromSequence: number; why: string }
  /** The log ends before the slot: data that was acknowledged is gone. */
  | { kind: 'refuse'; why: string };

export function decideRecovery({ slot, oldestSequence, nextSequence }: RecoveryFacts): Recovery {
  if (slot !== null && slot.nextSequence > nextSequence) {
    const why = `the checkpoint is at block ${slot.nextSequence}, but the log ends at block ${nextSequence}`;
    return { kind: 'refuse', why };
  }
  if (nextSequence === 0) {
    return { kind: 'begin' };
  }
  const whole = oldestSequence === 0;
  if (slot === null) {
    return whole
      ? { kind: 'refold', fromSequence: 0, why: 'there is no checkpoint' }
      : { kind: 'refuse', why: `there is no checkpoint, and the log begins at block ${oldestSequence}` };
  }
  if (!slot.samePlan) {
    return { kind: 'refold', fromSequence: oldestSequence, why: 'the plan changed' };
  }
  if (!slot.sameKernel && whole) {
    return { kind: 'refold', fromSequence: 0, why: 'the core changed' };
  }
  if (slot.nextSequence < oldestSequence) {
    return {
      kind: 'refuse',
      why: `the checkpoint is at block ${slot.nextSequence}, the log begins at ${oldestSequence}`,
    };
  }
  // With another core and a log that no longer reaches back, the old core's state is the best there is.
  return { kind: 'resume', fromSequence: slot.nextSequence, why: slot.sameKernel ? 'newest checkpoint' : 'older core' };
}

/** What `recover` works with. */
export interface RecoverContext {
  core: Core;
  plan: Uint8Array;
  log: Log;
  slots: Slots;
  /** Directory of the quarantine, which holds the list of blocks that cannot be folded. */
  quarantine: string;
}

/** The state as it is after everything durable was folded. */
export interface Recovered {
  engine: Engine;
  /** The log's last plan block is of another plan or core: a new one has to be written. */
  planIsNew: boolean;
  /** Nothing was there: what was counted before, if anything, is gone. */
  stateIsNew: boolean;
  /** What came out of the log behind the newest checkpoint: a crash may have left it unpublished. */
  unpublished: Output[];
  /** Blocks that were newly set aside since the core could not fold them. */
  setAside: number;
}

/** More outputs than this are not published again after a crash: the oldest are left out. */
const UNPUBLISHED_MAX = 10_000;

/**
 * Carries the decision out: an engine that has folded the log to its end.
 * @throws RIV_CHECKPOINT_LOST, and what the log and the core throw
 */
export async function recover({ core, plan, log, slots, quarantine }: RecoverContext): Promise<Recovered> {
  const slot = await slots.load();
  const sameAs = {
    samePlan: slot !== null && planHash(plan).equals(slot.planHash),
    sameKernel: slot !== null && core.kernelHash.equals(slot.kernelHash),
  };
  const { oldestSequence, nextSequence } = log;
  const decision = decideRecovery({
    slot: slot === null ? null : { nextSequence: slot.nextSequence, ...sameAs },
    ...{ oldestSequence, nextSequence },
  });
  if (decision.kind === 'refuse') {
    throw new RivuletError('RIV_CHECKPOINT_LOST', { found: decision.why });
  }
  const skipped = await readSkipped(quarantine);
  const skippedBefore = skipped.size;
  const current = encodePlanPayload(core.kernelHash, plan);
  let unpublished: Output[] = [];
  let lastPlan: Buffer | null = null;
  const engine = await foldLog({
    ...{ core, plan, log, skipped },
    start: {
      state: decision.kind === 'resume' ? (slot as LoadedSlot).state : null,
      fromSequence: decision.kind === 'begin' ? 0 : decision.fromSequence,
    },
    begin() {
      unpublished = [];
      lastPlan = decision.kind === 'resume' && sameAs.sameKernel ? current : null;
    },
    folded(outputs, blocks) {
      const lastSequence = [...blocksOf(blocks)].at(-1)?.sequence ?? 0;
      lastPlan = planIn(blocks) ?? lastPlan;
      if (lastSequence >= (slot?.nextSequence ?? 0)) {
        unpublished = [...unpublished, ...outputs].slice(-UNPUBLISHED_MAX);
      }
    },
  });
  if (skipped.size > skippedBefore) {
    await writeSkipped(quarantine, skipped);
  }
  const planIsNew = lastPlan === null || !current.equals(lastPlan);
  const stateIsNew = decision.kind === 'begin';
  return { engine, planIsNew, stateIsNew, unpublished, setAside: skipped.size - skippedBefore };
}
