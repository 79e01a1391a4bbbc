// What the log and the checkpoint slots ask of a file system, and nothing more: so that tests can put a disk underneath
// that loses power between any two of these calls (test/support/simulated_disk.ts). What each call promises is said here.

import { constants, write, writeSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { RivuletError } from './errors.ts';
import { makeDirectory, reason, syncDirectory } from './files.ts';
import { createWritePace } from './write_pace.ts';

/** `read`: must be there · `write`: must be there · `create`: must not be there · `overwrite`: made when absent. */
export type OpenMode = 'read' | 'write' | 'create' | 'overwrite';

/** An open file. */
export interface StorageFile {
  size(): Promise<number>;
  /** Reads up to `length` bytes at `position` into `target[at]`; answers how many, 0 at the end. */
  read(target: Buffer, at: number, length: number, position: number): Promise<number>;
  /**
   * Writes up to `length` bytes of `bytes[at]` at `position`; answers how many. Opened `durable`, they are on disk then; else
   * only after `sync`, and until then in any order, wholly, in part or not at all.
   */
  write(bytes: Uint8Array, at: number, length: number, position: number): Promise<number>;
  /**
   * `write`, done when this returns; null: this disk is not to be waited for, use `write`. Throws as `write` rejects. A storage
   * without it writes everything by `write`.
   */
  writeAtOnce?(bytes: Uint8Array, at: number, length: number, position: number): number | null;
  /** Durable after `sync`. */
  truncate(length: number): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A file system. Entries that were made, renamed or removed are durable after `syncDirectory`, and until then in any order. */
export interface Storage {
  open(path: string, mode: OpenMode, options?: { durable: boolean }): Promise<StorageFile>;
  /** Names in a directory. */
  list(directory: string): Promise<string[]>;
  /** Replaces what is there, all at once. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; no error when there is none. */
  remove(path: string): Promise<void>;
  /** Makes a directory with its parents, durably. @throws RIV_STATE_UNUSABLE */
  makeDirectory(directory: string): Promise<void>;
  syncDirectory(directory: string): Promise<void>;
}

/** Writes return when the data is on disk: one call instead of two, and an error belongs to its own write. */
const DURABLE_WRITES: number | undefined = constants.O_DSYNC;

const FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY,
  create: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
  overwrite: constants.O_WRONLY | constants.O_CREAT,
};

/** The machine's file system. */
export const diskStorage: Storage = {
  async open(path, mode, options) {
    const durable = options?.durable === true;
    const handle = await open(path, FLAGS[mode] | (durable ? (DURABLE_WRITES ?? 0) : 0), 0o644);
    return diskFile(handle, path, durable, durable && DURABLE_WRITES === undefined);
  },
  list: (directory) => readdir(directory),
  rename,
  remove: (path) => rm(path, { force: true }),
  makeDirectory,
  syncDirectory,
};

/** @param syncEach the system has no flag for durable writes: each is followed by a sync */
function diskFile(handle: FileHandle, path: string, durable: boolean, syncEach: boolean): StorageFile {
  const pace = createWritePace();
  return {
    size: async () => (await handle.stat()).size,
    read: async (target, at, length, position) => (await handle.read(target, at, length, position)).bytesRead,
    async write(bytes, at, length, position) {
      const began = performance.now();
      const written = await writeTo(handle.fd, bytes, at, length, position);
      pace.took(performance.now() - began);
      if (syncEach) await synced(() => handle.datasync(), path);
      return written;
    },
    writeAtOnce(bytes, at, length, position) {
      if (!durable || syncEach || !pace.atOnce(length)) return null;
      const began = performance.now();
      const written = writeSync(handle.fd, bytes, at, length, position);
      pace.took(performance.now() - began);
      return written;
    },
    truncate: (length) => handle.truncate(length),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

/** `FileHandle.write` without its three promises: the log writes on every beat. It is under way when this returns. */
function writeTo(fd: number, bytes: Uint8Array, at: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, at, length, position, (error, written) => (error === null ? resolve(written) : reject(error)));
  });
}

/**
 * A sync that fails is never tried again, whatever the reason: afterwards the system may hold the bytes for written.
 * @throws RIV_LOG_WRITE
 */
export async function synced(sync: () => Promise<void>, where: string): Promise<void> {
  try {
    await sync();
  } catch (cause) {
    throw new RivuletError('RIV_LOG_WRITE', { found: `a sync failed (${reason(cause)})`, where, cause });
  }
}

/** Writes all of it. A short write is no error: the rest either fits or says why it does not. */
export async function writeAll(file: StorageFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const more = await file.write(bytes, written, bytes.length - written, position + written);
    if (more === 0) throw new Error('nothing was written');
    written += more;
  }
}

/** Reads `length` bytes; fewer only at the end of the file. They go to the beginning of `into` if they fit. */
export async function readAt(file: StorageFile, position: number, length: number, into?: Buffer): Promise<Buffer> {
  const buffer = into !== undefined && into.length >= length ? into : Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const read = await file.read(buffer, filled, length - filled, position + filled);
    if (read === 0) break;
    filled += read;
  }
  return buffer.subarray(0, filled);
}
