/**
 * How fast a log is folded again: read, checked against its checksums, decoded, windowed; with the workload's task (one
 * prediction for 40 messages) and without, so that the share of predictions is known. In CPU time of the whole process.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_KIND,
  type Core,
  compilePlan,
  encodePlanPayload,
  loadCore,
  openLog,
  openLogReader,
  parseConfig,
} from '@rivulet/host';
import { replay } from '../../../edge-agent/src/replay/replay.ts';
import { median } from '../machine.ts';
import { agentConfig, encodePackets } from './workload.ts';

export interface ReplayFigures {
  messages: number;
  /** CPU time per message, with predictions and learning and without, and messages per second of CPU. */
  cpu_us_with_task: number;
  cpu_us_without_task: number;
  per_cpu_second_with_task: number;
  per_cpu_second_without_task: number;
}

const MESSAGES = 400_000;
/** What a beat of 20 ms brings at 10,000/s. */
const BATCH = 200;
const TIMES = 5;

export async function measureReplay(short: boolean): Promise<ReplayFigures> {
  const messages = short ? MESSAGES / 2 : MESSAGES;
  const core = await loadCore();
  const withTask = await writeLog(core, messages, true);
  const withoutTask = await writeLog(core, messages, false);
  try {
    const [one, other]: [number[], number[]] = [[], []];
    for (let time = 0; time <= TIMES; time++) {
      one.push(await cpuOf(core, withTask, messages));
      other.push(await cpuOf(core, withoutTask, messages));
    }
    // The first of each compiles the core.
    const [cpuWith, cpuWithout] = [median(one.slice(1)), median(other.slice(1))];
    return {
      messages,
      ...{ cpu_us_with_task: cpuWith, cpu_us_without_task: cpuWithout },
      ...{ per_cpu_second_with_task: 1e6 / cpuWith, per_cpu_second_without_task: 1e6 / cpuWithout },
    };
  } finally {
    await rm(withTask, { recursive: true, force: true });
    await rm(withoutTask, { recursive: true, force: true });
  }
}

async function writeLog(core: Core, messages: number, task: boolean): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-replay-'));
  const text = agentConfig({ url: 'mqtt://localhost', qos: 1, state: directory, commit: null, checkpointEvery: '5s' });
  const config = parseConfig(text, 'bench.yaml');
  const plan = compilePlan(task ? config : { ...config, tasks: [], outputs: [] });
  const log = await openLog({ directory: join(directory, 'log') });
  const packets = encodePackets({ qos: 1, rate: 10_000, first: 0, count: messages, baseMs: 1_700_000_000_000 });
  const own = { door: 0, epoch: 0, count: 0, wallMs: 1_700_007_200_000, monoUs: 0, boot: 1 };
  await log.append([{ ...own, kind: BLOCK_KIND.plan, payload: encodePlanPayload(core.kernelHash, plan) }]).durable;
  for (let from = 0; from < messages; from += 50 * BATCH) {
    const drafts = Array.from({ length: 50 }, (_, index) => {
      const first = from + index * BATCH;
      const payload = packets.bytes.subarray(packets.starts[first], packets.starts[first + BATCH]);
      const clock = { wallMs: own.wallMs + first / 10, monoUs: first * 100, boot: 1 };
      return { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count: BATCH, payload, ...clock };
    });
    await log.append(drafts).durable;
  }
  await log.close();
  return directory;
}

/** CPU microseconds per message of one replay. */
async function cpuOf(core: Core, directory: string, messages: number): Promise<number> {
  const log = await openLogReader(join(directory, 'log'));
  const began = process.cpuUsage();
  const { after } = await replay({ directory, log, core, from: null, until: null, config: null, sink: null });
  const { user, system } = process.cpuUsage(began);
  await log.close();
  if (after.messages !== messages) throw new Error(`${after.messages} of ${messages} messages were folded`);
  return (user + system) / messages;
}
