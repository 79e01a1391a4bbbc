import type { BlockKind } from './block.ts';

/** A block to be: the log adds offsets, sequence, segment and checksum. */
export interface BlockDraft {
  kind: BlockKind;
  door: number;
  epoch: number;
  /** Messages in the payload; 0 for kinds other than messages. */
  count: number;
  /** The payload, in one piece or several that are laid end to end. */
  payload: Uint8Array | readonly Uint8Array[];
  wallMs: number;
  monoUs: number;
  boot: number;
}

/** What `append` answers at once. */
export interface Appended {
  /** The encoded blocks back to back, as they are being written; not to be changed. */
  bytes: Buffer;
  /** Per draft: the offset of its first message. */
  firstOffsets: number[];
  /** Resolves when all of it, and all before it, is on disk; rejects with RIV_LOG_WRITE or RIV_LOG_FULL. */
  durable: Promise<void>;
}

/** A log as it can be read. */
export interface LogReader {
  /** Sequence of the oldest block that is kept. */
  readonly oldestSequence: number;
  /** Sequence of the block that comes next. */
  readonly nextSequence: number;
  /** Offset of the message that comes next. */
  readonly nextOffset: number;
  /** Bytes in all segments. */
  readonly bytes: number;
  /** Whole verified blocks from `fromSequence` to the durable end, at most 1 MiB or one block at a time. */
  read(fromSequence: number): AsyncGenerator<Buffer, void, void>;
  close(): Promise<void>;
}

/** A log as its one writer holds it. */
export interface Log extends LogReader {
  /** What opening it had to cut off. */
  readonly cut: { bytes: number; why: string } | null;
  append(drafts: readonly BlockDraft[]): Appended;
  /** Recovery needs nothing before `sequence`: whole segments before it may go once the log is above `keepBytes`. */
  truncateBefore(sequence: number): Promise<void>;
}

/** How a log is opened. */
export interface LogOptions {
  directory: string;
  segmentBytes?: number;
  keepBytes?: number;
}

export async function openLog(_options: LogOptions): Promise<Log> {
  throw new Error('follows');
}

/** Opens a log to read it only: nothing is cut, created or removed. For replay. */
export async function openLogReader(_directory: string): Promise<LogReader> {
  throw new Error('follows');
}
