/**
 * `rivulet replay STATE_DIR`: folds the log again, plans included, and prints the digest of the state: it equals the
 * running agent's. It only reads, so it works beside a live agent, up to what is durable.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCore, openLogReader, RivuletError } from '@rivulet/host';
import { readConfigFile } from '../config_file.ts';
import { type Moment, parseMoment } from '../moment.ts';
import { figures, sideBySide } from '../replay/compare.ts';
import { openOutputFile } from '../replay/output_lines.ts';
import { type Replayed, type ReplayRequest, replay } from '../replay/replay.ts';
import { coreBuild } from './run.ts';

const HELP = `Usage: rivulet replay STATE_DIR [options]

  --from MOMENT    figures and outputs from here on: an offset (12000) or a time (2026-05-01T12:00:00Z).
                   The state of then comes from the newest usable checkpoint before, else from the log's start
  --until MOMENT   stop before this message, or before what arrived at this time
  --config FILE    also what would have happened under another configuration, beside what did
  --outputs FILE   write what was put out (predictions, windows, alarms, late, quarantine) as lines of JSON
  --digest         print the digest of the state and nothing else
  --json           print one JSON object
  --core WHICH     auto, scalar or simd (default auto)`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      from: { type: 'string' },
      until: { type: 'string' },
      config: { type: 'string' },
      outputs: { type: 'string' },
      digest: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      core: { type: 'string', default: 'auto' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [directory, ...rest] = positionals;
  if (directory === undefined || rest.length > 0) {
    throw new RivuletError('RIV_USAGE', { found: `${positionals.length} directories`, expected: 'one STATE_DIR' });
  }
  const from = values.from === undefined ? null : parseMoment(values.from, '--from');
  const until = values.until === undefined ? null : parseMoment(values.until, '--until');
  refuseBackwards(from, until);
  const config =
    values.config === undefined ? null : (await readConfigFile(values.config, { state: directory })).config;
  const core = await loadCore({ build: coreBuild(values.core) });
  const log = await openLogReader(join(directory, 'log'));
  const file = values.outputs === undefined ? null : openOutputFile(values.outputs);
  try {
    const request = (run: string): ReplayRequest => {
      const sink = file?.sink(config === null ? '' : run) ?? null;
      return { directory, log, core, from, until, config: null, sink };
    };
    const then = await replay(request('then'));
    const other = config === null ? null : await replay({ ...request('other'), config });
    warn(then, other);
    if (values.digest && !values.json) {
      console.log(then.digest);
    } else {
      console.log(values.json ? JSON.stringify(document(then, other)) : text(then, other));
    }
    return 0;
  } finally {
    file?.close();
    await log.close();
  }
}

function refuseBackwards(from: Moment | null, until: Moment | null): void {
  const backwards =
    from !== null &&
    until !== null &&
    (('offset' in from && 'offset' in until && from.offset > until.offset) ||
      ('wallMs' in from && 'wallMs' in until && from.wallMs > until.wallMs));
  if (backwards) {
    throw new RivuletError('RIV_USAGE', { found: '--until before --from', expected: 'a moment behind it' });
  }
}

/** What of the log was folded, and how fast. */
function speed({ after, startOffset, seconds }: Replayed) {
  const replayed = after.offset - startOffset;
  return {
    replayed,
    seconds: Number(seconds.toFixed(3)),
    messages_per_s: Math.round(replayed / Math.max(seconds, 1e-6)),
  };
}

function document(then: Replayed, other: Replayed | null): object {
  const side = (replayed: Replayed) => ({
    ...{ messages: replayed.after.messages, digest: replayed.digest, offset: replayed.after.offset },
    ...speed(replayed),
    ...figures(replayed.before, replayed.after),
  });
  return { ...side(then), ...(other === null ? {} : { other: side(other) }) };
}

function text(then: Replayed, other: Replayed | null): string {
  const { replayed, seconds, messages_per_s } = speed(then);
  const lines = [
    `${then.after.messages} messages, digest ${then.digest}`,
    `${replayed} messages from offset ${then.startOffset} replayed in ${seconds} s: ${messages_per_s} messages/s`,
  ];
  if (other !== null) {
    lines.push('', sideBySide(figures(then.before, then.after), figures(other.before, other.after)));
  }
  return lines.join('\n');
}

function warn(then: Replayed, other: Replayed | null): void {
  if (!then.kernelIsSame) {
    console.error('The log was last folded by another core: its digest may differ from the one of then.');
  }
  const aside = Math.max(then.newlyAside, other?.newlyAside ?? 0);
  if (aside > 0) {
    console.error(`${aside} messages trap this core and were left out here; the log's own list is as it was.`);
  }
}
