/**
 * CPU time per message: of the core, from a block to a reading in its series, and of the same without looking into the payload
 * (its topic is excepted), so that the difference is what decoding and keeping the reading cost; and of JavaScript.
 */
import { BLOCK_KIND, type Core, compilePlan, type Engine, parseConfig } from '@rivulet/host';
import { ARRIVAL_MS, encodeBlock, publishPacket } from '../../support/fold.ts';
import { median } from '../machine.ts';
import { asJson, type DecodeCase, parsed } from './cases.ts';

/** Messages of a block, as a beat brings them, and blocks of a round. */
const MESSAGES = 500;
const BLOCKS = 20;
const TOPIC = 'spBv1.0/site/NDATA/roof-7';

export interface Figures {
  case: string;
  payload_bytes: number;
  /** Nanoseconds of CPU per message. */
  core_ns: number;
  /** Of it without looking into the payload. */
  frame_and_route_ns: number;
  json_parse_ns: number;
  library: string | null;
  library_ns: number | null;
  /** How often core_ns goes into the dearer of what JavaScript would take. */
  times_cheaper: number;
  /** The same for what decoding adds. */
  times_cheaper_decode_alone: number;
}

/** Rounds of all that is compared, one after the other in each, and the medians. */
export function measure(core: Core, one: DecodeCase, rounds: number): Figures {
  const source = `topic: ${TOPIC}, key: roof-7, ${one.source}`;
  const read = feeder(core, one, `{ ${source} }`);
  const pass = feeder(core, one, `{ ${source}, except: [${TOPIC}] }`);
  const payloads = Array.from({ length: MESSAGES }, (_, n) => Buffer.from(one.payload(n, ARRIVAL_MS + n)));
  const texts = Array.from({ length: MESSAGES }, (_, n) => asJson(n, ARRIVAL_MS + n));
  const { library } = one;
  const times: Record<'core' | 'pass' | 'json' | 'library', number[]> = { core: [], pass: [], json: [], library: [] };
  for (let round = -2; round < rounds; round++) {
    const cost = {
      core: read.round(),
      pass: pass.round(),
      json: script(texts, parsed),
      library: library === null ? Number.NaN : script(payloads, library.value),
    };
    // The first two warm up.
    if (round >= 0) for (const name of ['core', 'pass', 'json', 'library'] as const) times[name].push(cost[name]);
  }
  read.check();
  const [coreNs, passNs, jsonNs] = [median(times.core), median(times.pass), median(times.json)];
  const libraryNs = library === null ? null : median(times.library);
  const other = libraryNs ?? jsonNs;
  return {
    case: one.name,
    payload_bytes: Math.round(payloads.reduce((sum, { length }) => sum + length, 0) / MESSAGES),
    ...{ core_ns: coreNs, frame_and_route_ns: passNs, json_parse_ns: jsonNs },
    ...{ library: library?.name ?? null, library_ns: libraryNs },
    times_cheaper: other / coreNs,
    times_cheaper_decode_alone: other / Math.max(coreNs - passNs, 1),
  };
}

/** An engine and the blocks of its next round; they are made outside of what is measured. */
function feeder(core: Core, one: DecodeCase, source: string) {
  const engine: Engine = core.newEngine();
  engine.open(compilePlan(parseConfig(`gateway: bench\nsources: [${source}]`, 'bench')));
  let n = 0;
  let sequence = 0;
  const block = (): Buffer => {
    const messages = Array.from({ length: MESSAGES }, () => {
      n += 1;
      return publishPacket({ topic: TOPIC, payload: one.payload(n, ARRIVAL_MS + n) });
    });
    const payload = Buffer.concat(messages);
    const firstOffset = sequence * MESSAGES;
    const wallMs = ARRIVAL_MS + n;
    return encodeBlock({
      ...{ kind: BLOCK_KIND.messagesV4, payload, count: MESSAGES, sequence: sequence++, firstOffset, wallMs },
    });
  };
  return {
    round(): number {
      const blocks = Array.from({ length: BLOCKS }, block);
      return perMessage(() => {
        for (const bytes of blocks) engine.ingest(bytes);
      });
    },
    /** What was measured must have been read. */
    check(): void {
      const used = engine.report().sources[0]?.used;
      if (used !== n) throw new Error(`${one.name}: ${used} of ${n} messages were used`);
    },
  };
}

/** Kept so that nothing is optimised away. */
let kept: unknown;

function script(payloads: readonly Buffer[], value: (payload: Buffer) => unknown): number {
  return perMessage(() => {
    for (let block = 0; block < BLOCKS; block++) for (const payload of payloads) kept = value(payload);
  });
}

function perMessage(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / (MESSAGES * BLOCKS);
}

/** The last value that was read. */
export function lastValue(): unknown {
  return kept;
}
