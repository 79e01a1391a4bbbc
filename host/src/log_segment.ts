// One segment file of the log (FORMATS.md section 2): its name, reading whole verified blocks out of it, and finding where
// it ends. What follows a bad block decides between a torn tail, which is cut, and damage to acknowledged data, which is not.

import {
  BLOCK_HEADER_BYTES,
  BLOCK_PAYLOAD_BYTES_MAX,
  blockVerifies,
  decodeBlockHeader,
  findBlockMagic,
  newerBlockVersion,
  SEGMENT_ORDINALS,
} from './block.ts';
import { RivuletError } from './errors.ts';
import { readAt, type StorageFile } from './storage.ts';

/** Blocks are read this many bytes at a time: large against a system call, small against the agent's memory. */
export const CHUNK_BYTES = 1024 * 1024;

/** What a segment's name says. */
export interface SegmentName {
  firstSequence: number;
  ordinal: number;
}

/** File name of a segment. */
export function segmentFile({ firstSequence, ordinal }: SegmentName): string {
  return `${firstSequence.toString(16).padStart(16, '0')}-${ordinal.toString(16).padStart(8, '0')}.rvlog`;
}

/** Reads a file name; null when it is not a segment's. */
export function parseSegmentFile(name: string): SegmentName | null {
  const match = /^([0-9a-f]{16})-([0-9a-f]{8})\.rvlog$/.exec(name);
  if (match === null) return null;
  const firstSequence = Number.parseInt(match[1] as string, 16);
  const ordinal = Number.parseInt(match[2] as string, 16);
  return Number.isSafeInteger(firstSequence) && ordinal < SEGMENT_ORDINALS ? { firstSequence, ordinal } : null;
}

/** The ordinal of the segment after this one. */
export function nextOrdinal(ordinal: number): number {
  return (ordinal + 1) % SEGMENT_ORDINALS;
}

/** Name of a segment's file once it is compressed, and while it is being compressed. */
export const packedFile = (file: string): string => `${file}.zst`;
export const packingFile = (file: string): string => `${file}.tmp`;

/** The bytes of a segment, however its file holds them. */
export interface SegmentBytes {
  readonly size: number;
  /** Up to `length` bytes at `position`: all that there are, or whole blocks; in `into` or in a buffer of their own. */
  readAt(position: number, length: number, into?: Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

/** A segment that stands in its file as it is, up to `size`. */
export function rawSegment(file: StorageFile, size: number): SegmentBytes {
  return {
    size,
    readAt: (position, length, into) => readAt(file, position, length, into),
    close: () => file.close(),
  };
}

/** Where in a segment a block is expected, and what it must carry. */
export interface Place {
  position: number;
  sequence: number;
  /** Offset of its first message; null: not known yet, any. */
  offset: number | null;
}

/** Some whole blocks, the place behind them, and what was wrong there (null: nothing, the segment goes on or ends). */
export interface Chunk {
  bytes: Buffer;
  place: Place;
  bad: string | null;
}

/**
 * Reads whole verified blocks from `place` on: as many as fit 1 MiB, or one that is longer. An empty chunk without `bad`
 * is the end of the segment. The bytes may be laid down in `into`; without it the buffer is fresh each time.
 */
export async function readChunk(source: SegmentBytes, ordinal: number, place: Place, into?: Buffer): Promise<Chunk> {
  const end = source.size;
  let buffer = await source.readAt(place.position, Math.min(CHUNK_BYTES, end - place.position), into);
  const now = { ...place };
  for (let at = 0; ; ) {
    const chunk = (bad: string | null): Chunk => ({ bytes: buffer.subarray(0, at), place: now, bad });
    const left = end - now.position;
    if (left === 0) return chunk(null);
    if (left < BLOCK_HEADER_BYTES) return chunk(`${left} bytes where a block header should be`);
    if (buffer.length - at < BLOCK_HEADER_BYTES) {
      if (at > 0) return chunk(null);
      return chunk('the file became shorter while it was read');
    }
    const header = decodeOrReason(buffer, at);
    if (typeof header === 'string') {
      await refuseNewer(source, now, left);
      return chunk(header);
    }
    const mismatch = differs(header, ordinal, now);
    if (mismatch !== null) return chunk(mismatch);
    const length = BLOCK_HEADER_BYTES + header.payloadLength;
    if (length > left) return chunk(`a block of ${length} bytes with ${left} left in the file`);
    if (length > buffer.length - at) {
      if (at > 0) return chunk(null);
      buffer = await source.readAt(now.position, length);
      if (buffer.length < length) return chunk('the file became shorter while it was read');
    }
    if (!blockVerifies(buffer, at, header.payloadLength)) return chunk('a block whose checksum is wrong');
    at += length;
    now.position += length;
    now.sequence += 1;
    now.offset = header.firstOffset + header.count;
  }
}

/**
 * A whole block of a later version is not a torn tail: cutting it would lose what a newer Rivulet acknowledged. Magic, version,
 * length and checksum have their places in every version.
 * @throws RIV_TOO_NEW
 */
async function refuseNewer(source: SegmentBytes, place: Place, left: number): Promise<void> {
  const header = await source.readAt(place.position, BLOCK_HEADER_BYTES);
  const version = newerBlockVersion(header);
  const length = version === null ? 0 : BLOCK_HEADER_BYTES + header.readUInt32LE(8);
  if (version === null || length > Math.min(left, BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES_MAX)) return;
  const block = await source.readAt(place.position, length);
  if (block.length === length && blockVerifies(block, 0, length - BLOCK_HEADER_BYTES))
    throw new RivuletError('RIV_TOO_NEW', { found: `block ${place.sequence} of the log has version ${version}` });
}

/** Where a segment ends, and what stood behind its last good block. */
export interface SegmentEnd {
  place: Place;
  bad: string | null;
}

/**
 * Verifies a segment from `start` to its end.
 * @throws RIV_LOG_CORRUPT when a later write was durable behind a bad place
 */
export async function scanSegment(
  source: SegmentBytes,
  path: string,
  ordinal: number,
  start: Place,
): Promise<SegmentEnd> {
  let place = start;
  for (;;) {
    const chunk = await readChunk(source, ordinal, place);
    place = chunk.place;
    if (chunk.bad !== null) {
      const later = await findLaterWrite(source, ordinal, place);
      if (later !== null)
        throw new RivuletError('RIV_LOG_CORRUPT', {
          found: `${chunk.bad}, but block ${later.sequence} at byte ${later.position} was written after it`,
          expected: `block ${place.sequence}`,
          where: `${path}:${place.position}`,
        });
      return { place, bad: chunk.bad };
    }
    if (chunk.bytes.length === 0) return { place, bad: null };
  }
}

/**
 * Looks behind a bad place for a good block of this segment that begins a write. Its presence proves that the bad bytes
 * were once durable. Good blocks that do not begin a write may belong to the same torn write and prove nothing.
 */
async function findLaterWrite(source: SegmentBytes, ordinal: number, bad: Place): Promise<Place | null> {
  const end = source.size;
  for (let from = bad.position + 1; end - from >= BLOCK_HEADER_BYTES; from += CHUNK_BYTES) {
    // The overlap lets a header that begins in this chunk be read whole.
    const buffer = await source.readAt(from, Math.min(CHUNK_BYTES + BLOCK_HEADER_BYTES - 1, end - from));
    for (let at = findBlockMagic(buffer, 0); at !== -1; at = findBlockMagic(buffer, at + 1)) {
      if (buffer.length - at < BLOCK_HEADER_BYTES) break;
      const header = decodeOrReason(buffer, at);
      if (typeof header === 'string') continue;
      if (header.segment !== ordinal || !header.beginsWrite || header.sequence < bad.sequence) continue;
      const position = from + at;
      const length = BLOCK_HEADER_BYTES + header.payloadLength;
      if (length > end - position) continue;
      const block = await source.readAt(position, length);
      if (block.length === length && blockVerifies(block, 0, header.payloadLength))
        return { position, sequence: header.sequence, offset: header.firstOffset };
    }
  }
  return null;
}

function differs(
  header: { sequence: number; firstOffset: number; segment: number },
  ordinal: number,
  place: Place,
): string | null {
  if (header.segment !== ordinal) return `a block of segment ${header.segment}`;
  if (header.sequence !== place.sequence) return `block ${header.sequence} where block ${place.sequence} should be`;
  if (place.offset !== null && header.firstOffset !== place.offset)
    return `a block with first offset ${header.firstOffset} where ${place.offset} should be`;
  return null;
}

function decodeOrReason(bytes: Buffer, at: number): ReturnType<typeof decodeBlockHeader> | string {
  try {
    return decodeBlockHeader(bytes, at);
  } catch (thrown) {
    if (!(thrown instanceof RivuletError)) throw thrown;
    return 'bytes that are not a block header';
  }
}
