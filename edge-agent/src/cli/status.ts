/**
 * `rivulet status STATE_DIR`: how a gateway is, for an operator beside it. It reads the status that the agent leaves in its
 * state directory, and who holds the lock there; it never asks the agent, so it costs that nothing.
 */
import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RivuletError, reason } from '@rivulet/host';
import { readStatus, type Seen } from '../status_file.ts';
import { type Disk, statusText } from '../status_text.ts';
import { interrupted } from './interrupted.ts';

const HELP = `Usage: rivulet status STATE_DIR [options]

  --json        the status as one line of JSON, as \`rivulet run --status-json\` prints it
  -f, --follow  go on: print each new status

The gateway writes its status every 10 s, and within a second when what is wrong has changed.

Exit codes: 0 it runs, 1 there is no status, 2 wrong usage, 3 what is shown is old: it does not run, or says nothing.`;

/** What is shown says how the gateway was; 3 is what init scripts answer for "not running". */
const EXIT_OLD = 3;
/** How often a followed status is looked at. */
const LOOK_MS = 500;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      follow: { type: 'boolean', short: 'f', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [directory, ...rest] = positionals;
  if (directory === undefined || directory === '' || rest.length > 0) {
    throw new RivuletError('RIV_USAGE', { found: positionals.join(' ') || 'nothing', expected: 'status STATE_DIR' });
  }
  const stop = interrupted();
  let [shown, complaint] = ['', ''];
  for (;;) {
    const seen = await readStatus(directory, Date.now());
    // What is wrong with it is said once, on standard error, so that standard output is the status alone.
    const old = seen.old === null ? '' : `${seen.old.code}: ${seen.old.message}`;
    if (old !== '' && old !== complaint) {
      console.error(old);
    }
    const newest = `${seen.status.at} ${seen.status.event} ${seen.pid}`;
    if (newest !== shown) {
      console.log(await textOf(directory, seen, values.json));
    }
    [shown, complaint] = [newest, old];
    if (!values.follow) {
      return seen.old === null ? 0 : EXIT_OLD;
    }
    await Promise.race([stop.promise, new Promise((resolve) => setTimeout(resolve, LOOK_MS))]);
    if (stop.now()) {
      return 0;
    }
  }
}

async function textOf(directory: string, seen: Seen, json: boolean): Promise<string> {
  return json ? JSON.stringify(seen.status) : statusText(seen, await diskOf(directory));
}

async function diskOf(directory: string): Promise<Disk> {
  const [log, checkpoint, { bavail, bsize }] = await Promise.all([
    filesIn(join(directory, 'log')),
    filesIn(join(directory, 'checkpoint')),
    statfs(directory),
  ]);
  return {
    ...{ logBytes: log.bytes, checkpointBytes: checkpoint.bytes, freeBytes: bavail * bsize },
    checkpointAgeMs: checkpoint.newestMs === null ? null : Math.max(0, Date.now() - checkpoint.newestMs),
  };
}

/** Bytes of the files of a directory, and when the newest was written. The agent removes files while we look. */
async function filesIn(directory: string): Promise<{ bytes: number; newestMs: number | null }> {
  const found: { bytes: number; newestMs: number | null } = { bytes: 0, newestMs: null };
  for (const name of (await readdir(directory).catch(gone('cannot be listed', directory))) ?? []) {
    const path = join(directory, name);
    const file = await stat(path).catch(gone('cannot be looked at', path));
    if (file !== null) {
      found.bytes += file.size;
      found.newestMs = Math.max(found.newestMs ?? 0, file.mtimeMs);
    }
  }
  return found;
}

/** Null for what is not there; any other error is one. */
function gone(what: string, where: string): (cause: unknown) => null {
  return (cause) => {
    if (reason(cause) === 'ENOENT') return null;
    throw new RivuletError('RIV_FILE_UNREADABLE', { where, found: `${what} (${reason(cause)})`, cause });
  };
}
