/**
 * Where the fold begins at a start: a pure decision from what is on disk, and its carrying out. The state of a log is the
 * fold of all its blocks, plans among them; a checkpoint is a short cut to it, taken only when it leads to the same state.
 */

import {
  type Announcement,
  type Core,
  type Engine,
  encodePlanPayload,
  type LoadedSlot,
  type Log,
  type Output,
  planHash,
  RivuletError,
  type SlotFindings,
  type Slots,
  toRivuletError,
  type Wanted,
} from '@rivulet/host';
import { firstPlan, foldLog, planIn } from './fold.ts';
import { openBlock } from './packets.ts';
import { type Aside, blocksOf, readSetAside, writeSetAside } from './set_aside.ts';

export interface RecoveryFacts {
  /** The newest slot that verifies and that the core opens; null: none. */
  slot: { nextSequence: number; sameKernel: boolean } | null;
  /** Whether there are slot files at all, what they are, and how far those that verify go. */
  findings: SlotFindings;
  /** Sequence of the oldest block that is kept, and of the next one. */
  oldestSequence: number;
  nextSequence: number;
}

export type Recovery =
  /** The log is empty: begin. */
  | { kind: 'begin' }
  /** The slot's state, then the log from its place on. */
  | { kind: 'resume'; fromSequence: number; why: string }
  /** The whole log again from its first block. */
  | { kind: 'refold'; why: string }
  /** The log ends before the slot: data that was acknowledged is gone. */
  | { kind: 'refuse'; why: string };

export function decideRecovery({ slot, findings, oldestSequence, nextSequence }: RecoveryFacts): Recovery {
  if (findings.furthestSequence > nextSequence) {
    const why = `the checkpoint is at block ${findings.furthestSequence}, but the log ends at block ${nextSequence}`;
    return { kind: 'refuse', why };
  }
  if (nextSequence === 0) {
    // A checkpoint is written after the first block is durable: where there is one, there was a log.
    return slot === null && findings.present
      ? { kind: 'refuse', why: `the log is empty, but there are checkpoints that do not open (${findings.why})` }
      : { kind: 'begin' };
  }
  const whole = oldestSequence === 0;
  if (slot === null) {
    const why = `there is no checkpoint that opens (${findings.why})`;
    return whole
      ? { kind: 'refold', why }
      : { kind: 'refuse', why: `${why}, and the log begins at block ${oldestSequence}` };
  }
  if (!slot.sameKernel && whole) {
    return { kind: 'refold', why: 'the core changed' };
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
  /** Directory of the quarantine, which holds the list of what was set aside. */
  quarantine: string;
  /** What came out of blocks before this one has been published: by default, of those the newest checkpoint holds. */
  publishedTo?: number;
  /** Outputs that nobody wants are not decoded. */
  wanted?: Wanted;
}

/** The state as it is after everything durable was folded. */
export interface Recovered {
  engine: Engine;
  /** The log's last plan block is of another plan or core: a new one has to be written. */
  planIsNew: boolean;
  /** Nothing was there: what was counted before, if anything, is gone. */
  stateIsNew: boolean;
  /** Wall clock of the checkpoint that it began from; 0 without one. */
  checkpointMs: number;
  /** Where the fold began and why, for people. */
  how: string;
  /**
   * What came out of the log behind the newest checkpoint: a crash may have left it unpublished. First, whatever plan it was
   * under, what was announced, the newest of each topic: the broker does not say it again.
   */
  unpublished: Output[];
  /** What was newly set aside since it traps the core, each with its block. */
  setAside: { aside: Aside; block: Buffer }[];
}

/** More outputs than this are not published again after a crash: the oldest are left out. */
const UNPUBLISHED_MAX = 10_000;

/**
 * Carries the decision out: an engine that has folded the log to its end.
 * @throws RIV_CHECKPOINT_LOST, and what the log and the core throw
 */
export async function recover(context: RecoverContext): Promise<Recovered> {
  const { core, plan, log, slots, quarantine } = context;
  /** Opened to see whether it does, and gone on with: a large state takes a while. */
  let opened: Engine | null = null;
  const slot = await slots.load((state) => {
    opened = core.newEngine();
    return refusalOf(opened, state);
  });
  const findings = slots.findings();
  const sameKernel = slot !== null && core.kernelHash.equals(slot.kernelHash);
  const samePlan = slot !== null && planHash(plan).equals(slot.planHash);
  const decision = decideRecovery({
    slot: slot === null ? null : { nextSequence: slot.nextSequence, sameKernel },
    findings,
    oldestSequence: log.oldestSequence,
    nextSequence: log.nextSequence,
  });
  if (decision.kind === 'refuse') {
    throw new RivuletError('RIV_CHECKPOINT_LOST', { found: decision.why });
  }
  const setAside = await readSetAside(quarantine);
  const newlyAside: Recovered['setAside'] = [];
  const current = encodePlanPayload(core.kernelHash, plan);
  const resumed = decision.kind === 'resume' ? (slot as LoadedSlot) : null;
  const publishedTo = context.publishedTo ?? findings.furthestSequence;
  let unpublished: Output[] = [];
  const announced = new Map<string, Output>();
  let lastPlan: Buffer | null = null;
  const engine = await foldLog({
    ...{ core, log, setAside },
    ...(context.wanted === undefined ? {} : { wanted: context.wanted }),
    ...(resumed === null || opened === null ? {} : { opened }),
    start:
      resumed === null
        ? { plan: decision.kind === 'begin' ? plan : (await firstPlan(log)).plan }
        : { state: resumed.state, fromSequence: resumed.nextSequence },
    begin() {
      unpublished = [];
      announced.clear();
      lastPlan = resumed !== null && samePlan && sameKernel ? current : null;
    },
    folded(outputs, blocks) {
      for (const output of outputs) if (output.kind === 'announcement') keepNewest(announced, output);
      const changed = planIn(blocks);
      if (changed !== null) {
        // What came out before counts tasks and windows by another plan.
        lastPlan = changed;
        unpublished = [];
      } else if (outputs.length > 0) {
        unpublished.push(...behind(outputs, blocks, publishedTo).filter(({ kind }) => kind !== 'announcement'));
        if (unpublished.length > 2 * UNPUBLISHED_MAX) {
          unpublished = unpublished.slice(-UNPUBLISHED_MAX);
        }
      }
    },
    blamed: (aside, block) => newlyAside.push({ aside, block: Buffer.from(block) }),
  });
  if (newlyAside.length > 0) {
    await writeSetAside(quarantine, setAside);
  }
  const planIsNew = lastPlan === null || !current.equals(lastPlan);
  const stateIsNew = decision.kind === 'begin';
  return {
    ...{ engine, planIsNew, stateIsNew, setAside: newlyAside, checkpointMs: resumed?.wallMs ?? 0 },
    how: toldAs(decision, slot, log.oldestSequence, log.nextSequence),
    unpublished: [...announced.values(), ...(planIsNew ? [] : unpublished.slice(-UNPUBLISHED_MAX))],
  };
}

/** Why the core does not open a state: it is of a newer core, or of an older one whose format it no longer reads. */
function refusalOf(engine: Engine, state: Uint8Array): string | null {
  try {
    engine.restore(state);
    return null;
  } catch (error) {
    return `but this core does not open it (${toRivuletError(error).code})`;
  }
}

/** What a start tells the operator about where it began. */
function toldAs(decision: Recovery, slot: LoadedSlot | null, oldestSequence: number, nextSequence: number): string {
  switch (decision.kind) {
    case 'begin':
      return 'an empty log: a new beginning';
    case 'resume':
      return `checkpoint ${slot?.file} (${decision.why}; ${slot?.why}), then ${nextSequence - decision.fromSequence} blocks`;
    case 'refold':
    case 'refuse':
      return `the log from block ${oldestSequence} on: ${decision.why}`;
  }
}

function keepNewest(announced: Map<string, Output>, output: Announcement): void {
  announced.delete(output.topic);
  announced.set(output.topic, output);
  const [oldest] = announced.keys();
  if (announced.size > UNPUBLISHED_MAX && oldest !== undefined) announced.delete(oldest);
}

/** Outputs of a stretch that come from blocks at or behind a place of the log. */
function behind(outputs: readonly Output[], blocks: Buffer, sequence: number): readonly Output[] {
  const sequences = [...blocksOf(blocks)];
  if ((sequences[0]?.sequence ?? 0) >= sequence) {
    return outputs;
  }
  const first = sequences.find((block) => block.sequence >= sequence);
  if (first === undefined) {
    return [];
  }
  const { firstOffset } = openBlock(blocks.subarray(first.at, first.end));
  return outputs.filter(({ offset }) => offset >= firstOffset);
}
