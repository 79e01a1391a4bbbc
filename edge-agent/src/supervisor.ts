/**
 * Supervision: the engine of a running agent. A trap kills the instance, not the process: the state is rebuilt from the
 * newest checkpoint and the log, around the message that trapped it, which is set aside and put into quarantine. Meanwhile
 * nothing is taken: the beat waits, and with it every door.
 */
import {
  type DeltaSection,
  type Engine,
  type EngineReport,
  type Output,
  RivuletError,
  toRivuletError,
  type Wanted,
} from '@rivulet/host';
import { ingest } from './core_call.ts';
import type { Recovered } from './recovery.ts';
import { blocksOf } from './set_aside.ts';

/** Rebuilt this often without a message to blame, the core or the machine is broken: the agent ends. */
const BLAMELESS_MAX = 3;

export interface SupervisorContext {
  engine: Engine;
  /** Rebuilds the state from disk; outputs of blocks before `publishedTo` have been published. */
  rebuild(publishedTo: number): Promise<Recovered>;
  /** Puts what was set aside into quarantine and tells the operator. */
  setAside(found: Recovered['setAside']): void;
  notice(error: RivuletError): void;
  /** Which outputs anybody asks for. */
  wanted: Wanted;
}

/** The engine, as the agent uses it. */
export interface Supervisor extends Pick<Engine, 'checkpoint' | 'checkpointParts'> {
  /** Folds blocks; what is answered is to be called when they are durable, and gives their outputs. */
  fold(blocks: Buffer): () => Output[] | Promise<Output[]>;
  report(): EngineReport;
  nextDueMs(): number;
  delta(): DeltaSection[];
}

export function createSupervisor(context: SupervisorContext): Supervisor {
  let { engine } = context;
  let lastReport = engine.report();
  let blameless = 0;

  async function rebuild(blocks: Buffer, error: unknown): Promise<Output[]> {
    const [first] = blocksOf(blocks);
    const recovered = await context.rebuild(first?.sequence ?? 0);
    blameless = recovered.setAside.length > 0 ? 0 : blameless + 1;
    if (blameless > BLAMELESS_MAX) {
      throw error;
    }
    engine = recovered.engine;
    if (recovered.setAside.length > 0) {
      context.setAside(recovered.setAside);
    } else {
      context.notice(toRivuletError(error));
    }
    return recovered.unpublished;
  }

  /** Something that is only looked at: while the engine is dead, the last that was seen. */
  function look<T>(call: () => T, otherwise: T): T {
    if (engine.dead) {
      return otherwise;
    }
    try {
      return call();
    } catch (error) {
      context.notice(toRivuletError(error));
      return otherwise;
    }
  }

  return {
    fold(blocks) {
      try {
        const outputs = ingest(engine, blocks, context.wanted);
        return () => outputs;
      } catch (error) {
        return () => rebuild(blocks, error);
      }
    },
    report() {
      lastReport = look(() => engine.report(), lastReport);
      return lastReport;
    },
    nextDueMs: () => look(() => engine.nextDueMs(), Number.POSITIVE_INFINITY),
    delta: () => look(() => engine.delta(), []),
    checkpoint: () => engine.checkpoint(),
    checkpointParts: (all) => engine.checkpointParts(all),
  };
}

/** What the operator is told about messages that were set aside. */
export function asideNotice(found: Recovered['setAside'], where: string): RivuletError {
  const [{ aside } = { aside: null }] = found;
  const what =
    aside === null || aside.at === null ? `block ${aside?.sequence}` : `message ${aside.offset} (topic ${aside.topic})`;
  const more = found.length > 1 ? ` and ${found.length - 1} more` : '';
  return new RivuletError('RIV_CORE_TRAPPED', {
    found: `${what}${more} trapped the core and was set aside`,
    where,
    todo: '`rivulet quarantine show` shows it; report it, the rest goes on.',
  });
}
