/**
 * CPU time per message, of the core and of JavaScript, in turns. The core folds the same blocks three times over: as they are; with
 * fields whose contract drops every reading, so that all of the stage that decodes is done and nothing behind it; and with a source
 * that does not look at the payload. The second less the third is what decoding costs, and a little more, since the contract
 * is judged in it; it is compared with what JavaScript takes for the same: from bytes to numbers.
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
/** A range in which no reading of these payloads lies. */
const DROPPED = 'range: [1e9, 2e9], on_violation: drop';

export interface Figures {
  format: string;
  payload_bytes: number;
  /** Nanoseconds of CPU per message: the stage that decodes, median of the differences within a round. */
  ns_per_message: number;
  /** The quartiles of those differences. */
  ns_quartiles: [number, number];
  /** From bytes to the same numbers in JavaScript, by the format's library, else by JSON.parse of the same reading. */
  library: string;
  library_ns: number;
  /** JSON.parse of the same reading, whatever the format. */
  json_parse_ns: number;
  /** library_ns in ns_per_message. */
  ratio: number;
  goal: number;
  met: boolean;
  /** The whole fold: frame, repeats, route, decode, event time, series. */
  fold_ns: number;
  /** Of it, of a source that does not look at the payload. */
  unread_ns: number;
  /** library_ns in fold_ns: all that the core does against decoding alone. */
  fold_ratio: number;
  fold_met: boolean;
}

/** Rounds of all that is compared, one after the other and back again, and the medians. */
export async function measure(core: Core, one: DecodeCase, rounds: number): Promise<Figures> {
  const all = MESSAGES * BLOCKS;
  const payloads = Array.from({ length: MESSAGES }, (_, n) => Buffer.from(one.payload(n, ARRIVAL_MS + n)));
  const texts = Array.from({ length: MESSAGES }, (_, n) => asJson(n, ARRIVAL_MS + n));
  const library = one.library ?? { name: 'JSON.parse', read: readJson };
  const work = {
    read: folder(core, one, fields(one, ''), { used: all, filtered: 0 }),
    dropped: folder(core, one, fields(one, DROPPED), { used: 0, filtered: all }),
    unread: folder(core, one, `${fields(one, '')}, except: [${TOPIC}]`, { used: 0, filtered: 0 }),
    json: () => script(texts, readJson),
    library: () => (one.library === null ? script(texts, readJson) : script(payloads, library.read)),
  };
  const names = Object.keys(work) as (keyof typeof work)[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<keyof typeof work, number[]>;
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const took = work[name]();
      if (round >= 0) times[name].push(took);
    }
    // The engine compiles what is hot beside what it runs.
    if (round < 0) await setTimeout(PAUSE_MS);
  }
  const decoding = times.dropped.map((took, round) => took - (times.unread[round] ?? 0)).toSorted((a, b) => a - b);
  const quartile = (share: number): number => decoding[Math.floor((decoding.length - 1) * share)] ?? Number.NaN;
  const [fold, unread] = [median(times.read), median(times.unread)];
  const [jsonNs, libraryNs] = [median(times.json), median(times.library)];
  const ns = median(decoding);
  const [ratio, foldRatio] = [libraryNs / ns, libraryNs / fold];
  return {
    ...{
      format: one.name,
      payload_bytes: Math.round(payloads.reduce((sum, { length }) => sum + length, 0) / MESSAGES),
    },
    ...{ ns_per_message: ns, ns_quartiles: [quartile(0.25), quartile(0.75)] },
    ...{ library: library.name, library_ns: libraryNs, json_parse_ns: jsonNs },
    ...{ ratio, goal: GOAL, met: ratio >= GOAL },
    ...{ fold_ns: fold, unread_ns: unread, fold_ratio: foldRatio, fold_met: foldRatio >= GOAL },
  };
}

/** What the source says, each of its fields with this contract. */
function fields(one: DecodeCase, contract: string): string {
  const list = Object.entries(one.fields).map(([name, path]) => `"${name}": { path: "${path}", ${contract} }`);
  return `${one.source}, fields: { ${list.join()} }`;
}

/** Folds the same blocks anew each time; they are made, and the engine opened, outside of what is measured. */
function folder(core: Core, one: DecodeCase, source: string, wanted: { used: number; filtered: number }): () => number {
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
  return () => {
    const engine = core.newEngine();
    engine.open(plan);
    const took = perMessage(() => {
      for (const block of blocks) engine.ingest(block);
    });
    // What was measured must have been done.
    const { used, filtered } = engine.report().sources[0] ?? {};
    if (used !== wanted.used || filtered !== wanted.filtered) {
      throw new Error(`${one.name}: ${used} messages were used, ${filtered} filtered`);
    }
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
