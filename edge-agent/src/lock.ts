/**
 * The lock on a state directory: two agents over one log would tear it apart. A file naming the process that holds it; a
 * lock whose process is dead is taken over. A process is known by its pid, the machine's boot and its start time, so that
 * a pid that was given to another process, or that is ours again in a restarted container, does not keep a dead lock.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RivuletError, toRivuletError } from '@rivulet/host';

interface Holder {
  pid: number;
  boot: string;
  /** Start time of the process in clock ticks since boot; empty where /proc is absent. */
  started: string;
  /** Tells two attempts of one process apart. */
  token: string;
}

/** A marker that does not say whose it is after so long was left by a process that died. */
const NAMELESS_MS_MAX = 500;

export interface Lock {
  release(): Promise<void>;
}

/** @throws RIV_STATE_LOCKED when a living process holds it, RIV_STATE_UNUSABLE when nothing can be written there */
export async function takeLock(directory: string): Promise<Lock> {
  const path = join(directory, 'lock');
  const mine: Holder = {
    pid: process.pid,
    boot: await bootId(),
    started: await startTime(process.pid),
    token: randomUUID(),
  };
  try {
    if (!(await create(path, mine))) {
      await takeOver(path, mine);
    }
  } catch (cause) {
    throw unusable(directory, cause);
  }
  return {
    async release() {
      if ((await read(path))?.token === mine.token) {
        await rm(path, { force: true });
      }
    },
  };
}

/** The living process that holds the lock of a directory, and since when; null when none does. For whoever only looks on. */
export async function lockHolder(directory: string): Promise<{ pid: number; sinceMs: number } | null> {
  const path = join(directory, 'lock');
  const holder = await read(path);
  const file = await stat(path).catch(() => null);
  return holder !== null && file !== null && (await isAlive(holder))
    ? { pid: holder.pid, sinceMs: file.mtimeMs }
    : null;
}

/** Replaces the lock of a dead process. The marker file keeps two of us from doing so at once. */
async function takeOver(path: string, mine: Holder): Promise<void> {
  const marker = `${path}.takeover`;
  if (!(await create(marker, mine)) && !((await isLeftBehind(marker, mine)) && (await create(marker, mine)))) {
    throw locked(path, null);
  }
  try {
    const holder = await read(path);
    if (holder !== null && (await isAlive(holder))) {
      throw locked(path, holder);
    }
    const fresh = `${path}.${mine.token}`;
    await create(fresh, mine);
    await rename(fresh, path);
  } finally {
    await rm(marker, { force: true });
  }
}

/**
 * True when a marker was of a process that died in the middle of a take-over; it is gone then. It is moved aside first: of two
 * that found it, one gets it, and who then holds another one's gives it back.
 */
async function isLeftBehind(marker: string, mine: Holder): Promise<boolean> {
  const found = await holderOf(marker);
  if (found !== null && (await isAlive(found))) {
    return false;
  }
  const aside = `${marker}.${mine.token}`;
  try {
    await rename(marker, aside);
  } catch {
    return true; // Somebody else has cleared it away.
  }
  if ((await read(aside))?.token === found?.token) {
    await rm(aside, { force: true });
    return true;
  }
  await rename(aside, marker);
  return false;
}

/** Whose marker it is; one without a name is being written, which takes microseconds, or was left like this. */
async function holderOf(marker: string): Promise<Holder | null> {
  for (let waited = 0; ; waited += NAMELESS_MS_MAX / 10) {
    const holder = await read(marker);
    if (holder !== null || waited >= NAMELESS_MS_MAX) {
      return holder;
    }
    await new Promise((resolve) => setTimeout(resolve, NAMELESS_MS_MAX / 10));
  }
}

function locked(path: string, holder: Holder | null): RivuletError {
  const found = holder === null ? 'another process is taking the lock' : `process ${holder.pid} uses this directory`;
  return new RivuletError('RIV_STATE_LOCKED', { found, where: path });
}

function unusable(directory: string, cause: unknown): RivuletError {
  if (cause instanceof RivuletError) {
    return cause;
  }
  const { code } = cause as NodeJS.ErrnoException;
  return code === undefined
    ? toRivuletError(cause)
    : new RivuletError('RIV_STATE_UNUSABLE', {
        found: `nothing can be written here (${code})`,
        where: directory,
        cause,
      });
}

/**
 * Creates the file with its whole content, or answers false when it exists. It is written aside and linked into place, so that nobody
 * finds it without a name and takes it for that of a dead process; where there are no links it is written in place.
 */
async function create(path: string, holder: Holder): Promise<boolean> {
  const aside = `${path}.${holder.token}.new`;
  const content = JSON.stringify(holder);
  try {
    await writeFile(aside, content, { flag: 'wx' });
    await link(aside, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw error;
      return writeFile(path, content, { flag: 'wx' });
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
}

/** Null when there is no lock or it cannot be read: it was written halfway by a process that died. */
async function read(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.boot !== (await bootId())) {
    return false;
  }
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return holder.started === (await startTime(holder.pid));
}

async function bootId(): Promise<string> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => '',
  );
}

/** Field 22 of /proc/PID/stat; the command before it may hold spaces and parentheses. */
async function startTime(pid: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return (
      text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .at(19) ?? ''
    );
  } catch {
    return '';
  }
}
