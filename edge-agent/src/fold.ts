/**
 * The fold: blocks of the log in, outputs out, state within. Live operation and replay go through here, so that they
 * cannot differ. A block that the core cannot fold (it traps, or answers with an error) is set aside by its sequence in
 * `quarantine/skipped.json` and passed over by every later fold of this log, live and in replay: it is not retried for ever.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type Core,
  decodeBlockHeader,
  decodeOutputs,
  decodePlanPayload,
  type Engine,
  type LogReader,
  type Output,
  RivuletError,
  replaceFile,
  toRivuletError,
  type Wanted,
} from '@rivulet/host';

/** More blocks than this that cannot be folded mean that the core or the disk is broken, not the blocks. */
const SKIPPED_MAX = 64;
const SKIPPED_FILE = 'skipped.json';

/** Sequences of the blocks that are passed over, with the code of why. */
export type Skipped = Map<number, string>;

/** What a fold over a log starts from: the log's beginning under its first plan, or the state of a checkpoint. */
export type FoldStart = { plan: Uint8Array } | { state: Uint8Array; fromSequence: number };

export interface FoldOptions {
  core: Core;
  log: LogReader;
  start: FoldStart;
  skipped: Skipped;
  /** Called before the first stretch: once, and again each time the fold begins anew around a block set aside. */
  begin?(): void;
  /** Called with the outputs of each stretch of blocks, in order. */
  folded?(outputs: Output[], blocks: Buffer): void;
}

/**
 * An engine that has folded the log from `start` to its durable end. Blocks that cannot be folded are added to `skipped`.
 * @throws the errors of the log, and the core's error when too many blocks cannot be folded
 */
export async function foldLog(options: FoldOptions): Promise<Engine> {
  /** A stretch in which something could not be folded: gone through block by block at the next try. */
  let suspect: { from: number; to: number } | null = null;
  for (;;) {
    const attempt = await tryFold(options, suspect);
    if ('engine' in attempt) {
      return attempt.engine;
    }
    const { from, to, error } = attempt;
    if (from === to) {
      options.skipped.set(from, error.code);
      suspect = null;
    } else {
      suspect = { from, to };
    }
    if (options.skipped.size > SKIPPED_MAX) {
      throw error;
    }
  }
}

type Try = { engine: Engine } | { from: number; to: number; error: RivuletError };

async function tryFold(options: FoldOptions, suspect: { from: number; to: number } | null): Promise<Try> {
  const { core, log, start, skipped } = options;
  options.begin?.();
  const engine = core.newEngine();
  if ('plan' in start) {
    engine.open(start.plan);
  } else {
    engine.restore(start.state);
  }
  for await (const chunk of log.read('plan' in start ? 0 : start.fromSequence)) {
    for (const blocks of stretches(chunk, skipped, suspect)) {
      try {
        const outputs = ingest(engine, blocks);
        options.folded?.(outputs, blocks);
      } catch (error) {
        const sequences = [...blocksOf(blocks)].map((block) => block.sequence);
        return { from: sequences.at(0) ?? 0, to: sequences.at(-1) ?? 0, error: toRivuletError(error) };
      }
    }
  }
  return { engine };
}

/** One call into the core; the outputs (those that are `wanted`) are decoded before the next call overwrites them. */
export function ingest(engine: Engine, blocks: Buffer, wanted?: Wanted): Output[] {
  const bytes = engine.ingest(blocks);
  return bytes.length === 0 ? [] : [...decodeOutputs(bytes, wanted)];
}

/** Where each block of a batch stands, and its sequence. */
export function* blocksOf(bytes: Buffer): Generator<{ at: number; end: number; sequence: number }> {
  for (let at = 0; at + BLOCK_HEADER_BYTES <= bytes.length; ) {
    const { payloadLength, sequence } = decodeBlockHeader(bytes, at);
    const end = at + BLOCK_HEADER_BYTES + payloadLength;
    yield { at, end, sequence };
    at = end;
  }
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
  for (const { at, end } of blocksOf(bytes)) {
    if (decodeBlockHeader(bytes, at).kind === BLOCK_KIND.plan) {
      payload = Buffer.from(bytes.subarray(at + BLOCK_HEADER_BYTES, end));
    }
  }
  return payload;
}

/** Cuts a chunk so that skipped blocks are left out and suspect blocks stand alone; mostly it is one whole stretch. */
function* stretches(chunk: Buffer, skipped: Skipped, suspect: { from: number; to: number } | null): Generator<Buffer> {
  if (skipped.size === 0 && suspect === null) {
    yield chunk;
    return;
  }
  let from = 0;
  for (const { at, end, sequence } of blocksOf(chunk)) {
    const alone = suspect !== null && sequence >= suspect.from && sequence <= suspect.to;
    if (!skipped.has(sequence) && !alone) {
      continue;
    }
    if (at > from) {
      yield chunk.subarray(from, at);
    }
    if (!skipped.has(sequence)) {
      yield chunk.subarray(at, end);
    }
    from = end;
  }
  if (from < chunk.length) {
    yield chunk.subarray(from);
  }
}

/** @throws RIV_CORRUPT when the list cannot be read: a fold that passes over other blocks would be another state */
export async function readSkipped(quarantine: string): Promise<Skipped> {
  const path = join(quarantine, SKIPPED_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return new Map();
  }
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, string>);
    return new Map(entries.map(([sequence, code]) => [Number(sequence), String(code)]));
  } catch (cause) {
    throw new RivuletError('RIV_CORRUPT', { found: 'a list of skipped blocks that is not JSON', where: path, cause });
  }
}

export function writeSkipped(quarantine: string, skipped: Skipped): Promise<void> {
  return replaceFile(join(quarantine, SKIPPED_FILE), Buffer.from(`${JSON.stringify(Object.fromEntries(skipped))}\n`));
}
