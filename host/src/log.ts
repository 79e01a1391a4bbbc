// The input log: blocks appended to segment files, one durable write per append (FORMATS.md section 2). A block is on disk
// when `durable` resolves, and only then may anything that depends on it leave the process. A failed write or sync ends the
// log: what the disk holds then is unknown, so it is never tried again; the next start finds out by reading. A full disk is
// the exception, where the owner asks for it: nothing was taken then, so the file is cut back to what was durable and the
// same bytes are written once more, whole, until there is room. What `durable` promises does not change.
//
// Retired segments are removed, not recycled: growing files cost little more than overwritten ones here, and a recycled
// file could not have its torn tail cut. The format allows it (segment ordinals) for the day that measurements ask for it.

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_PAYLOAD_BYTES_MAX,
  type BlockKind,
  encodeBlockHeader,
  SEGMENT_ORDINALS,
} from './block.ts';
import { RivuletError } from './errors.ts';
import { makeDirectory, reason, syncDirectory } from './files.ts';
import {
  nextOrdinal,
  type Place,
  parseSegmentFile,
  readChunk,
  type SegmentName,
  scanSegment,
  segmentFile,
} from './log_segment.ts';

/** Segments are closed at this size: small enough that retention is not coarse, large enough that there are few. */
const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Bytes handed to `append` and not yet durable; a disk that is further behind than this is not keeping up. */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
/** While the disk is full, the write is tried again this often. */
const ROOM_MS = 500;
/** Writes return when the data is on disk. Where the system has no such flag, each write is followed by a sync. */
const DURABLE_WRITES: number | undefined = constants.O_DSYNC;

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
  /**
   * Whole verified blocks from `fromSequence` to what is durable at the time of the call, at most 1 MiB or one block at a time.
   * @throws RIV_LOG_GONE (older than what is kept), RIV_LOG_CORRUPT (damaged, or the log ends before `fromSequence`)
   */
  read(fromSequence: number): AsyncGenerator<Buffer, void, void>;
  close(): Promise<void>;
}

/** A log as its one writer holds it. */
export interface Log extends LogReader {
  /** What opening it had to cut off: a torn last write, never anything that `durable` had resolved for. */
  readonly cut: { bytes: number; why: string } | null;
  /**
   * Encodes blocks and starts to write them. Appends are written one after the other, each with one write.
   * @throws RIV_TOO_LARGE, RIV_LOG_BACKLOG, and the error that ended the log
   */
  append(drafts: readonly BlockDraft[]): Appended;
  /** Recovery needs nothing before `sequence`: whole segments before it go while the log is above `keepBytes`. */
  truncateBefore(sequence: number): Promise<void>;
}

/** How a log is opened. */
export interface LogOptions {
  directory: string;
  segmentBytes?: number;
  /** How much to keep for replay; recovery's needs come first. Default: everything. */
  keepBytes?: number;
  /**
   * Called when the disk is full, and with null when there is room again: `durable` waits meanwhile. Without it a full disk
   * ends the log like any other failed write.
   */
  full?(error: RivuletError | null): void;
}

interface Segment extends SegmentName {
  path: string;
  /** Bytes handed out, and bytes of them that are durable. */
  size: number;
  durable: number;
}

interface Found {
  segments: Segment[];
  end: Place & { offset: number };
  bad: string | null;
}

/**
 * Opens the log of one writer: makes it when there is none, cuts a torn tail. Only the last segment is verified here;
 * reading verifies the others.
 * @throws RIV_STATE_UNUSABLE, RIV_LOG_CORRUPT, RIV_LOG_WRITE, RIV_LOG_FULL
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const { directory, segmentBytes = SEGMENT_BYTES, keepBytes = Number.POSITIVE_INFINITY } = options;
  await makeDirectory(directory);
  const { segments, end, bad } = await findEnd(directory);
  let nextSequence = end.sequence;
  let nextOffset = end.offset;
  let backlog = 0;
  let ended: RivuletError | null = null;
  let tail: Promise<void> = Promise.resolve();
  let stopWaiting = (): void => {};
  let writing: { segment: Segment; handle: FileHandle } | null = null;
  let cut: Log['cut'] = null;

  const last = segments.at(-1);
  if (last !== undefined) {
    const handle = await openSegment(last.path, constants.O_WRONLY);
    writing = { segment: last, handle };
    if (last.size > end.position) {
      cut = { bytes: last.size - end.position, why: bad ?? 'bytes behind the last block' };
      await handle.truncate(end.position);
      await handle.sync();
    }
    last.size = last.durable = end.position;
  }

  /** The segment that takes `length` more bytes; a new one exists on disk when its first write begins. */
  function segmentFor(length: number): Segment {
    const active = segments.at(-1);
    if (active !== undefined && (active.size === 0 || active.size + length <= segmentBytes)) return active;
    const ordinal =
      active === undefined ? randomBytes(4).readUInt32LE(0) % SEGMENT_ORDINALS : nextOrdinal(active.ordinal);
    const name = { firstSequence: nextSequence, ordinal };
    const segment = { ...name, path: join(directory, segmentFile(name)), size: 0, durable: 0 };
    segments.push(segment);
    return segment;
  }

  async function write(segment: Segment, position: number, bytes: Buffer): Promise<void> {
    for (let waited = false; ; waited = true) {
      try {
        await writeOnce(segment, position, bytes);
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
    segment.durable = position + bytes.length;
    backlog -= bytes.length;
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

  async function writeOnce(segment: Segment, position: number, bytes: Buffer): Promise<void> {
    if (writing?.segment !== segment) {
      await writing?.handle.close();
      writing = null;
      const handle = await openSegment(segment.path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
      writing = { segment, handle };
      await synced(() => syncDirectory(directory));
    }
    const { handle } = writing;
    try {
      // One write as a rule. A short one is no error: the rest either fits or says why it does not.
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written);
        if (bytesWritten === 0) throw new Error('nothing was written');
        written += bytesWritten;
      }
    } catch (cause) {
      // What a part of the write left behind is not to be built upon: the file ends again where it was durable.
      await handle.truncate(position);
      throw cause;
    }
    if (DURABLE_WRITES === undefined) await synced(() => handle.datasync());
  }

  /** A sync that fails is never tried again, whatever the reason: afterwards the system may hold the bytes for written. */
  async function synced(sync: () => Promise<void>): Promise<void> {
    try {
      await sync();
    } catch (cause) {
      throw new RivuletError('RIV_LOG_WRITE', { found: `a sync failed (${reason(cause)})`, where: directory, cause });
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

    append(drafts) {
      if (ended !== null) throw ended;
      const length = drafts.reduce((sum, draft) => sum + BLOCK_HEADER_BYTES + payloadLength(draft), 0);
      if (backlog > 0 && backlog + length > BACKLOG_BYTES_MAX)
        throw new RivuletError('RIV_LOG_BACKLOG', {
          found: `${backlog} bytes are not durable yet and ${length} more were appended`,
          expected: `at most ${BACKLOG_BYTES_MAX}`,
          where: directory,
        });
      const segment = segmentFor(length);
      const bytes = Buffer.allocUnsafe(length);
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
      }
      const position = segment.size;
      segment.size += length;
      backlog += length;
      tail = tail.then(() => write(segment, position, bytes));
      return { bytes, firstOffsets, durable: tail };
    },

    read: (fromSequence) => readLog(segments, nextDurable(segments, nextSequence), fromSequence),

    async truncateBefore(sequence) {
      let removed = false;
      for (;;) {
        const [oldest, second] = segments;
        const total = segments.reduce((sum, segment) => sum + segment.size, 0);
        if (oldest === undefined || second === undefined || total <= keepBytes) break;
        // The log's end is found from the segments that remain: the second must hold a block.
        if (second.firstSequence > sequence || second.durable === 0) break;
        segments.shift();
        removed = true;
        await rm(oldest.path, { force: true });
      }
      if (removed) await syncDirectory(directory);
    },

    async close() {
      ended ??= new RivuletError('RIV_LOG_WRITE', { found: 'an append after the log was closed', where: directory });
      stopWaiting();
      await tail.catch(() => {}); // whoever awaits `durable` has been told
      await writing?.handle.close();
      writing = null;
    },
  };
}

/**
 * Opens a log to read it only: nothing is cut, made or removed.
 * @throws RIV_FILE_UNREADABLE, RIV_LOG_CORRUPT
 */
export async function openLogReader(directory: string): Promise<LogReader> {
  const { segments, end } = await findEnd(directory);
  const last = segments.at(-1);
  if (last !== undefined) last.size = last.durable = end.position;
  return {
    oldestSequence: segments[0]?.firstSequence ?? 0,
    nextSequence: end.sequence,
    nextOffset: end.offset,
    bytes: segments.reduce((sum, segment) => sum + segment.size, 0),
    read: (fromSequence) => readLog(segments, end.sequence, fromSequence),
    close: async () => {},
  };
}

/** Finds the segments of a directory and where the log ends. */
async function findEnd(directory: string): Promise<Found> {
  const segments = await listSegments(directory);
  for (const [index, segment] of segments.entries()) {
    const before = segments[index - 1];
    if (before !== undefined && segment.ordinal !== nextOrdinal(before.ordinal))
      throw new RivuletError('RIV_LOG_CORRUPT', {
        found: `no segment between this one and ${before.path}`,
        where: segment.path,
      });
  }
  const last = segments.at(-1);
  if (last === undefined) return { segments, end: { position: 0, sequence: 0, offset: 0 }, bad: null };
  const { place, bad } = await scan(last);
  if (place.offset !== null) return { segments, end: { ...place, offset: place.offset }, bad };
  // No good block in the last segment: the one before it must end where this one begins.
  const before = segments.at(-2);
  if (before === undefined) {
    if (last.firstSequence > 0)
      throw new RivuletError('RIV_LOG_CORRUPT', { found: 'the only segment holds no block', where: last.path });
    return { segments, end: { position: 0, sequence: 0, offset: 0 }, bad };
  }
  const previous = await scan(before);
  if (previous.bad !== null || previous.place.sequence !== last.firstSequence || previous.place.offset === null)
    throw new RivuletError('RIV_LOG_CORRUPT', {
      found: previous.bad ?? 'the segment ends',
      expected: `blocks up to ${last.firstSequence}`,
      where: `${before.path}:${previous.place.position}`,
    });
  return { segments, end: { position: 0, sequence: last.firstSequence, offset: previous.place.offset }, bad };
}

async function scan(segment: Segment) {
  const handle = await openToRead(segment.path);
  try {
    return await scanSegment(handle, segment.path, segment.ordinal, startOf(segment), segment.size);
  } finally {
    await handle.close();
  }
}

/** The first block of a segment says which offset it begins at. */
function startOf(segment: Segment): Place {
  return { position: 0, sequence: segment.firstSequence, offset: null };
}

async function listSegments(directory: string): Promise<Segment[]> {
  try {
    const segments: Segment[] = [];
    for (const file of await readdir(directory)) {
      const name = parseSegmentFile(file);
      if (name === null) continue;
      const path = join(directory, file);
      const handle = await open(path, 'r');
      const { size } = await handle.stat();
      await handle.close();
      segments.push({ ...name, path, size, durable: size });
    }
    return segments.sort((a, b) => a.firstSequence - b.firstSequence);
  } catch (cause) {
    throw new RivuletError('RIV_FILE_UNREADABLE', {
      found: `cannot read the log (${reason(cause)})`,
      where: directory,
      cause,
    });
  }
}

/** The sequence behind the last durable block; known exactly once everything handed out is durable. */
function nextDurable(segments: readonly Segment[], nextSequence: number): number | null {
  return segments.every((segment) => segment.durable === segment.size) ? nextSequence : null;
}

/**
 * Yields blocks from `fromSequence` to the durable end as it is now. `nextSequence` is checked when it is known.
 */
async function* readLog(
  live: readonly Segment[],
  nextSequence: number | null,
  fromSequence: number,
): AsyncGenerator<Buffer, void, void> {
  const segments = live.map((segment) => ({ ...segment }));
  const oldest = segments[0]?.firstSequence ?? 0;
  if (fromSequence < oldest)
    throw new RivuletError('RIV_LOG_GONE', {
      found: `block ${fromSequence} was asked for and the log begins at block ${oldest}`,
    });
  if (nextSequence !== null && fromSequence > nextSequence)
    throw new RivuletError('RIV_LOG_CORRUPT', {
      found: `the log ends before block ${nextSequence}`,
      expected: `block ${fromSequence}`,
    });
  let offset: number | null = null;
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if ((next !== undefined && next.firstSequence <= fromSequence) || segment.durable === 0) continue;
    const handle = await openToRead(segment.path);
    try {
      let place: Place = { ...startOf(segment), offset };
      for (;;) {
        const before = place.sequence;
        const chunk = await readChunk(handle, segment.ordinal, place, segment.durable);
        if (chunk.bytes.length > 0 && chunk.place.sequence > fromSequence)
          yield fromSequence <= before ? chunk.bytes : skipBlocks(chunk.bytes, fromSequence - before);
        place = chunk.place;
        if (chunk.bad !== null)
          throw new RivuletError('RIV_LOG_CORRUPT', { found: chunk.bad, where: `${segment.path}:${place.position}` });
        if (chunk.bytes.length === 0) break;
      }
      offset = place.offset;
      if (next !== undefined && segment.durable === segment.size && place.sequence !== next.firstSequence)
        throw new RivuletError('RIV_LOG_CORRUPT', {
          found: `the segment ends before block ${place.sequence}`,
          expected: `blocks up to ${next.firstSequence}`,
          where: segment.path,
        });
    } finally {
      await handle.close();
    }
  }
}

/** What is left of verified blocks without the first `count`. */
function skipBlocks(bytes: Buffer, count: number): Buffer {
  let at = 0;
  for (let skipped = 0; skipped < count; skipped++) at += BLOCK_HEADER_BYTES + bytes.readUInt32LE(at + 8);
  return bytes.subarray(at);
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

async function openSegment(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags | (DURABLE_WRITES ?? 0), 0o644);
  } catch (cause) {
    throw writeError(cause, path);
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if (reason(cause) === 'ENOENT')
      throw new RivuletError('RIV_LOG_GONE', { found: 'the segment was retired', where: path, cause });
    throw new RivuletError('RIV_FILE_UNREADABLE', {
      found: `cannot read the segment (${reason(cause)})`,
      where: path,
      cause,
    });
  }
}

/** True for a disk (or quota) that is full, which passes when somebody makes room; not for a file that is too large. */
function isRoomWanted(error: RivuletError): boolean {
  return error.code === 'RIV_LOG_FULL' && ['ENOSPC', 'EDQUOT'].includes(reason(error.cause));
}

function writeError(cause: unknown, path: string): RivuletError {
  if (cause instanceof RivuletError) return cause;
  const why = reason(cause);
  const full = why === 'ENOSPC' || why === 'EDQUOT' || why === 'EFBIG';
  return new RivuletError(full ? 'RIV_LOG_FULL' : 'RIV_LOG_WRITE', {
    found: `a write failed (${why})`,
    where: path,
    cause,
  });
}
