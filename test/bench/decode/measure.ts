/**
 * CPU time per message, of the core and of JavaScript, in turns. The core is measured at its whole fold, from a block to a reading in
 * its series, and three times over: of the payload, of one byte for each of its readings, and of a source that does not look at it. The
 * first less the second is what decoding costs, which is compared with what JavaScript takes for the same: from bytes to numbers.
 */
import { setTimeout } from 'node:timers/promises';
import { BLOCK_KIND, type Core, compilePlan, parseConfig } from '@rivulet/host';
import { ARRIVAL_MS, encodeBlock, publishPacket } from '../../support/fold.ts';
import { median } from '../machine.ts';
import { asJson, type DecodeCase, readJson } from './cases.ts';

/** Messages of a block, as a beat brings them, and blocks of a round. */
const MESSAGES = 500;
const BLOCKS = 20;
/** Rounds before those that count, and the pause behind each. */
const WARM_UP = 4;
const PAUSE_MS = 500;
const TOPIC = 'spBv1.0/site/NDATA/roof-7';
/** A message costs a fifth of what it costs in JavaScript (issue: Speed). */
export const GOAL = 5;
/** What two medians of the same differ by. */
const NOISE_NS = 15;

/** As many readings that cost nothing to decode: a byte each. */
function bytes(readings: number): DecodeCase {
  const names = Array.from({ length: readings }, (_, at) => `v${at}`);
  const values = names.map((name, at) => `${name}: { at: ${at}, type: u8 }`);
  const fields = names.map((name) => `${name}: ${name}`);
  return {
    ...{ name: 'bytes', readings, library: null },
    source: `format: { binary: { values: { ${values.join()} } } }, fields: { ${fields.join()} }`,
    payload: (n) => Buffer.alloc(readings, n),
  };
}

export interface Figures {
  format: string;
  payload_bytes: number;
  /** Nanoseconds of CPU per message: what decoding adds to a message with as many readings of a byte each. */
  ns_per_message: number;
  /** From bytes to the same numbers in JavaScript, by the format's library, else by JSON.parse of the same reading. */
  library: string;
  library_ns: number;
  /** JSON.parse of the same reading, whatever the format. */
  json_parse_ns: number;
  /** library_ns in ns_per_message; null where that is lost in the noise. */
  ratio: number | null;
  goal: number;
  /** By ratio, and where there is none by fold_ratio. */
  met: boolean;
  /** The whole fold: frame, repeats, route, decode, event time, series. */
  fold_ns: number;
  /** Of it, of a source that does not look at the payload. */
  unread_ns: number;
  /** library_ns in fold_ns: all that the core does against decoding alone. */
  fold_ratio: number;
  fold_met: boolean;
}

/** Rounds of all that is compared, one after the other in each, and the medians. */
export async function measure(core: Core, one: DecodeCase, rounds: number): Promise<Figures> {
  const folds = {
    read: folder(core, one, one.source),
    bytes: folder(core, bytes(one.readings), bytes(one.readings).source),
    unread: folder(core, one, `${one.source}, except: [${TOPIC}]`),
  };
  const payloads = Array.from({ length: MESSAGES }, (_, n) => Buffer.from(one.payload(n, ARRIVAL_MS + n)));
  const texts = Array.from({ length: MESSAGES }, (_, n) => asJson(n, ARRIVAL_MS + n));
  const library = one.library ?? { name: 'JSON.parse', read: readJson };
  const work = {
    ...folds,
    json: () => script(texts, readJson),
    library: () => (one.library === null ? script(texts, readJson) : script(payloads, library.read)),
  };
  const names = Object.keys(work) as (keyof typeof work)[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<keyof typeof work, number[]>;
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const name of names) {
      const took = work[name]();
      if (round >= 0) times[name].push(took);
    }
    // The engine compiles what is hot beside what it runs.
    if (round < 0) await setTimeout(PAUSE_MS);
  }
  const [read, kept, unread] = [median(times.read), median(times.bytes), median(times.unread)];
  const [jsonNs, libraryNs] = [median(times.json), median(times.library)];
  const ns = read - kept;
  const ratio = ns < NOISE_NS ? null : libraryNs / ns;
  const foldRatio = libraryNs / read;
  return {
    ...{
      format: one.name,
      payload_bytes: Math.round(payloads.reduce((sum, { length }) => sum + length, 0) / MESSAGES),
    },
    ...{ ns_per_message: ns, library: library.name, library_ns: libraryNs, json_parse_ns: jsonNs },
    ...{ ratio, goal: GOAL, met: (ratio ?? foldRatio) >= GOAL },
    ...{ fold_ns: read, unread_ns: unread, fold_ratio: foldRatio, fold_met: foldRatio >= GOAL },
  };
}

/** Folds the same blocks anew each time; they are made, and the engine opened, outside of what is measured. */
function folder(core: Core, one: DecodeCase, source: string): () => number {
  const plan = compilePlan(
    parseConfig(`gateway: bench\nsources: [{ topic: ${TOPIC}, key: roof-7, ${source} }]`, 'bench'),
  );
  const blocks = Array.from({ length: BLOCKS }, (_, sequence) => {
    const firstOffset = sequence * MESSAGES;
    const wallMs = ARRIVAL_MS + firstOffset;
    const packets = Array.from({ length: MESSAGES }, (_, n) =>
      publishPacket({ topic: TOPIC, payload: one.payload(firstOffset + n, wallMs + n) }),
    );
    const payload = Buffer.concat(packets);
    return encodeBlock({ kind: BLOCK_KIND.messagesV4, payload, count: MESSAGES, sequence, firstOffset, wallMs });
  });
  const wanted = source.includes('except:') ? 0 : MESSAGES * BLOCKS;
  return () => {
    const engine = core.newEngine();
    engine.open(plan);
    const took = perMessage(() => {
      for (const block of blocks) engine.ingest(block);
    });
    // What was measured must have been done.
    const used = engine.report().sources[0]?.used;
    if (used !== wanted) throw new Error(`${one.name}: ${used} of ${wanted} messages were used`);
    return took;
  };
}

function script(payloads: readonly Buffer[], read: (payload: Buffer) => void): number {
  return perMessage(() => {
    for (let block = 0; block < BLOCKS; block++) for (const payload of payloads) read(payload);
  });
}

function perMessage(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / (MESSAGES * BLOCKS);
}
