/** Messages through the core under a configuration, without a log: the readings that they gave and what became of them. */
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type BlockKind,
  compilePlan,
  decodeOutputs,
  type EngineReport,
  encodeBlockHeader,
  loadCore,
  type Output,
  parseConfig,
} from '@rivulet/host';

const core = await loadCore();

/** When everything arrives: 15 June 2026, noon in UTC. */
export const ARRIVAL_MS = Date.UTC(2026, 5, 15, 12);
/** Longer than any `idle`: the windows of every key close. */
const LATER_MS = 30 * 86_400_000;
/** A window that shows every reading of another second by itself. */
const EVERY_SECOND = '{ name: second, every: 1s, stats: [last] }';

export interface Message {
  topic: string;
  payload: string | Uint8Array;
}

/** A reading by the second that its event time lies in. */
export interface Reading {
  key: string;
  field: string;
  value: number;
  at: number;
}

export interface Folded {
  readings: Reading[];
  sources: EngineReport['sources'];
  outputs: Output[];
}

/** An MQTT 3.1.1 PUBLISH, QoS 0. */
export function publishPacket({ topic, payload }: Message): Buffer {
  const name = Buffer.from(topic);
  const body = Buffer.concat([Buffer.from([name.length >> 8, name.length & 255]), name, Buffer.from(payload)]);
  const length: number[] = [];
  let rest = body.length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) | 128);
  }
  return Buffer.concat([Buffer.from([0x30, ...length, rest]), body]);
}

/** A block as the log has it. */
export function encodeBlock(of: {
  kind: BlockKind;
  payload: Buffer;
  count: number;
  sequence: number;
  firstOffset: number;
  wallMs: number;
}): Buffer {
  const { payload, wallMs, ...rest } = of;
  const block = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), payload]);
  encodeBlockHeader(block, 0, {
    ...{ ...rest, wallMs, payloadLength: payload.length, monoUs: (wallMs - ARRIVAL_MS) * 1000 },
    ...{ door: 1, epoch: 1, boot: 1, segment: 1, beginsWrite: true },
  });
  return block;
}

/** What `messages`, which arrive at once, give under these sources (YAML of the list's items). */
export function foldMessages(sources: string, messages: readonly Message[]): Folded {
  const config = parseConfig(`gateway: test\nsources:\n${sources}\nwindows: [${EVERY_SECOND}]\n`, 'test.yaml');
  const engine = core.newEngine();
  engine.open(compilePlan(config));
  const payload = Buffer.concat(messages.map(publishPacket));
  const outputs = [
    { kind: BLOCK_KIND.messagesV4, payload, count: messages.length, sequence: 0, firstOffset: 0, wallMs: ARRIVAL_MS },
    {
      ...{ kind: BLOCK_KIND.tick, payload: Buffer.alloc(0), count: 0, sequence: 1 },
      ...{ firstOffset: messages.length, wallMs: ARRIVAL_MS + LATER_MS },
    },
  ].flatMap((block) => [...decodeOutputs(engine.ingest(encodeBlock(block)))]);
  const readings = outputs.flatMap((output) =>
    output.kind === 'window'
      ? [{ key: output.key, field: output.field, value: output.values[0] as number, at: output.start }]
      : [],
  );
  return { readings, sources: engine.report().sources, outputs };
}
