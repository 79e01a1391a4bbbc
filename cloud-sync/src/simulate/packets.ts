/** Rows of a scenario as the log would hold them: MQTT PUBLISH packets in blocks (FORMATS.md section 1). */
import { BLOCK_HEADER_BYTES, BLOCK_KIND, type BlockKind, encodeBlockHeader } from '@rivulet/host';

/** MQTT 3.1.1 section 3.3: PUBLISH, QoS 0. */
const PUBLISH = 0x30;

export function publish(topic: string, payload: Uint8Array): Buffer {
  const name = Buffer.from(topic);
  const length = 2 + name.length + payload.length;
  const head = [PUBLISH];
  for (let rest = length; ; rest >>>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from(head), Buffer.from([name.length >> 8, name.length & 255]), name, payload]);
}

/** Where a log stands. */
export interface LogEnd {
  offset: number;
  sequence: number;
}

/** One block at the end of a log, which moves on. */
export function block(kind: BlockKind, payload: Buffer, count: number, wallMs: number, end: LogEnd): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + payload.length);
  payload.copy(bytes, BLOCK_HEADER_BYTES);
  encodeBlockHeader(bytes, 0, {
    kind,
    door: kind === BLOCK_KIND.messagesV4 ? 1 : 0,
    payloadLength: payload.length,
    count,
    firstOffset: end.offset,
    sequence: end.sequence,
    wallMs,
    monoUs: 0,
    epoch: 0,
    boot: 1,
    segment: 1,
    beginsWrite: true,
  });
  end.offset += count;
  end.sequence += 1;
  return bytes;
}
