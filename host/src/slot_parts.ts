// A checkpoint slot in parts (FORMATS.md section 5, version 2): commits behind each other, each with the groups of the state
// that changed. The checksum runs on from the first byte of the file, so that what an earlier, longer slot left behind does
// not verify.

import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { RivuletError } from './errors.ts';
import { sha256 } from './signing.ts';
import type { Slot } from './slots.ts';

export const SLOT_MAGIC = 'RVCP';
export const PARTS_VERSION = 2;
/** Checking this much takes a few tenths of a millisecond. */
const SLICE_BYTES = 256 * 1024;
/** Bytes of a commit before its parts. */
const COMMIT_HEAD_BYTES = 96;

/** What changed in a state, and where in the log it is then. */
export interface Snapshot extends Omit<Slot, 'state'> {
  /** The parts are all of the state. */
  whole: boolean;
  parts: Uint8Array;
}

/** The first bytes of a slot in parts, which every checksum in it begins with. */
export const PARTS_HEAD = writeBytes([{ ascii: SLOT_MAGIC }, { u16: PARTS_VERSION }, { u16: 0 }]);

/**
 * A commit in pieces (the parts are not copied), and the checksum to go on from. Large parts are checked slice by slice, with
 * turns for everything else in between: acknowledgements do not wait for a checkpoint.
 * @param parts of one or several snapshots, older ones first
 * @param seed the checksum so far
 */
export async function encodeCommit(
  snapshot: Snapshot,
  parts: readonly Uint8Array[],
  seed: number,
): Promise<{ pieces: Uint8Array[]; crc: number }> {
  const head = writeBytes([
    { u32: parts.reduce((sum, { length }) => sum + length, 0) },
    { u32: snapshot.whole ? 1 : 0 },
    { u64: snapshot.nextSequence },
    { u64: snapshot.nextOffset },
    { i64: snapshot.wallMs },
    { raw: snapshot.planHash },
    { raw: snapshot.kernelHash },
  ]);
  let crc = crc32c(head, seed);
  for (const part of parts) {
    await bySlices(part, (slice) => {
      crc = crc32c(slice, crc);
    });
  }
  const checksum = writeBytes([{ u32: crc }]);
  return { pieces: [head, ...parts, checksum], crc: crc32c(checksum, crc) };
}

export async function bySlices(bytes: Uint8Array, each: (slice: Uint8Array) => void): Promise<void> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve));
    each(bytes.subarray(at, at + SLICE_BYTES));
  }
}

/**
 * The state of the newest commit that verifies: a torn one at the end is passed over.
 * @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_CORRUPT when not even the first does
 */
export function decodeParts(bytes: Buffer): Slot & { digest: string } {
  const reader = byteReader(bytes, 'a checkpoint');
  readMagic(reader, SLOT_MAGIC, PARTS_VERSION, 'a checkpoint');
  reader.u16();
  let newest: Omit<Slot, 'state'> | null = null;
  /** By section and group. */
  const groups = new Map<number, Uint8Array>();
  let crc = crc32c(bytes, 0, 0, reader.at);
  while (reader.remaining > 0) {
    const at = reader.at;
    const length = reader.remaining < 4 ? 0 : bytes.readUInt32LE(at);
    const end = at + COMMIT_HEAD_BYTES + length;
    if (end + 4 > bytes.length || crc32c(bytes, crc, at, end) !== bytes.readUInt32LE(end)) break;
    crc = crc32c(bytes, crc, at, end + 4);
    reader.u32();
    const whole = reader.u32() === 1;
    if (newest === null && !whole) throw corrupt('a checkpoint whose first commit is not whole');
    newest = {
      nextSequence: reader.u64(),
      nextOffset: reader.u64(),
      wallMs: reader.i64(),
      planHash: reader.raw(32),
      kernelHash: reader.raw(32),
    };
    if (whole) groups.clear();
    takeGroups(bytes.subarray(reader.at, reader.at + length), groups);
    reader.skip(length + 4);
  }
  if (newest === null) throw corrupt('a checkpoint without a commit that verifies');
  const places = [...groups.keys()].sort((a, b) => a - b);
  const state = Buffer.concat(places.map((place) => groups.get(place) as Uint8Array));
  return { ...newest, state, digest: sha256(state).toString('hex') };
}

function takeGroups(parts: Buffer, groups: Map<number, Uint8Array>): void {
  const reader = byteReader(parts, 'the parts of a checkpoint');
  while (reader.remaining > 0) {
    // Far fewer than 2^21 sections fit into a state.
    const place = reader.u32() * 2 ** 32 + reader.u32();
    const length = reader.u32();
    groups.set(place, parts.subarray(reader.at, reader.at + length));
    reader.skip(length);
  }
}

function corrupt(found: string): RivuletError {
  return new RivuletError('RIV_CORRUPT', { found });
}
