// What keeps the log small, beside its one writer: segments that are full are compressed, and those that neither recovery nor
// replay needs are removed. Nothing hangs on it: what fails is tried again at the next call, and a power cut at any instant
// leaves each block in one whole file at least.

import { RivuletError } from './errors.ts';
import { writeError } from './files.ts';
import { packSegment } from './log_packed.ts';
import { newestIn, openToRead, type Segment } from './log_read.ts';
import { packedFile, packingFile } from './log_segment.ts';
import type { Storage } from './storage.ts';

export interface TidyContext {
  storage: Storage;
  directory: string;
  /** The log's segments, oldest first; removals are taken out. */
  segments: Segment[];
  keepBytes: number;
  keepMs: number;
}

/** Now, by both clocks. */
export interface Now {
  wallMs: number;
  monoUs: number;
}

/** As in `Log`. */
export interface Tidier {
  truncateBefore(sequence: number, now: Now): Promise<void>;
  compress(): Promise<void>;
  /** Begins nothing new; resolves when nothing is under way. */
  end(): Promise<void>;
}

export function createTidier({ storage, directory, segments, keepBytes, keepMs }: TidyContext): Tidier {
  /** One thing at a time: compression shares the few threads that durable writes need. */
  let tidying: Promise<unknown> = Promise.resolve();
  let ended = false;
  /** Segments that do not verify: they stay as they are, for whoever can mend them. */
  const damaged = new Set<Segment>();
  /** The first time that was told: what was found by then is that much older, whatever the wall clock does from now on. */
  let first: Now | null = null;

  function inTurn(act: () => Promise<void>): Promise<void> {
    const turn = tidying.then(act);
    tidying = turn.catch(() => {});
    return turn;
  }

  /**
   * How long ago the last block of a segment came: by the clock that only goes forward, so that a wall clock which jumps a
   * day ahead does not take the log with it, and one that is set back does not keep it for ever.
   */
  async function ageMs(segment: Segment, now: Now, since: Now): Promise<number> {
    if (segment.writtenUs !== undefined) return (now.monoUs - segment.writtenUs) / 1000;
    segment.newestMs ??= await newestIn(storage, segment);
    return Math.max(since.wallMs - segment.newestMs, 0) + (now.monoUs - since.monoUs) / 1000;
  }

  /** True when the oldest segment is more than is to be kept. */
  async function tooMuch(oldest: Segment, now: Now, since: Now): Promise<boolean> {
    if (segments.reduce((sum, segment) => sum + segment.size, 0) > keepBytes) return true;
    return keepMs !== Number.POSITIVE_INFINITY && (await ageMs(oldest, now, since)) > keepMs;
  }

  async function truncate(sequence: number, now: Now): Promise<void> {
    first ??= now;
    while (!ended) {
      const [oldest, second] = segments;
      // The log's end is found from the segments that remain: the second must hold a block.
      if (oldest === undefined || second === undefined || second.durable === 0) break;
      if (second.firstSequence > sequence || !(await tooMuch(oldest, now, first))) break;
      segments.shift();
      try {
        // A compression that a disk fault ended may have left the segment in both forms; left behind, the other one would be a
        // segment with a hole after it. The one that is read goes last.
        const forms = [packedFile(oldest.path), oldest.path];
        for (const form of oldest.packed ? forms.reverse() : forms) await storage.remove(form);
      } catch (error) {
        segments.unshift(oldest); // still there: were the next one removed before it, the log would have a hole
        throw error;
      }
      // Each for itself: a disk that keeps a later removal and drops this one would leave a hole.
      await storage.syncDirectory(directory);
    }
  }

  /** Written beside, synced, renamed, and only then is the original removed. */
  async function pack(segment: Segment): Promise<void> {
    const temporary = packingFile(segment.path);
    try {
      const source = await openToRead(storage, segment);
      let bytes: number;
      try {
        bytes = await packSegment(storage, source, segment, temporary);
      } finally {
        await source.close();
      }
      await storage.rename(temporary, packedFile(segment.path));
      await storage.syncDirectory(directory);
      segment.packed = true;
      segment.size = segment.durable = bytes;
      await storage.remove(segment.path);
      await storage.syncDirectory(directory);
    } catch (cause) {
      if (cause instanceof RivuletError && cause.code === 'RIV_LOG_CORRUPT') damaged.add(segment);
      await storage.remove(temporary).catch(() => {});
      throw writeError(cause, segment.path, 'a full segment could not be compressed');
    }
  }

  async function compress(): Promise<void> {
    for (const [index, segment] of segments.entries()) {
      const next = segments[index + 1];
      // A later block is durable, so nothing is written to this one any more, and it is not the log's end.
      const isFull = next !== undefined && next.durable > 0;
      if (isFull && !segment.packed && !damaged.has(segment) && !ended) await pack(segment);
    }
  }

  return {
    truncateBefore: (sequence, now) => inTurn(() => truncate(sequence, now)),
    compress: () => inTurn(compress),
    async end() {
      ended = true;
      await tidying;
    },
  };
}
