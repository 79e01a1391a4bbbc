// Following a log that another process writes: the verified blocks from a place on, and then each as it is appended. Segments
// may be compressed or retired meanwhile: a file that is open is read to its end, and what retention took before it was read
// is told, not passed over in silence. Nothing is changed here.
//
// What a write under way has left is shown once it verifies, a moment before it is durable: a power cut right then would take
// it back. Nothing that acts on the log may follow it like this; it is for looking.

import { BLOCK_HEADER_BYTES, decodeBlockHeader } from './block.ts';
import { RivuletError } from './errors.ts';
import { reason } from './files.ts';
import { openPacked } from './log_packed.ts';
import { listNames, openIfThere, skipBlocks, startOf } from './log_read.ts';
import { type Place, packedFile, rawSegment, readChunk, type SegmentBytes, scanSegment } from './log_segment.ts';
import { diskStorage, type Storage, type StorageFile } from './storage.ts';

export interface FollowOptions {
  directory: string;
  storage?: Storage;
  /** Sequence of the first block that is wanted. */
  fromSequence: number;
  /** False: ends where the log ends now. */
  follow: boolean;
  /** Resolves when it is worth looking again; true: stop. */
  wait(): Promise<boolean>;
  /** Blocks up to `next` were retired before they were read. */
  gone(from: number, next: number): void;
}

/**
 * Whole verified blocks, at most 1 MiB or one block at a time.
 * @throws RIV_FILE_UNREADABLE, RIV_LOG_CORRUPT, RIV_TOO_NEW
 */
export async function* followLog(options: FollowOptions): AsyncGenerator<Buffer, void, void> {
  const { directory, storage = diskStorage } = options;
  let at = options.fromSequence;
  for (;;) {
    const segments = await list(storage, directory);
    const [oldest] = segments;
    if (oldest !== undefined && oldest.firstSequence > at) {
      options.gone(at, oldest.firstSequence);
      at = oldest.firstSequence;
    }
    const segment = segments.findLast(({ firstSequence }) => firstSequence <= at);
    const opened = segment === undefined ? null : await open(storage, segment);
    if (segment !== undefined && opened !== null) {
      const reading = createReading(storage, directory, segment, opened);
      try {
        for (let more = true; more; ) {
          // Asked first: a segment that another one follows has got its last block.
          const isLast = !(await reading.isFull());
          for await (const { bytes, first, next } of reading.chunks()) {
            if (next > at) {
              yield at <= first ? bytes : skipBlocks(bytes, at - first);
              at = next;
            }
          }
          if (isLast && (!options.follow || (await options.wait()))) return;
          more = isLast;
        }
        reading.finish();
      } finally {
        await opened.file.close();
      }
    } else if (segment === undefined && (!options.follow || (await options.wait()))) {
      return;
    }
  }
}

type Segment = Awaited<ReturnType<typeof listNames>>['named'][number];

/** @throws RIV_FILE_UNREADABLE */
async function list(storage: Storage, directory: string): Promise<Segment[]> {
  try {
    return (await listNames(storage, directory)).named;
  } catch (cause) {
    const found = `cannot read the log (${reason(cause)})`;
    throw new RivuletError('RIV_FILE_UNREADABLE', { found, where: directory, cause });
  }
}

/** A segment's file, held open: what is done to its name no longer matters. */
interface Opened {
  file: { close(): Promise<void> };
  /** All that is there now. */
  source(): Promise<SegmentBytes>;
}

/** Null when it was retired or compressed since it was listed. */
async function open(storage: Storage, segment: Segment): Promise<Opened | null> {
  const path = segment.packed ? packedFile(segment.path) : segment.path;
  const file: StorageFile | null = await openIfThere(storage, path);
  if (file === null) return null;
  if (!segment.packed) return { file, source: async () => rawSegment(file, await file.size()) };
  try {
    const packed = await openPacked(file, path);
    return { file: packed, source: async () => packed };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Reads a segment from its first block on; what did not verify is looked at again, since it may be half written. */
function createReading(storage: Storage, directory: string, segment: Segment, opened: Opened) {
  let place: Place = startOf(segment);
  let next: number | null = null;
  let bad: string | null = null;

  return {
    /** True when another segment follows; no block will be added to this one. */
    async isFull(): Promise<boolean> {
      const segments = await list(storage, directory);
      next = segments.find(({ firstSequence }) => firstSequence > segment.firstSequence)?.firstSequence ?? null;
      return next !== null;
    },
    async *chunks(): AsyncGenerator<{ bytes: Buffer; first: number; next: number }> {
      const source = await opened.source();
      for (;;) {
        const first = place.sequence;
        const chunk = await readChunk(source, segment.ordinal, place);
        place = chunk.place;
        bad = chunk.bad;
        if (chunk.bytes.length > 0) yield { bytes: chunk.bytes, first, next: place.sequence };
        // Damage has a later write behind it, which is said; a write that is under way has not.
        if (bad !== null) await scanSegment(source, segment.path, segment.ordinal, place);
        if (bad !== null || chunk.bytes.length === 0) return;
      }
    },
    /** The segment is full and was read: it must reach to the next one. */
    finish(): void {
      if (bad === null && (next === null || place.sequence >= next)) return;
      throw new RivuletError('RIV_LOG_CORRUPT', {
        found: bad ?? `the segment ends before block ${place.sequence}`,
        expected: `blocks up to ${next}`,
        where: `${segment.path}:${place.position}`,
      });
    },
  };
}

/**
 * Sequence of the first block of the newest segment that begins at or before an offset: whoever looks for the message finds
 * it from there on.
 */
export async function sequenceBefore(
  directory: string,
  offset: number,
  storage: Storage = diskStorage,
): Promise<number> {
  const segments = await list(storage, directory);
  for (const segment of segments.toReversed()) {
    const opened = await open(storage, segment);
    if (opened === null) continue;
    try {
      const head = await (await opened.source()).readAt(0, BLOCK_HEADER_BYTES);
      if (head.length === BLOCK_HEADER_BYTES && decodeBlockHeader(head).firstOffset <= offset)
        return segment.firstSequence;
    } finally {
      await opened.file.close();
    }
  }
  return segments[0]?.firstSequence ?? 0;
}
