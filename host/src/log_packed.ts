// A sealed segment, compressed (FORMATS.md section 2): Zstandard frames of whole blocks, behind them an index by time, behind
// that a seek table (facebook/zstd, contrib/seekable_format, version 0.1.0). So any place is reached by decompressing one
// frame, and `zstd -d` gives back the bytes of the segment.

import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { BLOCK_HEADER_BYTES, BLOCK_PAYLOAD_BYTES_MAX, decodeBlockHeader } from './block.ts';
import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { RivuletError } from './errors.ts';
import { type Chunk, type Place, readChunk, type SegmentBytes } from './log_segment.ts';
import { readAt, type Storage, type StorageFile, writeAll } from './storage.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Level 3 was no smaller on MQTT payloads and slower. */
const COMPRESSION = {
  params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
};
const SKIPPABLE_INDEX = 0x184d2a50;
const SKIPPABLE_SEEK_TABLE = 0x184d2a5e;
const SEEKABLE_MAGIC = 0x8f92eab1;
/** Magic and length in front of a skippable frame's content. */
const SKIPPABLE_HEAD_BYTES = 8;
/** Number of frames, descriptor, magic. */
const FOOTER_BYTES = 9;
const ENTRY_BYTES = 8;
/** A segment of 64 MiB has some 70 frames; one of blocks that are as large as can be has no more. */
const FRAMES_MAX = 1 << 16;
const FRAME_BYTES_MAX = BLOCK_HEADER_BYTES + BLOCK_PAYLOAD_BYTES_MAX;
const INDEX_MAGIC = 'RVIX';
const INDEX_VERSION = 1;

/** What the index says of one frame. */
export interface IndexEntry {
  /** Where its first block begins in the segment, and that block's sequence and offset. */
  place: Place;
  /** The latest arrival of its blocks. */
  wallMsMax: number;
}

/** A frame: where it lies in the file, and which bytes of the segment it holds. */
interface Frame {
  at: number;
  packed: number;
  from: number;
  length: number;
}

/**
 * Writes a segment compressed to `path` and syncs it; answers the bytes it takes.
 * @throws RIV_LOG_CORRUPT when the segment does not verify, and what the storage throws
 */
export async function packSegment(
  storage: Storage,
  source: SegmentBytes,
  segment: { path: string; ordinal: number; firstSequence: number },
  path: string,
): Promise<number> {
  const target = await storage.open(path, 'overwrite');
  try {
    const entries: { packed: number; length: number }[] = [];
    const index: IndexEntry[] = [];
    let at = 0;
    const put = async (bytes: Uint8Array, length: number): Promise<void> => {
      await writeAll(target, bytes, at);
      at += bytes.length;
      entries.push({ packed: bytes.length, length });
    };
    let place: Place = { position: 0, sequence: segment.firstSequence, offset: null };
    for (;;) {
      const chunk: Chunk = await readChunk(source, segment.ordinal, place);
      if (chunk.bad !== null)
        throw new RivuletError('RIV_LOG_CORRUPT', {
          found: chunk.bad,
          where: `${segment.path}:${chunk.place.position}`,
        });
      if (chunk.bytes.length === 0) break;
      const { firstOffset } = decodeBlockHeader(chunk.bytes);
      index.push({ place: { ...place, offset: firstOffset }, wallMsMax: latestArrival(chunk.bytes) });
      await put(await compress(chunk.bytes, COMPRESSION), chunk.bytes.length);
      place = chunk.place;
    }
    await put(skippable(SKIPPABLE_INDEX, encodeIndex(index)), 0);
    const table = encodeSeekTable(entries);
    await writeAll(target, table, at);
    await target.truncate(at + table.length);
    await target.sync();
    return at + table.length;
  } finally {
    await target.close();
  }
}

/** The latest arrival of verified blocks; they need not be in order, since clocks are set back. */
export function latestArrival(blocks: Buffer): number {
  let latest = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < blocks.length; at += BLOCK_HEADER_BYTES + blocks.readUInt32LE(at + 8))
    latest = Math.max(latest, Number(blocks.readBigInt64LE(at + 32)));
  return latest;
}

/** A compressed segment, open to be read. */
export interface PackedSegment extends SegmentBytes {
  index(): Promise<IndexEntry[]>;
}

/**
 * Opens a compressed segment.
 * @throws RIV_LOG_CORRUPT when its seek table does not agree with the file
 */
export async function openPacked(file: StorageFile, path: string): Promise<PackedSegment> {
  const frames = await readSeekTable(file, path);
  const last = frames.at(-1) as Frame;
  let cached: { frame: Frame; bytes: Buffer } | null = null;

  async function unpacked(frame: Frame): Promise<Buffer> {
    if (cached?.frame !== frame) {
      const packed = await readAt(file, frame.at, frame.packed);
      let bytes: Buffer;
      try {
        bytes = await decompress(packed, { maxOutputLength: frame.length });
      } catch (cause) {
        throw corrupt(path, 'a frame that does not decompress', cause);
      }
      if (bytes.length !== frame.length) throw corrupt(path, 'a frame of another length than the seek table says');
      cached = { frame, bytes };
    }
    return cached.bytes;
  }

  return {
    size: last.from,
    /** Up to `length` bytes, not beyond the frame: frames hold whole blocks. */
    async readAt(position, length) {
      const frame = frames.find(({ from, length }) => position >= from && position < from + length);
      if (frame === undefined) return Buffer.alloc(0);
      const at = position - frame.from;
      return Buffer.from((await unpacked(frame)).subarray(at, at + length));
    },
    async index() {
      const bytes = await readAt(file, last.at, last.packed);
      const index = decodeIndex(bytes.subarray(SKIPPABLE_HEAD_BYTES), path);
      if (index.length !== frames.length - 1) throw corrupt(path, 'an index of other frames');
      return index.map((entry, at) => ({
        ...entry,
        place: { ...entry.place, position: (frames[at] as Frame).from },
      }));
    },
    close: () => file.close(),
  };
}

function encodeSeekTable(entries: readonly { packed: number; length: number }[]): Buffer {
  return skippable(
    SKIPPABLE_SEEK_TABLE,
    writeBytes([
      ...entries.flatMap(({ packed, length }) => [{ u32: packed }, { u32: length }]),
      { u32: entries.length },
      { u8: 0 },
      { u32: SEEKABLE_MAGIC },
    ]),
  );
}

async function readSeekTable(file: StorageFile, path: string): Promise<Frame[]> {
  const size = await file.size();
  const footer = await readAt(file, Math.max(0, size - FOOTER_BYTES), FOOTER_BYTES);
  if (footer.length < FOOTER_BYTES || footer.readUInt32LE(5) !== SEEKABLE_MAGIC || footer.readUInt8(4) !== 0)
    throw corrupt(path, 'no seek table at the end');
  const count = footer.readUInt32LE(0);
  const end = size - FOOTER_BYTES - count * ENTRY_BYTES - SKIPPABLE_HEAD_BYTES;
  if (count === 0 || count > FRAMES_MAX || end < 0) throw corrupt(path, `a seek table of ${count} frames`);
  const table = await readAt(file, end + SKIPPABLE_HEAD_BYTES, count * ENTRY_BYTES);
  const frames: Frame[] = [];
  let at = 0;
  let from = 0;
  for (let entry = 0; entry < count; entry++) {
    const packed = table.readUInt32LE(entry * ENTRY_BYTES);
    const length = table.readUInt32LE(entry * ENTRY_BYTES + 4);
    // The index alone, behind the others, holds no bytes of the segment.
    if (length > FRAME_BYTES_MAX || (length === 0) !== (entry === count - 1))
      throw corrupt(path, `a frame of ${length} bytes`);
    frames.push({ at, packed, from, length });
    at += packed;
    from += length;
  }
  if (at !== end) throw corrupt(path, 'a seek table that does not fit the file');
  return frames;
}

function encodeIndex(index: readonly IndexEntry[]): Buffer {
  const bytes = writeBytes([
    { ascii: INDEX_MAGIC },
    { u16: INDEX_VERSION },
    { u16: 0 },
    { u32: index.length },
    ...index.flatMap(({ place, wallMsMax }) => [
      { u64: place.sequence },
      { u64: place.offset as number },
      { i64: wallMsMax },
    ]),
  ]);
  return Buffer.concat([bytes, writeBytes([{ u32: crc32c(bytes) }])]);
}

function decodeIndex(bytes: Buffer, path: string): IndexEntry[] {
  const reader = byteReader(bytes, 'the index of a segment');
  readMagic(reader, INDEX_MAGIC, INDEX_VERSION, 'the index of a segment');
  reader.u16();
  const count = reader.u32();
  if (count > FRAMES_MAX) throw corrupt(path, `an index of ${count} frames`);
  const index: IndexEntry[] = [];
  for (let entry = 0; entry < count; entry++) {
    const sequence = reader.u64();
    const offset = reader.u64();
    index.push({ place: { position: 0, sequence, offset }, wallMsMax: reader.i64() });
  }
  const covered = reader.at;
  if (reader.u32() !== crc32c(bytes, 0, 0, covered)) throw corrupt(path, 'an index whose checksum is wrong');
  reader.finish();
  return index;
}

function skippable(magic: number, content: Uint8Array): Buffer {
  return Buffer.concat([writeBytes([{ u32: magic }, { u32: content.length }]), content]);
}

function corrupt(where: string, found: string, cause?: unknown): RivuletError {
  return new RivuletError('RIV_LOG_CORRUPT', { found, where, ...(cause === undefined ? {} : { cause }) });
}
