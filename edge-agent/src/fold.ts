/**
 * The fold: blocks of the log in, outputs out, state within. Live operation and replay go through here, so that they
 * cannot differ. What traps the core is found by bisection (blame.ts), set aside (set_aside.ts) and passed over by every
 * later fold of this log: it is not retried for ever.
 */
import {
  BLOCK_HEADER_BYTES,
  type Core,
  decodePlanPayload,
  type Engine,
  type LogReader,
  type Output,
  RivuletError,
  toRivuletError,
  type Wanted,
} from '@rivulet/host';
import { blame, restoring } from './blame.ts';
import { ingest } from './core_call.ts';
import { type Moment, partAt, shortened } from './moment.ts';
import { type Aside, blocksOf, foldable, SET_ASIDE_MAX } from './set_aside.ts';

/** What a fold over a log starts from: the log's beginning under its first plan, or the state of a checkpoint. */
export type FoldStart = { plan: Uint8Array } | { state: Uint8Array; fromSequence: number };

export interface FoldOptions {
  core: Core;
  log: LogReader;
  start: FoldStart;
  /** An engine that has just opened that start: it is not opened again. */
  opened?: Engine;
  /** What is passed over; what is found to trap the core is added. */
  setAside: Aside[];
  /** The fold ends before this moment; default: with the log. */
  until?: Moment;
  /** Called once with the state before the block that holds this moment, or at the end if that comes first. */
  mark?: { at: Moment; reached(engine: Engine): void };
  /** The plans in the log are passed over: what was opened stays in force. */
  ownPlan?: boolean;
  /** Outputs that nobody wants are not decoded. */
  wanted?: Wanted;
  /** Outputs come with a trace of what was served. */
  traced?: boolean;
  /** Called before the first stretch: once, and again each time the fold begins anew since an instance trapped. */
  begin?(): void;
  /**
   * Called with the outputs of each stretch of blocks and the engine behind it, in order; a plan is a stretch of its own. The
   * blocks are valid during the call.
   */
  folded?(outputs: Output[], blocks: Buffer, engine: Engine): void;
  /** Called once for each addition to `setAside`, with its block. */
  blamed?(aside: Aside, block: Buffer): void;
}

/**
 * An engine that has folded the log from `start` to its durable end.
 * @throws the errors of the log, and the core's error when too much cannot be folded
 */
export async function foldLog(options: FoldOptions): Promise<Engine> {
  /** Sequences that stand in stretches which trapped: these are gone through block by block at the next try. */
  const careful = new Set<number>();
  let { opened = null } = options;
  for (;;) {
    const attempt = await tryFold(options, careful, opened);
    opened = null;
    if ('engine' in attempt) {
      return attempt.engine;
    }
    careful.add(attempt.sequence);
    if (careful.size > SET_ASIDE_MAX || options.setAside.length > SET_ASIDE_MAX) {
      throw attempt.error;
    }
  }
}

type Try = { engine: Engine } | { sequence: number; error: RivuletError };

async function tryFold(options: FoldOptions, careful: ReadonlySet<number>, opened: Engine | null): Promise<Try> {
  const { core, log, start, setAside } = options;
  options.begin?.();
  let engine = opened ?? begun(core, start);
  if (options.traced === true) {
    engine.trace(true);
  }
  /** Null once it was reached. */
  let mark = options.mark ?? null;
  const failed = (blocks: Buffer): RivuletError | null => {
    const sequences = careful.size > 0 ? [...blocksOf(blocks)].map(({ sequence }) => sequence) : [];
    if (sequences.some((sequence) => careful.has(sequence))) {
      engine = foldCarefully(options, engine, blocks);
      return null;
    }
    try {
      const outputs = ingest(engine, blocks, options.wanted);
      options.folded?.(outputs, blocks, engine);
      return null;
    } catch (error) {
      return toRivuletError(error);
    }
  };
  for await (const chunk of log.read('plan' in start ? 0 : start.fromSequence, 'reuses')) {
    for (const stretch of foldable(chunk, setAside)) {
      const { blocks, ends } =
        options.until === undefined ? { blocks: stretch, ends: false } : end(stretch, options.until);
      const parts: Buffer[] = [blocks];
      const marked = mark === null ? null : partAt(blocks, mark.at);
      if (marked !== null && marked.from !== null) {
        parts.splice(0, 1, marked.before, marked.from);
      }
      for (const [index, part] of parts.entries()) {
        if (index > 0) {
          mark?.reached(engine);
          mark = null;
        }
        const passedOver = options.ownPlan === true && planIn(part) !== null;
        const error = part.length === 0 || passedOver ? null : failed(part);
        if (error !== null) {
          const [first] = blocksOf(part);
          return { sequence: first?.sequence ?? 0, error };
        }
      }
      if (ends) {
        mark?.reached(engine);
        return { engine };
      }
    }
  }
  mark?.reached(engine);
  return { engine };
}

function begun(core: Core, start: FoldStart): Engine {
  const engine = core.newEngine();
  if ('plan' in start) {
    engine.open(start.plan);
  } else {
    engine.restore(start.state);
  }
  return engine;
}

/** What of a stretch comes before a moment, and whether the moment is in it. */
function end(stretch: Buffer, until: Moment): { blocks: Buffer; ends: boolean } {
  const { before, from, within } = partAt(stretch, until);
  if (from === null) {
    return { blocks: stretch, ends: false };
  }
  const rest = within && 'offset' in until ? shortened(from, until.offset) : Buffer.alloc(0);
  return { blocks: Buffer.concat([before, rest]), ends: true };
}

/** Folds a stretch block by block, each around what traps in it; answers the engine to go on with. */
function foldCarefully(options: FoldOptions, engine: Engine, blocks: Buffer): Engine {
  const { core, setAside } = options;
  const start = restoring(core, engine.checkpoint());
  const passed: Buffer[] = [];
  /** The state before the block at hand: the stretch so far, once more. */
  const stateBefore = (): Buffer => {
    const again = start();
    for (const part of passed) {
      again.ingest(part);
    }
    return again.checkpoint();
  };
  let current = engine;
  for (const { at, end } of blocksOf(blocks)) {
    const block = blocks.subarray(at, end);
    let outputs: Output[];
    try {
      outputs = ingest(current, block);
      passed.push(block);
    } catch (error) {
      const blamed = blame(restoring(core, stateBefore()), block);
      ({ engine: current, outputs } = blamed);
      if (options.traced === true) {
        current.trace(true);
      }
      setAside.push(...blamed.setAside);
      passed.push(...foldable(block, blamed.setAside));
      for (const aside of blamed.setAside) {
        options.blamed?.(aside, block);
      }
      if (setAside.length > SET_ASIDE_MAX) {
        throw error;
      }
    }
    options.folded?.(outputs, block, current);
  }
  return current;
}

/**
 * The plan that a log begins with: its first block is always one.
 * @throws RIV_LOG_GONE when the log no longer reaches back to its beginning, RIV_LOG_CORRUPT when it begins otherwise
 */
export async function firstPlan(log: LogReader): Promise<{ kernelHash: Buffer; plan: Buffer }> {
  for await (const chunk of log.read(0)) {
    const [first] = blocksOf(chunk);
    const payload = first === undefined ? null : planIn(chunk.subarray(first.at, first.end));
    if (payload === null) {
      break;
    }
    return decodePlanPayload(payload);
  }
  throw new RivuletError('RIV_LOG_CORRUPT', { found: 'a log that does not begin with a plan' });
}

/** Payload of the last plan block in a batch; null when it holds none. */
export function planIn(bytes: Buffer): Buffer | null {
  let payload: Buffer | null = null;
  for (const { at, end, isPlan } of blocksOf(bytes)) {
    if (isPlan) {
      payload = Buffer.from(bytes.subarray(at + BLOCK_HEADER_BYTES, end));
    }
  }
  return payload;
}
