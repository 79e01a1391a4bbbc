// What a file system promises only when asked: directory entries that survive a power cut, files that change all at once.
// Every part that keeps state on disk goes through here.

import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { RivuletError } from './errors.ts';

/**
 * Makes a directory with its parents, each entry synced.
 * @throws RIV_STATE_UNUSABLE
 */
export async function makeDirectory(directory: string, mode = 0o755): Promise<void> {
  try {
    await makeMissing(resolve(directory), mode);
  } catch (cause) {
    throw new RivuletError('RIV_STATE_UNUSABLE', {
      found: `cannot make the directory (${reason(cause)})`,
      where: directory,
      cause,
    });
  }
}

/** Step by step: Node's own recursive way never returns where a parent exists and takes no directory (as in /proc). */
async function makeMissing(directory: string, mode: number): Promise<void> {
  const found = await stat(directory).catch(() => null);
  if (found?.isDirectory()) return;
  const parent = dirname(directory);
  if (found === null && parent !== directory) await makeMissing(parent, mode);
  await mkdir(directory, { mode }).catch((cause: NodeJS.ErrnoException) => {
    // Another process may have made it in between; what is there and no directory stays an error.
    if (cause.code !== 'EEXIST' || found !== null) throw cause;
  });
  await syncDirectory(parent);
}

/** Makes created, renamed and removed entries of a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Puts a file in place all at once: after a crash there is the old one or the new one, whole.
 * @throws RIV_STATE_UNUSABLE
 */
export async function replaceFile(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
  const directory = dirname(path);
  const temporary = join(directory, `.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new RivuletError('RIV_STATE_UNUSABLE', {
      found: `cannot write the file (${reason(cause)})`,
      where: path,
      cause,
    });
  }
}

/** The operating system's short reason (`ENOSPC`), or the message. */
export function reason(thrown: unknown): string {
  if (thrown instanceof Error) return (thrown as NodeJS.ErrnoException).code ?? thrown.message;
  return String(thrown);
}

/** What a failed write to the log or a checkpoint is called: RIV_LOG_FULL when there was no room, else RIV_LOG_WRITE. */
export function writeError(cause: unknown, where: string, what = 'a write failed'): RivuletError {
  if (cause instanceof RivuletError) return cause;
  const why = reason(cause);
  const full = why === 'ENOSPC' || why === 'EDQUOT' || why === 'EFBIG';
  return new RivuletError(full ? 'RIV_LOG_FULL' : 'RIV_LOG_WRITE', { found: `${what} (${why})`, where, cause });
}
