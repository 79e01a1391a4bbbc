/**
 * Where a feed has got to, in a file: written only when the gateway has acknowledged every message up to there, so that going
 * on from it repeats some messages after a crash (their numbers give them away) and never leaves one out.
 */
import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory, RivuletError } from '@rivulet/host';
import type { SendCounts } from './publisher.ts';

const VERSION = 1;

/** A place to go on from. */
export interface Position {
  /** Which feed, with the options that make its stream what it is. */
  feed: string;
  /** What the feed's maker takes. */
  state: unknown;
  /** The ledger up to here. */
  sent: SendCounts;
}

/** Reads a position; null when there is none, or when it belongs to another feed. */
export function loadPosition(path: string, feed: string): Position | null {
  if (!existsSync(path)) return null;
  try {
    const read = JSON.parse(readFileSync(path, 'utf8')) as Partial<Position> & { version?: number };
    if (read.version !== VERSION || read.feed !== feed || read.sent === undefined) return null;
    return { feed, state: read.state, sent: read.sent };
  } catch (cause) {
    throw new RivuletError('RIV_DATA', {
      where: path,
      found: (cause as Error).message,
      expected: 'the position of a feed',
      todo: 'Remove the file to begin the feed anew.',
      cause,
    });
  }
}

/** Writes a position in place of the one before, whole or not at all. */
export async function savePosition(path: string, position: Position): Promise<void> {
  await makeDirectory(dirname(path));
  const draft = `${path}.new`;
  await writeFile(draft, JSON.stringify({ version: VERSION, ...position }));
  await rename(draft, path);
}
