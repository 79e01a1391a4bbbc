/**
 * What was set aside: messages (and, where no message is to blame, whole blocks) that trap the core. The list is part of
 * the log in all but place (FORMATS.md section 8): every fold of this log, live, after a crash and in replay, honours it,
 * so that all come to the same state. It is written before anything that depends on it leaves the process.
 *
 * In the place of a message set aside the core gets an empty PUBLISH with both QoS bits set, which MQTT forbids: it books
 * it as quarantined under the message's own offset, and the ledger still adds up.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK_HEADER_BYTES, BLOCK_KIND, RivuletError, replaceFile } from '@rivulet/host';
import { messagesIn } from './packets.ts';

/** More than this in one state directory mean that the core or the machine is broken, not the messages. */
export const SET_ASIDE_MAX = 64;
const FILE = 'set_aside.json';
const VERSION = 1;
const NO_MESSAGE = Buffer.from([0x36, 0]);

/** One decision. */
export interface Aside {
  /** Sequence of the block. */
  sequence: number;
  /** Byte position of the packet in the payload of its block; null: the block as a whole. */
  at: number | null;
  /** Offset of the message, or of the block's first. */
  offset: number;
  topic: string | null;
  /** Code and message of what the core did with it. */
  code: string;
  reason: string;
  /** When it arrived. */
  wallMs: number;
}

/**
 * Cuts a chunk of whole blocks into what the core gets: blocks set aside are left out, messages set aside are masked,
 * and a plan stands alone, so that all outputs of a stretch count by one plan.
 */
export function* foldable(chunk: Buffer, setAside: readonly Aside[]): Generator<Buffer> {
  let from = 0;
  const sequences = new Set(setAside.map(({ sequence }) => sequence));
  for (const { at, end, sequence, isPlan } of blocksOf(chunk)) {
    if (!isPlan && !sequences.has(sequence)) {
      continue;
    }
    if (at > from) {
      yield chunk.subarray(from, at);
    }
    const positions = setAside.filter((aside) => aside.sequence === sequence).map((aside) => aside.at);
    if (!positions.includes(null)) {
      yield masked(chunk.subarray(at, end), positions as number[]);
    }
    from = end;
  }
  if (from < chunk.length) {
    yield chunk.subarray(from);
  }
}

/** A copy of a block in which the packets at these positions of its payload are no messages any more. */
export function masked(block: Buffer, positions: readonly number[]): Buffer {
  if (positions.length === 0) {
    return block;
  }
  const parts: Buffer[] = [Buffer.from(block.subarray(0, BLOCK_HEADER_BYTES))];
  const payload = block.subarray(BLOCK_HEADER_BYTES);
  const hidden = new Set(positions);
  let from = 0;
  for (const { at, end } of messagesIn(payload)) {
    if (hidden.has(at)) {
      parts.push(payload.subarray(from, at), NO_MESSAGE);
      from = end;
    }
  }
  parts.push(payload.subarray(from));
  const copy = Buffer.concat(parts);
  copy.writeUInt32LE(copy.length - BLOCK_HEADER_BYTES, PAYLOAD_LENGTH_AT);
  return copy;
}

/** Where in the payload of a block that stands which in its masked copy stood at `position`. */
export function unmasked(block: Buffer, positions: readonly number[], position: number): number {
  let at = position;
  for (const message of messagesIn(block.subarray(BLOCK_HEADER_BYTES))) {
    if (message.at >= at) {
      break;
    }
    at += positions.includes(message.at) ? message.end - message.at - NO_MESSAGE.length : 0;
  }
  return at;
}

/** Where the header has the payload's length (FORMATS.md section 1). */
const PAYLOAD_LENGTH_AT = 8;

/** Where each block of a batch stands. Reads only what it needs: the blocks were verified or made here. */
export function* blocksOf(
  bytes: Buffer,
): Generator<{ at: number; end: number; sequence: number; isPlan: boolean }, void, void> {
  for (let at = 0; at + BLOCK_HEADER_BYTES <= bytes.length; ) {
    const end = at + BLOCK_HEADER_BYTES + bytes.readUInt32LE(at + PAYLOAD_LENGTH_AT);
    const sequence = bytes.readUInt32LE(at + 24) + bytes.readUInt32LE(at + 28) * 2 ** 32;
    yield { at, end, sequence, isPlan: bytes[at + 5] === BLOCK_KIND.plan };
    at = end;
  }
}

/** @throws RIV_CORRUPT, RIV_TOO_NEW: a fold that passes over other messages would come to another state */
export async function readSetAside(quarantine: string): Promise<Aside[]> {
  const path = join(quarantine, FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return [];
    }
    throw new RivuletError('RIV_FILE_UNREADABLE', {
      found: 'the list of what was set aside',
      where: path,
      cause: error,
    });
  }
  const list = parse(text);
  if (list === null) {
    throw new RivuletError('RIV_CORRUPT', { found: 'a list of what was set aside that cannot be read', where: path });
  }
  if (list.version > VERSION) {
    throw new RivuletError('RIV_TOO_NEW', { found: `a list of version ${list.version}`, where: path });
  }
  return list.set_aside;
}

function parse(text: string): { version: number; set_aside: Aside[] } | null {
  try {
    const list = JSON.parse(text) as { version: number; set_aside: Aside[] };
    const fits =
      Number.isInteger(list.version) &&
      Array.isArray(list.set_aside) &&
      list.set_aside.every(
        ({ sequence, at }) => Number.isSafeInteger(sequence) && (at === null || Number.isSafeInteger(at)),
      );
    return fits ? list : null;
  } catch {
    return null;
  }
}

export function writeSetAside(quarantine: string, setAside: readonly Aside[]): Promise<void> {
  const list = { version: VERSION, set_aside: setAside };
  return replaceFile(join(quarantine, FILE), Buffer.from(`${JSON.stringify(list, null, 1)}\n`));
}
