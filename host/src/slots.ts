// Two checkpoint slots (FORMATS.md section 5). A save goes over the older one, so that a crash in the middle of it leaves
// the newer one whole; a start takes the newest that verifies. Nothing is believed before its checksum was compared.
//
// While a gateway runs, what changed is appended to the two slots in turn: each time to the older one, which lacks what the
// newer one got last as well. So each slot stands for itself, one checkpoint behind the other.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { RivuletError } from './errors.ts';
import { reason, writeError } from './files.ts';
import {
  bySlices,
  decodeParts,
  encodeCommit,
  PARTS_HEAD,
  PARTS_VERSION,
  SLOT_MAGIC,
  type Snapshot,
} from './slot_parts.ts';
import { diskStorage, readAt, type Storage, type StorageFile, writeAll } from './storage.ts';

const SLOT_VERSION = 1;
const SLOT_FILES = ['a.rvcp', 'b.rvcp'] as const;
/** Largest state: the longest input that the core takes back (wasm-core/src/lib.rs). */
const STATE_BYTES_MAX = 256 * 1024 * 1024;
const NOT_THERE = 'not there';
/** A slot in parts is begun anew when it is twice as long as a state, and a little longer. */
const SLOT_BYTES_MAX = 3 * STATE_BYTES_MAX;
/** Low byte of the version. */
const VERSION_AT = 4;
/** A slot in parts is begun anew when what was appended is as much as what it began with, and this much more. */
const APPENDED_BYTES_FREE = 1024 * 1024;
/** When half of a state changes between checkpoints, as many are taken whole before parts are tried again. */
const WHOLE_IN_A_ROW = 8;
const COPIED_AT_ONCE_BYTES = 1024 * 1024;

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

/** What was found in a directory of slots. */
export interface SlotFindings {
  /** Whether there is any file. */
  present: boolean;
  /** What each file is. */
  why: string;
  /** The furthest place of the log that a slot which verifies goes up to, opened or not; 0 without any. */
  furthestSequence: number;
}

/** The two slots of a directory. */
export interface Slots {
  /**
   * The newest slot that verifies and that the core opens; null when there is none. A slot that is passed over is the first
   * to be written over.
   * @param refusal why the core does not open a state; null when it does. Default: it opens all
   */
  load(refusal?: (state: Uint8Array) => string | null): Promise<LoadedSlot | null>;
  /** What the last `load` found, for people: why each slot was taken or not. */
  findings(): SlotFindings;
  /**
   * Writes over the older slot (or one that does not verify) and syncs; answers the digest of the state.
   * @throws RIV_LOG_FULL, RIV_LOG_WRITE, RIV_TOO_LARGE
   */
  save(slot: Slot): Promise<string>;
  /** True when the next `append` should be of all of the state. */
  wantsWhole(): boolean;
  /**
   * Brings the older slot up to a new state, of which `snapshot` has what changed since the `append` before (its parts are not
   * to be changed afterwards), or all, and syncs. When it fails, the next one has to be whole.
   * @throws RIV_LOG_FULL, RIV_LOG_WRITE
   */
  append(snapshot: Snapshot): Promise<void>;
}

type SlotFile = (typeof SLOT_FILES)[number];

/** What this process has appended to a slot. */
interface Appended {
  /** Where the next commit goes, and the checksum up to there. */
  bytes: number;
  crc: number;
  /** Bytes of it that hold all of a state. */
  wholeBytes: number;
}

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
  let findings: SlotFindings = { present: false, why: '', furthestSequence: 0 };

  async function load(refusal: (state: Uint8Array) => string | null = () => null): Promise<LoadedSlot | null> {
    let first = await read(storage, directory, SLOT_FILES[0]);
    let second = await read(storage, directory, SLOT_FILES[1]);
    const furthestSequence = Math.max(first.slot?.nextSequence ?? 0, second.slot?.nextSequence ?? 0);
    let decision = choose(first, second);
    // The older one is opened only when the newer one is not.
    for (let why: string | null; decision !== null; decision = choose(first, second)) {
      why = refusal(decision.state);
      if (why === null) break;
      const refused = { file: decision.file, slot: null, why: `goes up to block ${decision.nextSequence}, ${why}` };
      if (decision.file === first.file) first = refused;
      else second = refused;
    }
    findings = {
      present: first.why !== NOT_THERE || second.why !== NOT_THERE,
      why: `${first.file}: ${first.why}; ${second.file}: ${second.why}`,
      furthestSequence,
    };
    newest = decision?.file ?? null;
    return decision;
  }
  await load();

  /** Slots in parts that are known to be as written; without the newest one the next `append` is whole. */
  const appended = new Map<SlotFile, Appended>();
  /** What the newest slot got last: the older one lacks it. Null: that was all of the state. */
  let lacking: Uint8Array | null = null;
  let wholeNext = 0;

  const target = (): SlotFile => (newest === SLOT_FILES[0] ? SLOT_FILES[1] : SLOT_FILES[0]);

  async function replaced(file: SlotFile, pieces: readonly Uint8Array[]): Promise<void> {
    if (newest !== null && unproven) await prove(storage, directory, newest);
    await writeSlot(storage, directory, file, 0, pieces);
    newest = file;
    unproven = false;
  }

  /** The slot to append to, as it is: the older one, which begins as a copy of the newest. */
  async function copied(file: SlotFile): Promise<Appended> {
    const from = newest === null ? undefined : appended.get(newest);
    if (newest === null || from === undefined)
      throw new Error('a checkpoint of changes has none to go on from: ask wantsWhole() first');
    const known = appended.get(file);
    if (known !== undefined && lacking !== null) return known;
    await copySlot(storage, directory, newest, file, from.bytes);
    lacking = new Uint8Array(0);
    return { ...from };
  }

  async function appendTo(file: SlotFile, snapshot: Snapshot): Promise<Appended> {
    if (snapshot.whole) {
      const { pieces, crc } = await encodeCommit(snapshot, [snapshot.parts], crc32c(PARTS_HEAD));
      await replaced(file, [PARTS_HEAD, ...pieces]);
      lacking = null;
      const bytes = sizeOf(pieces) + PARTS_HEAD.length;
      return { bytes, crc, wholeBytes: bytes };
    }
    const slot = await copied(file);
    const { pieces, crc } = await encodeCommit(snapshot, [lacking ?? new Uint8Array(0), snapshot.parts], slot.crc);
    await writeSlot(storage, directory, file, slot.bytes, pieces);
    newest = file;
    lacking = snapshot.parts;
    return { ...slot, bytes: slot.bytes + sizeOf(pieces), crc };
  }

  return {
    load,
    findings: () => findings,
    async save(slot) {
      const file = target();
      const { parts, digest } = await encodeSlot(slot);
      appended.clear();
      await replaced(file, parts);
      return digest;
    },
    wantsWhole() {
      const slot = newest === null ? undefined : appended.get(newest);
      if (slot === undefined || wholeNext > 0) return true;
      return slot.bytes > 2 * slot.wholeBytes + APPENDED_BYTES_FREE;
    },
    async append(snapshot) {
      const file = target();
      try {
        const slot = await appendTo(file, snapshot);
        appended.set(file, slot);
        const much = snapshot.parts.length > slot.wholeBytes / 2;
        wholeNext = snapshot.whole ? Math.max(wholeNext - 1, 0) : much ? WHOLE_IN_A_ROW : 0;
      } catch (error) {
        // What did not get to the disk is not said again by the core.
        appended.clear();
        throw error;
      }
    },
  };
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
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
    if (size > SLOT_BYTES_MAX) return { file, slot: null, why: `${size} bytes are more than a slot can have` };
    const bytes = await readAt(handle, 0, size);
    const inParts = (bytes[VERSION_AT] ?? 0) >= PARTS_VERSION;
    return { file, slot: inParts ? decodeParts(bytes) : decodeSlot(bytes), why: 'verified' };
  } catch (thrown) {
    const why = reason(thrown) === 'ENOENT' ? NOT_THERE : thrown instanceof Error ? thrown.message : String(thrown);
    return { file, slot: null, why };
  } finally {
    await handle?.close();
  }
}

/** Writes from `from` on; the slot ends behind it. */
async function writeSlot(
  storage: Storage,
  directory: string,
  file: SlotFile,
  from: number,
  pieces: readonly Uint8Array[],
): Promise<void> {
  await writing(join(directory, file), async (path) => {
    const slot = await storage.open(path, 'overwrite');
    try {
      let position = from;
      for (const piece of pieces) {
        await writeAll(slot, piece, position);
        position += piece.length;
      }
      await slot.truncate(position);
      await slot.sync();
    } finally {
      await slot.close();
    }
    if (from === 0) await storage.syncDirectory(directory);
  });
}

/** Makes the older slot a copy of the first `length` bytes of the newer one; a crash in the middle of it leaves that one. */
async function copySlot(
  storage: Storage,
  directory: string,
  from: SlotFile,
  to: SlotFile,
  length: number,
): Promise<void> {
  await writing(join(directory, to), async (path) => {
    const source = await storage.open(join(directory, from), 'read');
    try {
      const copy = await storage.open(path, 'overwrite');
      try {
        for (let at = 0; at < length; at += COPIED_AT_ONCE_BYTES) {
          const bytes = await readAt(source, at, Math.min(COPIED_AT_ONCE_BYTES, length - at));
          await writeAll(copy, bytes, at);
        }
      } finally {
        await copy.close();
      }
    } finally {
      await source.close();
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
