/**
 * `rivulet log tail STATE_DIR`: the messages in a gateway's log as lines of JSON, the last ones or those of a stretch, and
 * each as it comes. It only reads, so it works beside a live agent, whatever that compresses or removes meanwhile.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  decodePlanPayload,
  followLog,
  openLogReader,
  RivuletError,
  readSlots,
  sequenceBefore,
  topicMatches,
} from '@rivulet/host';
import { firstPlan, planIn } from '../fold.ts';
import { type LogLine, linesOf, sourcesOfPlan } from '../log_lines.ts';
import { type Moment, parseMoment } from '../moment.ts';
import { openBlock } from '../packets.ts';
import { planOfState } from '../replay/output_lines.ts';
import { blocksOf } from '../set_aside.ts';
import { interrupted } from './interrupted.ts';

const HELP = `Usage: rivulet log tail STATE_DIR [options]

  -f, --follow     go on: print each message as it comes
  --last N         begin with the last N messages (default 10)
  --from MOMENT    begin here instead: an offset (12000) or a time (2026-05-01T12:00:00Z)
  --until MOMENT   stop before this message, or before what arrived at this time
  --source NAME    only what this source takes
  --topic FILTER   only topics of this MQTT filter

One JSON object a line: offset, time (of arrival), source, topic, qos, dup, retain, payload (payload_base64 when it is not text).`;

/** How often a followed log is looked at. */
const LOOK_MS = 200;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      follow: { type: 'boolean', short: 'f', default: false },
      last: { type: 'string' },
      from: { type: 'string' },
      until: { type: 'string' },
      source: { type: 'string' },
      topic: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [action, directory, ...rest] = positionals;
  if (action !== 'tail' || directory === undefined || rest.length > 0) {
    throw new RivuletError('RIV_USAGE', { found: positionals.join(' ') || 'nothing', expected: 'tail STATE_DIR' });
  }
  if (values.from !== undefined && values.last !== undefined) {
    throw new RivuletError('RIV_USAGE', { found: '--from and --last', expected: 'one of them' });
  }
  const begin = await beginning(directory, values.from, values.last ?? '10');
  const until = values.until === undefined ? null : parseMoment(values.until, '--until');
  const wanted = ({ offset, source, topic }: LogLine): boolean =>
    offset >= begin.offset &&
    (values.source === undefined || source === values.source) &&
    (values.topic === undefined || topicMatches(values.topic, topic));

  const stop = interrupted();
  let sources = begin.plan === null ? [] : sourcesOfPlan(begin.plan);
  for await (const chunk of followLog({
    ...{ directory: join(directory, 'log'), fromSequence: begin.sequence, follow: values.follow },
    wait: () => Promise.race([stop.promise.then(() => true), pause(LOOK_MS).then(() => stop.now())]),
    gone: (from, next) => console.error(`Blocks ${from} to ${next - 1} were removed before they were read.`),
  })) {
    for (const { at, end } of blocksOf(chunk)) {
      const block = openBlock(chunk.subarray(at, end));
      const plan = planIn(chunk.subarray(at, end));
      if (plan !== null) {
        sources = sourcesOfPlan(decodePlanPayload(plan).plan);
      }
      if (until !== null && 'wallMs' in until && block.wallMs >= until.wallMs) {
        return 0;
      }
      for (const line of linesOf(block, sources)) {
        if (stop.now() || (until !== null && 'offset' in until && line.offset >= until.offset)) {
          return 0;
        }
        if (wanted(line) && !process.stdout.write(`${JSON.stringify(line)}\n`)) {
          await Promise.race([once(process.stdout, 'drain'), stop.promise]);
        }
      }
    }
  }
  return 0;
}

/** Where to begin to read, from which message on, and the plan in force then, as far as it is known. */
async function beginning(
  directory: string,
  from: string | undefined,
  last: string,
): Promise<{ sequence: number; offset: number; plan: Uint8Array | null }> {
  if (!/^\d{1,9}$/.test(last)) {
    throw new RivuletError('RIV_USAGE', { found: `--last ${last}`, expected: 'a number of messages' });
  }
  const moment: Moment | null = from === undefined ? null : parseMoment(from, '--from');
  const where = join(directory, 'log');
  const log = await openLogReader(where);
  try {
    const offset =
      moment === null ? Math.max(0, log.nextOffset - Number(last)) : 'offset' in moment ? moment.offset : 0;
    const sequence =
      moment !== null && 'wallMs' in moment ? await log.sequenceAt(moment.wallMs) : await sequenceBefore(where, offset);
    return { sequence, offset, plan: await planNear(directory, log) };
  } finally {
    await log.close();
  }
}

/** The plan in force before what is read: a checkpoint's, which is as old as the last change; without one the log's first. */
async function planNear(directory: string, log: Awaited<ReturnType<typeof openLogReader>>): Promise<Uint8Array | null> {
  const slot = (await readSlots(join(directory, 'checkpoint'))).at(-1);
  if (slot !== undefined) {
    return planOfState(slot.state);
  }
  return log.oldestSequence === 0 && log.nextSequence > 0 ? (await firstPlan(log)).plan : null;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
