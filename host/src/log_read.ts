// Reading the log (FORMATS.md section 2): which segments a directory holds, where the log ends, and the verified blocks from
// any place on. Nothing is changed here, so it works beside the one writer (log.ts), from another process too.

import { join } from 'node:path';
import { BLOCK_HEADER_BYTES } from './block.ts';
import { RivuletError } from './errors.ts';
import { reason } from './files.ts';
import { nextOrdinal, type Place, parseSegmentFile, readChunk, type SegmentName, scanSegment } from './log_segment.ts';
import { diskStorage, type Storage, type StorageFile } from './storage.ts';

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

/** A segment file as it was found, or as it grows. */
export interface Segment extends SegmentName {
  path: string;
  /** Bytes handed out, and bytes of them that are durable. */
  size: number;
  durable: number;
}

/** The segments of a directory, the place behind the last good block, and what stood there (null: nothing). */
export interface Found {
  segments: Segment[];
  end: Place & { offset: number };
  bad: string | null;
}

/**
 * Opens a log to read it only: nothing is cut, made or removed.
 * @throws RIV_FILE_UNREADABLE, RIV_LOG_CORRUPT
 */
export async function openLogReader(directory: string, storage: Storage = diskStorage): Promise<LogReader> {
  const { segments, end } = await findEnd(storage, directory);
  const last = segments.at(-1);
  if (last !== undefined) last.size = last.durable = end.position;
  return {
    oldestSequence: segments[0]?.firstSequence ?? 0,
    nextSequence: end.sequence,
    nextOffset: end.offset,
    bytes: segments.reduce((sum, segment) => sum + segment.size, 0),
    read: (fromSequence) => readLog(storage, segments, end.sequence, fromSequence),
    close: async () => {},
  };
}

/**
 * Finds the segments of a directory and where the log ends. Only the last segment is verified; reading verifies the others.
 * @throws RIV_FILE_UNREADABLE, RIV_LOG_CORRUPT
 */
export async function findEnd(storage: Storage, directory: string): Promise<Found> {
  const segments = await listSegments(storage, directory);
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
  const { place, bad } = await scan(storage, last);
  if (place.offset !== null) return { segments, end: { ...place, offset: place.offset }, bad };
  // No good block in the last segment: the one before it must end where this one begins.
  const before = segments.at(-2);
  if (before === undefined) {
    if (last.firstSequence > 0)
      throw new RivuletError('RIV_LOG_CORRUPT', { found: 'the only segment holds no block', where: last.path });
    return { segments, end: { position: 0, sequence: 0, offset: 0 }, bad };
  }
  const previous = await scan(storage, before);
  if (previous.bad !== null || previous.place.sequence !== last.firstSequence || previous.place.offset === null)
    throw new RivuletError('RIV_LOG_CORRUPT', {
      found: previous.bad ?? 'the segment ends',
      expected: `blocks up to ${last.firstSequence}`,
      where: `${before.path}:${previous.place.position}`,
    });
  return { segments, end: { position: 0, sequence: last.firstSequence, offset: previous.place.offset }, bad };
}

async function scan(storage: Storage, segment: Segment) {
  const handle = await openToRead(storage, segment.path);
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

async function listSegments(storage: Storage, directory: string): Promise<Segment[]> {
  try {
    const segments: Segment[] = [];
    for (const file of await storage.list(directory)) {
      const name = parseSegmentFile(file);
      if (name === null) continue;
      const path = join(directory, file);
      const handle = await storage.open(path, 'read');
      const size = await handle.size();
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
export function nextDurable(segments: readonly Segment[], nextSequence: number): number | null {
  return segments.every((segment) => segment.durable === segment.size) ? nextSequence : null;
}

/**
 * Yields blocks from `fromSequence` to the durable end as it is now. `nextSequence` is checked when it is known.
 */
export async function* readLog(
  storage: Storage,
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
    const handle = await openToRead(storage, segment.path);
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

async function openToRead(storage: Storage, path: string): Promise<StorageFile> {
  try {
    return await storage.open(path, 'read');
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
