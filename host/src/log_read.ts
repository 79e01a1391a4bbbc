// Reading the log (FORMATS.md section 2): which segments a directory holds, where the log ends, and the verified blocks from
// any place on. Nothing is changed here, so it works beside the one writer (log.ts), from another process too.

import { join } from 'node:path';
import { BLOCK_HEADER_BYTES } from './block.ts';
import { RivuletError } from './errors.ts';
import { reason } from './files.ts';
import { latestArrival, openPacked, type PackedSegment } from './log_packed.ts';
import {
  CHUNK_BYTES,
  nextOrdinal,
  type Place,
  packedFile,
  packingFile,
  parseSegmentFile,
  rawSegment,
  readChunk,
  type SegmentBytes,
  type SegmentName,
  scanSegment,
  segmentFile,
} from './log_segment.ts';
import { diskStorage, type Storage, type StorageFile } from './storage.ts';

/** Segments may be retired or compressed by the writer while their directory is listed. */
const LISTINGS_MAX = 5;

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
   * The next ones are read while the caller works on these.
   * @param reuses the bytes are valid until the next ones are asked for; else they are the caller's own
   * @throws RIV_LOG_GONE (older than what is kept), RIV_LOG_CORRUPT (damaged, or the log ends before `fromSequence`)
   */
  read(fromSequence: number, reuses?: 'reuses'): AsyncGenerator<Buffer, void, void>;
  /**
   * Sequence of the first block that arrived at a time or later, `nextSequence` when there is none. Compressed segments are
   * looked up in their index, so that not the whole log is read.
   */
  sequenceAt(wallMs: number): Promise<number>;
  close(): Promise<void>;
}

/** A segment file as it was found, or as it grows. */
export interface Segment extends SegmentName {
  /** Its file as long as it is not compressed; `packedFile` of that afterwards. */
  path: string;
  packed: boolean;
  /** Bytes handed out, and bytes of them that are durable; compressed: the bytes of the file. */
  size: number;
  durable: number;
  /** The latest arrival of its blocks, once it was asked for. */
  newestMs?: number;
  /** Monotonic time of the last block that this process wrote to it. */
  writtenUs?: number;
}

/** The segments of a directory, the place behind the last good block, and what stood there (null: nothing). */
export interface Found {
  segments: Segment[];
  /** Files that a compression which did not come to its end has left. */
  leftovers: string[];
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
    read: (fromSequence, reuses) => readLog(storage, segments, end.sequence, fromSequence, reuses),
    sequenceAt: (wallMs) => sequenceAt(storage, segments, end.sequence, wallMs),
    close: async () => {},
  };
}

/**
 * Finds the segments of a directory and where the log ends. Only the last segment is verified; reading verifies the others.
 * @throws RIV_FILE_UNREADABLE, RIV_LOG_CORRUPT
 */
export async function findEnd(storage: Storage, directory: string): Promise<Found> {
  const { segments, leftovers } = await listSegments(storage, directory);
  for (const [index, segment] of segments.entries()) {
    const before = segments[index - 1];
    if (before !== undefined && segment.ordinal !== nextOrdinal(before.ordinal))
      throw new RivuletError('RIV_LOG_CORRUPT', {
        found: `no segment between this one and ${before.path}`,
        where: segment.path,
      });
  }
  const last = segments.at(-1);
  if (last === undefined) return { segments, leftovers, end: { position: 0, sequence: 0, offset: 0 }, bad: null };
  const { place, bad } = await scan(storage, last);
  if (place.offset !== null) return { segments, leftovers, end: { ...place, offset: place.offset }, bad };
  // No good block in the last segment: the one before it must end where this one begins.
  const before = segments.at(-2);
  if (before === undefined) {
    if (last.firstSequence > 0)
      throw new RivuletError('RIV_LOG_CORRUPT', { found: 'the only segment holds no block', where: last.path });
    return { segments, leftovers, end: { position: 0, sequence: 0, offset: 0 }, bad };
  }
  const previous = await scan(storage, before);
  if (previous.bad !== null || previous.place.sequence !== last.firstSequence || previous.place.offset === null)
    throw new RivuletError('RIV_LOG_CORRUPT', {
      found: previous.bad ?? 'the segment ends',
      expected: `blocks up to ${last.firstSequence}`,
      where: `${before.path}:${previous.place.position}`,
    });
  return {
    segments,
    leftovers,
    end: { position: 0, sequence: last.firstSequence, offset: previous.place.offset },
    bad,
  };
}

async function scan(storage: Storage, segment: Segment) {
  const source = await openToRead(storage, segment);
  try {
    return await scanSegment(source, segment.path, segment.ordinal, startOf(segment));
  } finally {
    await source.close();
  }
}

/** The first block of a segment says which offset it begins at. */
export function startOf(segment: SegmentName): Place {
  return { position: 0, sequence: segment.firstSequence, offset: null };
}

async function listSegments(
  storage: Storage,
  directory: string,
): Promise<{ segments: Segment[]; leftovers: string[] }> {
  for (let listing = 1; ; listing++) {
    try {
      return await listOnce(storage, directory);
    } catch (cause) {
      if (reason(cause) === 'ENOENT' && listing < LISTINGS_MAX) continue;
      throw new RivuletError('RIV_FILE_UNREADABLE', {
        found: `cannot read the log (${reason(cause)})`,
        where: directory,
        cause,
      });
    }
  }
}

async function listOnce(storage: Storage, directory: string): Promise<{ segments: Segment[]; leftovers: string[] }> {
  const { named, leftovers } = await listNames(storage, directory);
  const segments: Segment[] = [];
  for (const { file, ...segment } of named) {
    const handle = await storage.open(join(directory, file), 'read');
    const size = await handle.size();
    await handle.close();
    segments.push({ ...segment, size, durable: size });
  }
  return { segments, leftovers };
}

/** The segments of a directory by name, oldest first, without a look into their files. */
export async function listNames(
  storage: Storage,
  directory: string,
): Promise<{ named: (SegmentName & { file: string; path: string; packed: boolean })[]; leftovers: string[] }> {
  const files = new Set(await storage.list(directory));
  const leftovers: string[] = [];
  const named: (SegmentName & { file: string; path: string; packed: boolean })[] = [];
  for (const file of files) {
    const name = parseSegmentFile(file.replace(/\.(zst|tmp)$/, ''));
    if (name === null) continue;
    const own = segmentFile(name);
    // Where both stand the compressed one is whole too, but its entry may not be durable yet.
    if (file === packingFile(own) || (file === packedFile(own) && files.has(own))) {
      leftovers.push(join(directory, file));
      continue;
    }
    named.push({ ...name, file, path: join(directory, own), packed: file !== own });
  }
  named.sort((a, b) => a.firstSequence - b.firstSequence);
  return { named, leftovers };
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
  reuses?: 'reuses',
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
  // One for the blocks that the caller has, one for those that are read meanwhile.
  const buffers =
    reuses === undefined ? [] : [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)];
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if ((next !== undefined && next.firstSequence <= fromSequence) || isUnwritten(segment, next)) continue;
    const source = await openToRead(storage, segment);
    try {
      let place: Place = { ...startOf(segment), offset };
      let ahead = readChunk(source, segment.ordinal, place, buffers[0]);
      for (;;) {
        const before = place.sequence;
        const chunk = await ahead;
        if (chunk.bytes.length > 0 && chunk.bad === null) {
          buffers.reverse();
          ahead = readChunk(source, segment.ordinal, chunk.place, buffers[0]);
          ahead.catch(() => {}); // looked at in its turn, if the caller comes to it
        }
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
      await source.close();
    }
  }
}

/** True for a segment that nothing is durable of yet; one that was emptied has blocks behind it, or is compressed. */
function isUnwritten(segment: Segment, next: Segment | undefined): boolean {
  const emptied = segment.size === 0 && next !== undefined && next.firstSequence > segment.firstSequence;
  return segment.durable === 0 && !emptied && !segment.packed;
}

/** Finds the first block that arrived at `wallMs` or later. Clocks are set back, so every segment before it is asked. */
export async function sequenceAt(
  storage: Storage,
  segments: readonly Segment[],
  nextSequence: number,
  wallMs: number,
): Promise<number> {
  const listed = [...segments];
  for (const [index, segment] of listed.entries()) {
    if (isUnwritten(segment, listed[index + 1])) continue;
    const source = await openToRead(storage, segment);
    try {
      let place: Place = startOf(segment);
      if ('index' in source) {
        const entry = (await source.index()).find(({ wallMsMax }) => wallMsMax >= wallMs);
        if (entry === undefined) continue;
        place = entry.place;
      }
      for (;;) {
        const chunk = await readChunk(source, segment.ordinal, place);
        if (latestArrival(chunk.bytes) >= wallMs) return place.sequence + blocksBefore(chunk.bytes, wallMs);
        if (chunk.bad !== null)
          throw new RivuletError('RIV_LOG_CORRUPT', {
            found: chunk.bad,
            where: `${segment.path}:${chunk.place.position}`,
          });
        if (chunk.bytes.length === 0) break;
        place = chunk.place;
      }
    } finally {
      await source.close();
    }
  }
  return nextSequence;
}

/** The latest arrival of a segment's blocks. */
export async function newestIn(storage: Storage, segment: Segment): Promise<number> {
  const source = await openToRead(storage, segment);
  try {
    if ('index' in source) return Math.max(...(await source.index()).map(({ wallMsMax }) => wallMsMax));
    let newest = Number.NEGATIVE_INFINITY;
    for (let place = startOf(segment); ; ) {
      const chunk = await readChunk(source, segment.ordinal, place);
      if (chunk.bytes.length === 0) return newest;
      newest = Math.max(newest, latestArrival(chunk.bytes));
      place = chunk.place;
    }
  } finally {
    await source.close();
  }
}

/** How many verified blocks stand before the first that arrived at `wallMs` or later. */
function blocksBefore(bytes: Buffer, wallMs: number): number {
  let count = 0;
  for (let at = 0; Number(bytes.readBigInt64LE(at + 32)) < wallMs; count++)
    at += BLOCK_HEADER_BYTES + bytes.readUInt32LE(at + 8);
  return count;
}

/** What is left of verified blocks without the first `count`. */
export function skipBlocks(bytes: Buffer, count: number): Buffer {
  let at = 0;
  for (let skipped = 0; skipped < count; skipped++) at += BLOCK_HEADER_BYTES + bytes.readUInt32LE(at + 8);
  return bytes.subarray(at);
}

/** Opens a segment, compressed or not; it may have been compressed since it was listed. */
export async function openToRead(storage: Storage, segment: Segment): Promise<SegmentBytes | PackedSegment> {
  const raw = segment.packed ? null : await openIfThere(storage, segment.path);
  if (raw !== null) return rawSegment(raw, segment.durable);
  const path = packedFile(segment.path);
  const packed = await openIfThere(storage, path);
  if (packed === null)
    throw new RivuletError('RIV_LOG_GONE', { found: 'the segment was retired', where: segment.path });
  try {
    return await openPacked(packed, path);
  } catch (error) {
    await packed.close();
    throw error;
  }
}

export async function openIfThere(storage: Storage, path: string): Promise<StorageFile | null> {
  try {
    return await storage.open(path, 'read');
  } catch (cause) {
    if (reason(cause) === 'ENOENT') return null;
    throw new RivuletError('RIV_FILE_UNREADABLE', {
      found: `cannot read the segment (${reason(cause)})`,
      where: path,
      cause,
    });
  }
}
