// What a file system promises only when asked: directory entries that survive a power cut, files that change all at once.
// Every part that keeps state on disk goes through here.

import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RivuletError } from './errors.ts';

/**
 * Makes a directory with its parents, each entry synced.
 * @throws RIV_STATE_UNUSABLE
 */
export async function makeDirectory(directory: string, mode = 0o755): Promise<void> {
  try {
    const first = await mkdir(directory, { recursive: true, mode });
    if (first === undefined) return;
    for (let made = directory; ; made = dirname(made)) {
      await syncDirectory(dirname(made));
      if (made === first || made === dirname(made)) break;
    }
  } catch (cause) {
    throw new RivuletError('RIV_STATE_UNUSABLE', {
      found: `cannot make the directory (${reason(cause)})`,
      where: directory,
      cause,
    });
  }
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
