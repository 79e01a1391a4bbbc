/**
 * The newest status as a file in the state directory (FORMATS.md section 11), for whoever looks on beside the running
 * agent (`rivulet status`). It is for people: not synced, and what cannot be written is left out, since a full disk is
 * told elsewhere and must not be made worse by telling it.
 */
import { readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentStatus, RivuletError, reason } from '@rivulet/host';
import { lockHolder } from './lock.ts';

const FILE = 'status.json';
const VERSION = 1;
/** A new status is written this often; sooner when what is wrong has changed. */
const EVERY_MS = 10_000;
/** How often it is asked whether what is wrong has changed. */
const LOOK_MS = 1000;
/** A running agent whose status is older than this is stuck, or cannot write. */
const FRESH_MS_MAX = 3 * EVERY_MS;
/** Longest file that is read: a gateway at every limit of its configuration stays far below. */
const FILE_BYTES_MAX = 64 * 2 ** 20;

/** What the file holds. */
interface StatusFile {
  version: typeof VERSION;
  /** Messages per second since the status before; null in the first. */
  messages_per_s: number | null;
  status: AgentStatus;
}

export interface StatusWriter {
  /** No more of them; the last one goes in. */
  stop(last: AgentStatus): Promise<void>;
}

/** Writes a status now, and from then on. */
export async function writeStatus(
  directory: string,
  status: () => AgentStatus,
  wrong: () => RivuletError | null,
): Promise<StatusWriter> {
  let told: string | undefined;
  let before: { messages: number; monoMs: number } | null = null;
  let running: Promise<void> | null = null;

  async function put(newest: AgentStatus): Promise<void> {
    const monoMs = performance.now();
    const rate = before === null ? null : ((newest.messages - before.messages) * 1000) / (monoMs - before.monoMs);
    before = { messages: newest.messages, monoMs };
    told = wrong()?.message;
    const messages_per_s = rate === null ? null : Math.round(rate * 10) / 10;
    const file: StatusFile = { version: VERSION, messages_per_s, status: newest };
    const path = join(directory, FILE);
    try {
      await writeFile(`${path}.tmp`, JSON.stringify(file));
      await rename(`${path}.tmp`, path);
    } catch {
      // Whoever reads sees how old the last one is.
    }
  }

  await put(status());
  const timer = setInterval(() => {
    const due = before === null || performance.now() - before.monoMs >= EVERY_MS || wrong()?.message !== told;
    if (running === null && due) {
      running = put(status()).finally(() => {
        running = null;
      });
    }
  }, LOOK_MS);
  return {
    async stop(last) {
      clearInterval(timer);
      await running;
      await put(last);
    },
  };
}

/** What a look at a state directory finds. */
export interface Seen {
  status: AgentStatus;
  messagesPerS: number | null;
  /** The process that runs on it; null when none does. */
  pid: number | null;
  /** Since the status was made, in milliseconds; 0 when the clock was set back since. */
  ageMs: number;
  /** RIV_STATUS_OLD, when the status says how the gateway was and not how it is. */
  old: RivuletError | null;
}

/**
 * The newest status of a state directory.
 * @throws RIV_FILE_UNREADABLE, RIV_FOREIGN when no gateway ever ran there, RIV_STATUS_NONE, RIV_TOO_LARGE, RIV_TOO_NEW, RIV_CORRUPT
 */
export async function readStatus(directory: string, nowMs: number): Promise<Seen> {
  // The lock first: an agent that ends in between has written its last status.
  const holder = await lockHolder(directory);
  const { status, messages_per_s: messagesPerS } = await readFileOf(directory);
  const ageMs = Math.max(0, nowMs - status.at);
  const pid = holder?.pid ?? null;
  return { status, messagesPerS, pid, ageMs, old: oldness(directory, status, holder, ageMs) };
}

/** Why a status is an old one; null for one of now. */
function oldness(
  where: string,
  { at, event }: AgentStatus,
  holder: Awaited<ReturnType<typeof lockHolder>>,
  ageMs: number,
): RivuletError | null {
  const time = new Date(at).toISOString();
  const old = (found: string, todo?: string) =>
    new RivuletError('RIV_STATUS_OLD', { where, found, ...(todo === undefined ? {} : { todo }) });
  if (holder === null) {
    const ended = event === 'stopped' ? `it was stopped at ${time}` : `it ended without a stop, after ${time}`;
    return old(`the gateway is not running: ${ended}`);
  }
  if (event === 'stopped' || at < holder.sinceMs) {
    return old(`process ${holder.pid} is starting or stopping; this is from ${time}`, 'Ask again in a moment.');
  }
  if (ageMs > FRESH_MS_MAX) {
    const todo = 'Look at its output, at the load of the machine and at the disk.';
    return old(`process ${holder.pid} runs, but has said nothing since ${time}`, todo);
  }
  return null;
}

async function readFileOf(directory: string): Promise<StatusFile> {
  const path = join(directory, FILE);
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) {
      throw new RivuletError('RIV_TOO_LARGE', {
        ...{ where: path, found: `${size} bytes`, expected: `at most ${FILE_BYTES_MAX}` },
      });
    }
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if (cause instanceof RivuletError) throw cause;
    throw reason(cause) === 'ENOENT'
      ? await noStatus(directory)
      : new RivuletError('RIV_FILE_UNREADABLE', { where: path, found: `cannot be read (${reason(cause)})`, cause });
  }
  return parse(text, path);
}

/** Why there is no status, in a state directory. @throws when it is none */
async function noStatus(directory: string): Promise<RivuletError> {
  const names = await stateNames(directory);
  const found =
    names.length === 0 ? 'no gateway ever ran here' : 'no status yet: it is starting, or an older version ran here';
  return new RivuletError('RIV_STATUS_NONE', { where: directory, found });
}

/**
 * What stands in a state directory, which an empty one may become.
 * @throws RIV_FILE_UNREADABLE, RIV_FOREIGN when it is none
 */
export async function stateNames(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw new RivuletError('RIV_FILE_UNREADABLE', {
      ...{ where: directory, found: `no state directory (${reason(cause)})`, cause },
    });
  });
  if (names.length > 0 && !names.includes('log')) {
    throw new RivuletError('RIV_FOREIGN', {
      ...{ where: directory, found: 'not the state directory of a gateway', expected: 'a `log` in it' },
      todo: 'Name the directory that is `state` in the configuration, or `--state` of `rivulet run`.',
    });
  }
  return names;
}

function parse(text: string, where: string): StatusFile {
  let file: Partial<Omit<StatusFile, 'version'>> & { version?: unknown };
  try {
    file = JSON.parse(text);
  } catch (cause) {
    // Renamed but not synced: a power cut may leave it empty.
    const todo = 'The gateway writes it anew when it runs.';
    throw new RivuletError('RIV_CORRUPT', { where, found: 'not JSON', todo, cause });
  }
  const version = file?.version;
  if (typeof version === 'number' && version > VERSION) {
    throw new RivuletError('RIV_TOO_NEW', { where, found: `version ${version}`, expected: `at most ${VERSION}` });
  }
  const status: unknown = file?.status;
  if (version !== VERSION || !isStatus(status)) {
    throw new RivuletError('RIV_CORRUPT', { where, found: 'no status of a gateway' });
  }
  const rate = typeof file.messages_per_s === 'number' ? file.messages_per_s : null;
  return { version: VERSION, messages_per_s: rate, status };
}

/** Enough of it to be printed: whoever writes in the state directory is the agent. */
function isStatus(value: unknown): value is AgentStatus {
  const status = value as Partial<AgentStatus> | null;
  return (
    typeof status === 'object' &&
    status !== null &&
    Number.isSafeInteger(status.at) &&
    [status.sources, status.tasks, status.doors].every(Array.isArray) &&
    [status.ledger, status.bandwidth].every((part) => typeof part === 'object' && part !== null)
  );
}
