/** Messages through the core as a gateway folds them, and the windows that came out, for comparison with the reference. */
import {
  BLOCK_KIND,
  type Config,
  compilePlan,
  decodeOutputs,
  type Engine,
  type EngineReport,
  loadCore,
  type Output,
  windowStatistics,
} from '@rivulet/host';
import { ARRIVAL_MS, encodeBlock, publishPacket } from '../support/fold.ts';
import type { Result } from './reference.ts';

const core = await loadCore();

/** One message of one reading. */
export interface Sent {
  key: string;
  time: number;
  value: number;
  /** The device's own number; the same one again is a duplicate. */
  number: number;
}

/** A batch arrives together; an empty one is a tick. */
export interface Batch {
  /** Milliseconds since the first arrival. */
  afterMs: number;
  messages: Sent[];
}

export interface Folded {
  outputs: Output[];
  report: EngineReport;
  state: Buffer;
}

/**
 * @param restoreAt number of the batch before which the state is saved and another instance goes on with it
 * @param older a state that another core had written there, to go on with instead
 */
export function fold(config: Config, batches: readonly Batch[], restoreAt = -1, older: Buffer | null = null): Folded {
  const outputs: Output[] = [];
  let engine: Engine = core.newEngine();
  engine.open(compilePlan(config));
  let firstOffset = 0;
  for (const [sequence, { afterMs, messages }] of batches.entries()) {
    if (sequence === restoreAt) {
      const state = older ?? Buffer.from(engine.checkpoint());
      engine = core.newEngine();
      engine.restore(state);
    }
    const payload = Buffer.concat(messages.map(({ key, ...body }) => publishPacket(packet(key, body))));
    const block = encodeBlock({
      kind: messages.length > 0 ? BLOCK_KIND.messagesV4 : BLOCK_KIND.tick,
      ...{ payload, count: messages.length, sequence, firstOffset, wallMs: ARRIVAL_MS + afterMs },
    });
    outputs.push(...decodeOutputs(engine.ingest(block)));
    firstOffset += messages.length;
  }
  return { outputs, report: engine.report(), state: Buffer.from(engine.checkpoint()) };
}

function packet(key: string, { time, value, number }: Omit<Sent, 'key'>) {
  return { topic: `plant/${key}`, payload: JSON.stringify({ t: ARRIVAL_MS + time, v: value, n: number }) };
}

/** The results of a window for a key, times relative to the first arrival. */
export function resultsOf(config: Config, outputs: readonly Output[], window: string, key: string): Result[] {
  const subject = config.windows.findIndex(({ name }) => name === window);
  const { stats } = config.windows[subject] as Config['windows'][number];
  return outputs.flatMap((output) => {
    if (output.kind !== 'window' || output.subject !== subject || output.key !== key) return [];
    const { start, end, count, revision, final } = output;
    const statistics = windowStatistics(stats, output);
    for (const [name, value] of Object.entries(statistics)) {
      if (value === null) statistics[name] = Number.NaN;
    }
    return [{ start, end, count, revision, final, statistics: statistics as Result['statistics'] }];
  });
}
