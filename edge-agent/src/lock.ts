/**
 * The lock on a state directory: two agents over one log would tear it apart. A file naming the process that holds it; a
 * lock whose process is dead is taken over. A process is known by its pid, the machine's boot and its start time, so that
 * a pid that was given to another process, or that is ours again in a restarted container, does not keep a dead lock.
 */
import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RivuletError, toRivuletError } from '@rivulet/host';

interface Holder {
  pid: number;
  boot: string;
  /** Start time of the process in clock ticks since boot; empty where /proc is absent. */
  started: string;
  /** Tells two attempts of one process apart. */
  token: string;
}

/** A file that does not say whose it is after so long was left by a process that died. */
const NAMELESS_MS_MAX = 500;
/** Take-overs in a row that died in the middle. */
const SUCCESSORS_MAX = 64;
const TOKEN_CHARACTERS_MAX = 64;

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

/**
 * Replaces the lock of a dead process. Each dead holder, known by its token, has one successor at most: who makes the marker with
 * that token. A successor that died before it was done has one in its turn. The markers go when the new lock stands, so who made
 * one after that finds another lock than the one it is for.
 */
async function takeOver(path: string, mine: Holder): Promise<void> {
  const dead = await holderOf(path);
  if (dead === 'absent') {
    if (await create(path, mine)) return;
    throw locked(path, null);
  }
  if (dead !== 'nameless' && (await isAlive(dead))) {
    throw locked(path, dead);
  }
  const marker = await succeed(`${path}.takeover`, dead, mine);
  try {
    const now = await holderOf(path);
    if (tokenOf(now) !== tokenOf(dead)) {
      throw locked(path, typeof now === 'string' ? null : now);
    }
    const fresh = `${path}.${mine.token}`;
    await create(fresh, mine);
    await rename(fresh, path);
    await clear(path);
  } finally {
    await rm(marker, { force: true });
  }
}

/** Makes the marker of who comes after `dead`, or after the last of those who died while they came after it. */
async function succeed(prefix: string, dead: Holder | 'nameless', mine: Holder): Promise<string> {
  let before: string = tokenOf(dead);
  for (let length = 0; length < SUCCESSORS_MAX; length++) {
    const marker = `${prefix}.${before}`;
    if (await create(marker, mine)) {
      return marker;
    }
    const other = await holderOf(marker);
    if (other === 'absent' || (other !== 'nameless' && (await isAlive(other)))) {
      break;
    }
    before = other === 'nameless' ? `${before}.nameless` : tokenOf(other);
  }
  throw locked(prefix.slice(0, -'.takeover'.length), null);
}

/** Removes the markers of all take-overs, that of an earlier version too. */
async function clear(path: string): Promise<void> {
  const prefix = `${basename(path)}.takeover`;
  for (const name of await readdir(dirname(path))) {
    if (name === prefix || name.startsWith(`${prefix}.`)) await rm(join(dirname(path), name), { force: true });
  }
}

/** As part of a file name. */
function tokenOf(holder: Holder | 'nameless' | 'absent'): string {
  return typeof holder === 'string' ? holder : encodeURIComponent(String(holder.token)).slice(0, TOKEN_CHARACTERS_MAX);
}

/** Whose file it is; one without a name is being written, which takes microseconds, or was left like this. */
async function holderOf(path: string): Promise<Holder | 'nameless' | 'absent'> {
  for (let waited = 0; ; waited += NAMELESS_MS_MAX / 10) {
    const holder = await read(path);
    if (holder !== null) return holder;
    if (!(await stat(path).catch(() => null))) return 'absent';
    if (waited >= NAMELESS_MS_MAX) return 'nameless';
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
