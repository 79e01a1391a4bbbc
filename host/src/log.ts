// The input log: blocks appended to segment files, one durable write per append (FORMATS.md section 2). A block is on disk
// when `durable` resolves, and only then may anything that depends on it leave the process. A failed write or sync ends the
// log: what the disk holds then is unknown, so it is never tried again; the next start finds out by reading. A full disk is
// the exception, where the owner asks for it: nothing was taken then, so the file is cut back to what was durable and the
// same bytes are written once more, whole, until there is room. What `durable` promises does not change.
//
// Retired segments are removed, not recycled: writing over old ones would save a twentieth of a message's CPU (PERFORMANCE.md),
// and a recycled file could not have its torn tail cut. The format allows it (segment ordinals).

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_PAYLOAD_BYTES_MAX,
  type BlockKind,
  encodeBlockHeader,
  SEGMENT_ORDINALS,
} from './block.ts';
import { RivuletError } from './errors.ts';
import { reason, writeError } from './files.ts';
import { findEnd, type LogReader, nextDurable, readLog, type Segment, sequenceAt } from './log_read.ts';
import { nextOrdinal, segmentFile } from './log_segment.ts';
import { createTidier, type Now } from './log_tidy.ts';
import { diskStorage, type OpenMode, type Storage, type StorageFile, synced, writeAll } from './storage.ts';

/** Segments are closed at this size: small enough that retention is not coarse, large enough that there are few. */
const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Bytes handed to `append` and not yet durable; a disk that is further behind than this is not keeping up. */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
/** While the disk is full, the write is tried again this often. */
const ROOM_MS = 500;

/** The promise of what is on disk when it is given. */
const WRITTEN = Promise.resolve();

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
  /** True when it is on disk already: there is nothing to wait for. */
  done: boolean;
}

/** A log as its one writer holds it. */
export interface Log extends LogReader {
  /** What opening it had to cut off: a torn last write, never anything that `durable` had resolved for. */
  readonly cut: { bytes: number; why: string } | null;
  /**
   * Encodes blocks and starts to write them: where no other write is under way, theirs is when this returns, or even done.
   * Appends are written one after the other, each with one write.
   * @param into where the blocks are laid down, if they fit; it belongs to the log until `durable` has settled
   * @throws RIV_TOO_LARGE, RIV_LOG_BACKLOG, and the error that ended the log
   */
  append(drafts: readonly BlockDraft[], into?: Buffer): Appended;
  /**
   * Recovery needs nothing before `sequence`: whole segments before it go while the log is above `keepBytes`, or while all of
   * the oldest one arrived more than `keepMs` ago. What this process wrote ages by the monotonic clock; what it found is as old
   * as the wall clock says at the first call, and ages by the monotonic clock from then on.
   */
  truncateBefore(sequence: number, now: Now): Promise<void>;
  /**
   * Compresses the segments that are full, one after the other.
   * @throws RIV_LOG_CORRUPT (the segment stays as it is, and is left alone from now on), RIV_LOG_FULL, RIV_LOG_WRITE (tried
   * again by the next call: nothing hangs on it)
   */
  compress(): Promise<void>;
}

/** An append whose write has not ended. */
interface Waiting {
  segment: Segment;
  position: number;
  bytes: Buffer;
  /** What came of the attempt to write it at once: so much of it was written, or it failed. */
  begun: number | { failed: unknown };
  resolve(): void;
  reject(error: unknown): void;
}

/** How a log is opened. */
export interface LogOptions {
  directory: string;
  storage?: Storage;
  segmentBytes?: number;
  /** How much to keep for replay, and how long; recovery's needs come first. Default: everything, for ever. */
  keepBytes?: number;
  keepMs?: number;
  /**
   * Called when the disk is full, and with null when there is room again: `durable` waits meanwhile. Without it a full disk
   * ends the log like any other failed write.
   */
  full?(error: RivuletError | null): void;
}

/**
 * Opens the log of one writer: makes it when there is none, cuts a torn tail. Only the last segment is verified here;
 * reading verifies the others.
 * @throws RIV_STATE_UNUSABLE, RIV_LOG_CORRUPT, RIV_LOG_WRITE, RIV_LOG_FULL
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const { directory, storage = diskStorage } = options;
  const { segmentBytes = SEGMENT_BYTES } = options;
  const { keepBytes = Number.POSITIVE_INFINITY, keepMs = Number.POSITIVE_INFINITY } = options;
  await storage.makeDirectory(directory);
  const { segments, leftovers, end, bad } = await findEnd(storage, directory);
  let nextSequence = end.sequence;
  let nextOffset = end.offset;
  let backlog = 0;
  let ended: RivuletError | null = null;
  /** Writes that wait for the one under way, and the promise that all of them are done. */
  const waiting: Waiting[] = [];
  let tail: Promise<void> | null = null;
  let stopWaiting = (): void => {};
  let writing: { segment: Segment; handle: StorageFile } | null = null;
  let cut: Log['cut'] = null;

  for (const path of leftovers) await storage.remove(path);
  const last = segments.at(-1);
  if (last !== undefined && !last.packed) {
    const handle = await openSegment(storage, last.path, 'write');
    writing = { segment: last, handle };
    if (last.size > end.position) {
      cut = { bytes: last.size - end.position, why: bad ?? 'bytes behind the last block' };
      await handle.truncate(end.position);
    }
    // What was just read may stand in the system's cache only, left by a process that was killed in the middle of a write:
    // it is acted upon from now on, so it has to be as durable as all else.
    await synced(() => handle.sync(), last.path);
    await synced(() => storage.syncDirectory(directory), directory);
    last.size = last.durable = end.position;
  }

  const tidier = createTidier({ storage, directory, segments, keepBytes, keepMs });

  /** The segment that takes `length` more bytes; a new one exists on disk when its first write begins. */
  function segmentFor(length: number): Segment {
    const active = segments.at(-1);
    const takes = active !== undefined && !active.packed;
    if (takes && (active.size === 0 || active.size + length <= segmentBytes)) return active;
    const ordinal =
      active === undefined ? randomBytes(4).readUInt32LE(0) % SEGMENT_ORDINALS : nextOrdinal(active.ordinal);
    const name = { firstSequence: nextSequence, ordinal };
    const segment = { ...name, path: join(directory, segmentFile(name)), packed: false, size: 0, durable: 0 };
    segments.push(segment);
    return segment;
  }

  /** One write after the other; the first begins before this returns. After a failure nothing is written any more. */
  async function writeWaiting(): Promise<void> {
    let failure: { error: unknown } | null = null;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        if (failure !== null) throw failure.error;
        await write(next);
        next.resolve();
      } catch (error) {
        failure = { error };
        next.reject(error);
      }
    }
    tail = null;
  }

  /** Writes what a disk that answers at once takes, without a turn of the event loop in between. */
  function writeAtOnce(segment: Segment, position: number, bytes: Buffer): Waiting['begun'] {
    if (tail !== null || writing?.segment !== segment) return 0;
    try {
      return writing.handle.writeAtOnce?.(bytes, 0, bytes.length, position) ?? 0;
    } catch (failed) {
      return { failed };
    }
  }

  function wrote(segment: Segment, position: number, length: number): void {
    segment.durable = position + length;
    backlog -= length;
  }

  async function write({ segment, position, bytes, begun }: Waiting): Promise<void> {
    for (let waited = false; ; waited = true) {
      try {
        await writeOnce(segment, position, bytes, waited ? 0 : begun);
        if (waited) options.full?.(null);
        break;
      } catch (cause) {
        const error = writeError(cause, segment.path);
        if (options.full === undefined || !isRoomWanted(error) || ended !== null) {
          ended ??= error;
          throw ended;
        }
        if (!waited) options.full(error);
        await room();
      }
    }
    wrote(segment, position, bytes.length);
  }

  /** Waits a while; the log may be closed meanwhile. */
  function room(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ROOM_MS);
      stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async function writeOnce(segment: Segment, position: number, bytes: Buffer, begun: Waiting['begun']): Promise<void> {
    if (writing?.segment !== segment) {
      await writing?.handle.close();
      writing = null;
      const handle = await openSegment(storage, segment.path, 'create');
      writing = { segment, handle };
      await synced(() => storage.syncDirectory(directory), directory);
    }
    const { handle } = writing;
    try {
      if (typeof begun !== 'number') throw begun.failed;
      await writeAll(handle, bytes.subarray(begun), position + begun); // one write as a rule
    } catch (cause) {
      await takenBack(handle, position, cause, segment.path);
      throw cause;
    }
  }

  return {
    get oldestSequence() {
      return segments[0]?.firstSequence ?? 0;
    },
    get nextSequence() {
      return nextSequence;
    },
    get nextOffset() {
      return nextOffset;
    },
    get bytes() {
      return segments.reduce((sum, segment) => sum + segment.size, 0);
    },
    cut,

    append(drafts, into) {
      if (ended !== null) throw ended;
      const length = drafts.reduce((sum, draft) => sum + BLOCK_HEADER_BYTES + payloadLength(draft), 0);
      if (backlog > 0 && backlog + length > BACKLOG_BYTES_MAX)
        throw new RivuletError('RIV_LOG_BACKLOG', {
          found: `${backlog} bytes are not durable yet and ${length} more were appended`,
          expected: `at most ${BACKLOG_BYTES_MAX}`,
          where: directory,
        });
      const segment = segmentFor(length);
      const bytes = into !== undefined && into.length >= length ? into.subarray(0, length) : Buffer.allocUnsafe(length);
      const firstOffsets: number[] = [];
      let at = 0;
      for (const draft of drafts) {
        firstOffsets.push(nextOffset);
        at = encodeBlock(bytes, at, draft, {
          firstOffset: nextOffset,
          sequence: nextSequence,
          segment: segment.ordinal,
        });
        nextSequence += 1;
        nextOffset += draft.count;
        segment.writtenUs = draft.monoUs;
      }
      const position = segment.size;
      segment.size += length;
      backlog += length;
      const begun = writeAtOnce(segment, position, bytes);
      if (begun === length) {
        wrote(segment, position, length);
        return { bytes, firstOffsets, durable: WRITTEN, done: true };
      }
      const durable = new Promise<void>((resolve, reject) => {
        waiting.push({ segment, position, bytes, begun, resolve, reject });
      });
      tail ??= writeWaiting();
      return { bytes, firstOffsets, durable, done: false };
    },

    read: (fromSequence, reuses) =>
      readLog(storage, segments, nextDurable(segments, nextSequence), fromSequence, reuses),
    sequenceAt: (wallMs) => sequenceAt(storage, segments, nextSequence, wallMs),

    truncateBefore: tidier.truncateBefore,
    compress: tidier.compress,

    async close() {
      ended ??= new RivuletError('RIV_LOG_WRITE', { found: 'an append after the log was closed', where: directory });
      stopWaiting();
      await tail; // whoever awaits `durable` has been told what failed
      await tidier.end();
      await writing?.handle.close();
      writing = null;
    },
  };
}

function payloadLength(draft: BlockDraft): number {
  const { payload } = draft;
  const length = payload instanceof Uint8Array ? payload.length : payload.reduce((sum, part) => sum + part.length, 0);
  if (length > BLOCK_PAYLOAD_BYTES_MAX)
    throw new RivuletError('RIV_TOO_LARGE', {
      found: `a block with a payload of ${length} bytes`,
      expected: `at most ${BLOCK_PAYLOAD_BYTES_MAX}`,
    });
  return length;
}

/** Lays a block down at `target[at]`; answers the position behind it. */
function encodeBlock(
  target: Buffer,
  at: number,
  draft: BlockDraft,
  place: { firstOffset: number; sequence: number; segment: number },
): number {
  let end = at + BLOCK_HEADER_BYTES;
  for (const part of draft.payload instanceof Uint8Array ? [draft.payload] : draft.payload) {
    target.set(part, end);
    end += part.length;
  }
  encodeBlockHeader(target, at, {
    kind: draft.kind,
    door: draft.door,
    payloadLength: end - at - BLOCK_HEADER_BYTES,
    count: draft.count,
    ...place,
    wallMs: draft.wallMs,
    monoUs: draft.monoUs,
    epoch: draft.epoch,
    boot: draft.boot,
    beginsWrite: at === 0,
  });
  return end;
}

async function openSegment(storage: Storage, path: string, mode: OpenMode): Promise<StorageFile> {
  try {
    return await storage.open(path, mode, { durable: true });
  } catch (cause) {
    throw writeError(cause, path);
  }
}

/** What a part of a failed write left behind is not to be built upon: the file ends again where it was durable. */
async function takenBack(file: StorageFile, length: number, cause: unknown, where: string): Promise<void> {
  try {
    await file.truncate(length);
  } catch (second) {
    throw new RivuletError('RIV_LOG_WRITE', {
      found: `a write failed (${reason(cause)}), and what it left could not be cut off (${reason(second)})`,
      where,
      cause,
    });
  }
}

/** True for a disk (or quota) that is full, which passes when somebody makes room; not for a file that is too large. */
function isRoomWanted(error: RivuletError): boolean {
  return error.code === 'RIV_LOG_FULL' && ['ENOSPC', 'EDQUOT'].includes(reason(error.cause));
}
