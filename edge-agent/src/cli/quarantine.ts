/**
 * `rivulet quarantine ls|show|retry STATE_DIR`: what did not get into the state, its bytes, and what would happen to it
 * now. It only reads, so it works beside a live agent. Bytes are shown in hexadecimal; whatever a device sent, the
 * terminal gets printable ASCII only.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compilePlan, loadCore, openLogReader, openSlots, RivuletError } from '@rivulet/host';
import { readConfigFile } from '../config_file.ts';
import { firstPlan } from '../fold.ts';
import { readQuarantine, recordTopic } from '../quarantine/quarantine.ts';
import type { QuarantineRecord } from '../quarantine/record.ts';
import { type RetryOutcome, type RetryStart, retry } from '../quarantine/retry.ts';
import { stateNames } from '../status_file.ts';
import { coreBuild } from './run.ts';

const HELP = `Usage: rivulet quarantine ls STATE_DIR
       rivulet quarantine show STATE_DIR ID
       rivulet quarantine retry STATE_DIR [ID] [--config FILE]

  ls      what is in quarantine: id, when, source, offset, topic, bytes, why
  show    one of them, byte by byte; ID as \`ls\` prints it, or the offset. \`where\` is a place in the payload: a path, or the
          byte at which reading it stopped
  retry   what would happen to it (or to all) now: a dry run from the newest checkpoint, nothing is changed

  --config FILE  retry under another configuration
  --json         one JSON object per line
  --core WHICH   auto, scalar or simd (default auto)`;

/** Bytes of a packet that \`show\` prints; what follows is counted. */
const SHOWN_BYTES_MAX = 4096;
const ROW_BYTES = 16;

type Found = { id: string; record: QuarantineRecord };

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      json: { type: 'boolean', default: false },
      core: { type: 'string', default: 'auto' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [action, directory, id, ...rest] = positionals;
  if (directory === undefined || rest.length > 0 || (action === 'ls' && id !== undefined)) {
    throw new RivuletError('RIV_USAGE', {
      found: positionals.join(' ') || 'nothing',
      expected: 'ls|show|retry STATE_DIR',
    });
  }
  const found = await read(directory, id);
  switch (action) {
    case 'ls':
      list(found, values.json);
      return 0;
    case 'show':
      if (id === undefined) {
        throw new RivuletError('RIV_USAGE', { found: 'no id', expected: 'show STATE_DIR ID' });
      }
      for (const each of found) {
        show(each, values.json);
      }
      return 0;
    case 'retry': {
      const core = await loadCore({ build: coreBuild(values.core) });
      const start = await retryStart(directory, values.config, core);
      for (const each of found) {
        tell(each, retry(start, each.record), values.json);
      }
      return 0;
    }
    default:
      throw new RivuletError('RIV_USAGE', { found: `quarantine ${action}`, expected: 'ls, show or retry' });
  }
}

/** @throws RIV_FILE_UNREADABLE, RIV_FOREIGN when it is no state directory, RIV_NOT_FOUND when nothing has the id that was given */
async function read(directory: string, id: string | undefined): Promise<Found[]> {
  await stateNames(directory);
  const all: Found[] = [];
  for (const { id: name, record, why } of await readQuarantine(join(directory, 'quarantine'))) {
    if (record === null) {
      console.error(`${name}: ${why}`);
    } else if (id === undefined || id === name || id === String(record.offset)) {
      all.push({ id: name, record });
    }
  }
  if (id !== undefined && all.length === 0) {
    throw new RivuletError('RIV_NOT_FOUND', {
      found: `nothing in quarantine has the id or offset ${printable(id)}`,
      where: directory,
      todo: '`rivulet quarantine ls` lists what there is.',
    });
  }
  return all;
}

async function retryStart(
  directory: string,
  config: string | undefined,
  core: RetryStart['core'],
): Promise<RetryStart> {
  const plan = config === undefined ? null : compilePlan((await readConfigFile(config, { state: directory })).config);
  const slot = await (await openSlots(join(directory, 'checkpoint'))).load();
  if (slot !== null) {
    return { core, state: { bytes: slot.state, nextSequence: slot.nextSequence }, plan };
  }
  const log = await openLogReader(join(directory, 'log'));
  try {
    return { core, state: null, plan: plan ?? (await firstPlan(log)).plan };
  } finally {
    await log.close();
  }
}

function list(found: readonly Found[], json: boolean): void {
  for (const each of found) {
    const { at, source, offset, topic, bytes, code, path } = facts(each);
    const where = topic === null ? 'a whole block' : printable(topic);
    console.log(
      json
        ? JSON.stringify(facts(each))
        : `${each.id}  ${at}  ${printable(source)}  offset ${offset}  ${where}  ${bytes} bytes  ${code}${path === '' ? '' : `  at ${printable(path)}`}`,
    );
  }
  if (!json && found.length === 0) {
    console.log('Nothing is in quarantine.');
  }
}

function facts({ id, record }: Found) {
  const { source, offset, code, reason, path, packet, wallMs } = record;
  const topic = recordTopic(record);
  return { id, at: new Date(wallMs).toISOString(), source, offset, topic, bytes: packet.length, code, reason, path };
}

function show(each: Found, json: boolean): void {
  const { packet } = each.record;
  if (json) {
    console.log(JSON.stringify({ ...facts(each), packet: packet.toString('hex') }));
    return;
  }
  const { id, at, source, offset, topic, bytes, code, reason, path } = facts(each);
  console.log(`${id}: offset ${offset}, arrived ${at}, ${bytes} bytes`);
  console.log(`source  ${printable(source)}`);
  console.log(`topic   ${topic === null ? '(a whole block)' : printable(topic)}`);
  console.log(`why     ${code}: ${printable(reason)}`);
  if (path !== '') {
    console.log(`where   ${printable(path)}`);
  }
  for (let row = 0; row < Math.min(packet.length, SHOWN_BYTES_MAX); row += ROW_BYTES) {
    const part = packet.subarray(row, Math.min(row + ROW_BYTES, SHOWN_BYTES_MAX));
    const hex = [...part].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const place = row.toString(16).padStart(6, '0');
    console.log(`${place}  ${hex.padEnd(3 * ROW_BYTES)} ${printable(part.toString('latin1'))}`);
  }
  if (packet.length > SHOWN_BYTES_MAX) {
    console.log(`… and ${packet.length - SHOWN_BYTES_MAX} bytes more (--json has them all)`);
  }
}

function tell({ id, record }: Found, outcome: RetryOutcome, json: boolean): void {
  const count = (kind: string): number => outcome.outputs.filter((output) => output.kind === kind).length;
  const gives = { predictions: count('prediction'), windows: count('window'), alarms: count('alarm') };
  const { outcome: fate, source, code, reason } = outcome;
  if (json) {
    console.log(JSON.stringify({ id, offset: record.offset, outcome: fate, source, code, reason, ...gives }));
    return;
  }
  const account = source === null ? '' : ` by ${printable(source)}`;
  const why = code === null ? '' : ` (${code}: ${printable(reason ?? '')})`;
  const outputs = Object.entries(gives).flatMap(([name, n]) => (n > 0 ? [`${n} ${name}`] : []));
  console.log(
    `${id}: it would be ${fate}${account}${why}${outputs.length > 0 ? `, giving ${outputs.join(', ')}` : ''}`,
  );
}

/** Printable ASCII; everything else as a dot. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '.');
}
