// Two checkpoint slots (FORMATS.md section 5). A save goes over the older one, so that a crash in the middle of it leaves
// the newer one whole; a start takes the newest that verifies. Nothing is believed before its checksum was compared.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { RivuletError } from './errors.ts';
import { reason, writeError } from './files.ts';
import { diskStorage, readAt, type Storage, type StorageFile, writeAll } from './storage.ts';

const SLOT_MAGIC = 'RVCP';
const SLOT_VERSION = 1;
const SLOT_FILES = ['a.rvcp', 'b.rvcp'] as const;
/** Largest state: the longest input that the core takes back (wasm-core/src/lib.rs). */
const STATE_BYTES_MAX = 256 * 1024 * 1024;
/** Everything in a slot but the state. */
const SLOT_FRAME_BYTES = 136;
const NOT_THERE = 'not there';
/** Hashing this much takes a few tenths of a millisecond. */
const SLICE_BYTES = 256 * 1024;

/** A checkpoint: the fold's state at a place in the log. Hashes are 32 bytes. */
export interface Slot {
  /** Sequence of the first block that is not folded in. */
  nextSequence: number;
  nextOffset: number;
  wallMs: number;
  planHash: Uint8Array;
  kernelHash: Uint8Array;
  state: Uint8Array;
}

/** A slot as it was found. */
export interface LoadedSlot extends Slot {
  /** SHA-256 of the state in hex. */
  digest: string;
  /** The file it was in. */
  file: 'a.rvcp' | 'b.rvcp';
  /** Why it was taken and the other was not. */
  why: string;
}

/** The two slots of a directory. */
export interface Slots {
  /** The newest slot that verifies; null when there is none. */
  load(): Promise<LoadedSlot | null>;
  /** What the last `load` found: whether there is any file, and what each is, for people. */
  findings(): { present: boolean; why: string };
  /**
   * Writes over the older slot (or one that does not verify) and syncs; answers the digest of the state.
   * @throws RIV_LOG_FULL, RIV_LOG_WRITE, RIV_TOO_LARGE
   */
  save(slot: Slot): Promise<string>;
}

type SlotFile = (typeof SLOT_FILES)[number];

/** What was found in a file: a slot, or why there is none. */
interface Finding {
  file: SlotFile;
  slot: (Slot & { digest: string }) | null;
  why: string;
}

/**
 * Opens the slots of a directory, which is made when absent.
 * @throws RIV_STATE_UNUSABLE
 */
export async function openSlots(directory: string, storage: Storage = diskStorage): Promise<Slots> {
  await storage.makeDirectory(directory);
  /** The slot that must survive the next save. */
  let newest: SlotFile | null = null;
  /** It was written by a process before this one, which may have been killed before its sync: the system's cache may have it, the disk not. */
  let unproven = true;
  let findings = { present: false, why: '' };

  async function load(): Promise<LoadedSlot | null> {
    const first = await read(storage, directory, SLOT_FILES[0]);
    const second = await read(storage, directory, SLOT_FILES[1]);
    findings = {
      present: first.why !== NOT_THERE || second.why !== NOT_THERE,
      why: `${first.file}: ${first.why}; ${second.file}: ${second.why}`,
    };
    const decision = choose(first, second);
    newest = decision?.file ?? null;
    return decision;
  }
  await load();

  return {
    load,
    findings: () => findings,
    async save(slot) {
      const file = newest === SLOT_FILES[0] ? SLOT_FILES[1] : SLOT_FILES[0];
      const { parts, digest } = await encodeSlot(slot);
      if (newest !== null && unproven) await prove(storage, directory, newest);
      await overwrite(storage, directory, file, parts);
      newest = file;
      unproven = false;
      return digest;
    },
  };
}

/** The slots of a directory that verify, the newest first; nothing is made or changed. */
export async function readSlots(directory: string, storage: Storage = diskStorage): Promise<Slot[]> {
  const found = await Promise.all(SLOT_FILES.map((file) => read(storage, directory, file)));
  const slots = found.flatMap(({ slot }) => (slot === null ? [] : [slot]));
  return slots.sort((a, b) => b.nextSequence - a.nextSequence || b.wallMs - a.wallMs);
}

/** Which slot counts, from what was found in the two files. */
function choose(first: Finding, second: Finding): LoadedSlot | null {
  if (first.slot === null && second.slot === null) return null;
  if (first.slot === null || second.slot === null) {
    const [good, bad] = first.slot === null ? [second, first] : [first, second];
    return { ...(good.slot as NonNullable<Finding['slot']>), file: good.file, why: `${bad.file}: ${bad.why}` };
  }
  const lead = first.slot.nextSequence - second.slot.nextSequence || first.slot.wallMs - second.slot.wallMs;
  const [taken, other] = lead >= 0 ? [first.slot, second.slot] : [second.slot, first.slot];
  const [file, otherFile] = lead >= 0 ? [first.file, second.file] : [second.file, first.file];
  const why = `${otherFile} is older: it goes up to block ${other.nextSequence}, this one to ${taken.nextSequence}`;
  return { ...taken, file, why };
}

async function read(storage: Storage, directory: string, file: SlotFile): Promise<Finding> {
  let handle: StorageFile | undefined;
  try {
    handle = await storage.open(join(directory, file), 'read');
    const size = await handle.size();
    if (size > STATE_BYTES_MAX + SLOT_FRAME_BYTES)
      return { file, slot: null, why: `${size} bytes are more than a slot can have` };
    return { file, slot: decodeSlot(await readAt(handle, 0, size)), why: 'verified' };
  } catch (thrown) {
    const why = reason(thrown) === 'ENOENT' ? NOT_THERE : thrown instanceof Error ? thrown.message : String(thrown);
    return { file, slot: null, why };
  } finally {
    await handle?.close();
  }
}

async function overwrite(
  storage: Storage,
  directory: string,
  file: SlotFile,
  parts: readonly Uint8Array[],
): Promise<void> {
  await writing(join(directory, file), async (path) => {
    const slot = await storage.open(path, 'overwrite');
    try {
      let position = 0;
      for (const part of parts) {
        await writeAll(slot, part, position);
        position += part.length;
      }
      await slot.truncate(position);
      await slot.sync();
    } finally {
      await slot.close();
    }
    await storage.syncDirectory(directory);
  });
}

/** Makes durable what was found in a slot. */
async function prove(storage: Storage, directory: string, file: SlotFile): Promise<void> {
  await writing(join(directory, file), async (path) => {
    const slot = await storage.open(path, 'write');
    try {
      await slot.sync();
    } finally {
      await slot.close();
    }
    await storage.syncDirectory(directory);
  });
}

/** @throws RIV_LOG_FULL, RIV_LOG_WRITE for whatever fails */
async function writing(path: string, act: (path: string) => Promise<void>): Promise<void> {
  try {
    await act(path);
  } catch (cause) {
    throw writeError(cause, path, 'a checkpoint could not be written');
  }
}

/**
 * The bytes of a slot in pieces (the state is not copied), and the digest of its state. A large state is hashed slice by
 * slice, with turns for everything else in between: acknowledgements do not wait for a checkpoint.
 */
export async function encodeSlot(slot: Slot): Promise<{ parts: Uint8Array[]; digest: string }> {
  const { state } = slot;
  if (state.length > STATE_BYTES_MAX)
    throw new RivuletError('RIV_TOO_LARGE', {
      found: `a state of ${state.length} bytes`,
      expected: `at most ${STATE_BYTES_MAX}`,
    });
  const hasher = createHash('sha256');
  await bySlices(state, (slice) => hasher.update(slice));
  const hash = hasher.digest();
  const head = writeBytes([
    { ascii: SLOT_MAGIC },
    { u16: SLOT_VERSION },
    { u16: 0 },
    { u64: slot.nextSequence },
    { u64: slot.nextOffset },
    { i64: slot.wallMs },
    { raw: slot.planHash },
    { raw: slot.kernelHash },
    { raw: hash },
    { u32: state.length },
  ]);
  let crc = crc32c(head);
  await bySlices(state, (slice) => {
    crc = crc32c(slice, crc);
  });
  const checksum = writeBytes([{ u32: crc }]);
  return { parts: [head, state, checksum], digest: hash.toString('hex') };
}

async function bySlices(bytes: Uint8Array, each: (slice: Uint8Array) => void): Promise<void> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve));
    each(bytes.subarray(at, at + SLICE_BYTES));
  }
}

/**
 * Reads a slot; the state is a view into `bytes`.
 * @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_TOO_LARGE, RIV_CORRUPT
 */
export function decodeSlot(bytes: Uint8Array): Slot & { digest: string } {
  const reader = byteReader(bytes, 'a checkpoint');
  readMagic(reader, SLOT_MAGIC, SLOT_VERSION, 'a checkpoint');
  reader.u16();
  const slot = {
    nextSequence: reader.u64(),
    nextOffset: reader.u64(),
    wallMs: reader.i64(),
    planHash: reader.raw(32),
    kernelHash: reader.raw(32),
    digest: reader.raw(32).toString('hex'),
    state: reader.bytes(STATE_BYTES_MAX),
  };
  const covered = reader.at;
  if (reader.u32() !== crc32c(bytes, 0, 0, covered))
    throw new RivuletError('RIV_CORRUPT', { found: 'a checkpoint whose checksum is wrong' });
  reader.finish();
  return slot;
}
