/**
 * The packets in a block of messages: where each stands in the payload. The fold counts them as the core does (every
 * packet that is no PUBREL is a message), so that an offset means the same message in both languages.
 */
import { BLOCK_HEADER_BYTES, type BlockKind, decodeBlockHeader } from '@rivulet/host';
import { PACKET_TYPE } from './ingest/packet.ts';

/** Longest remaining length is four digits of seven bits [MQTT 3.1.1, section 2.2.3]. */
const LENGTH_SHIFT_MAX = 21;

/** One message of a payload. */
export interface PlacedMessage {
  /** Byte position of its packet in the payload, and of the byte behind it. */
  at: number;
  end: number;
  /** Position of the variable header. */
  body: number;
  /** Its place among the messages of the block, from 0. */
  index: number;
}

/** One block, opened up. */
export interface OpenedBlock {
  kind: BlockKind;
  door: number;
  payload: Buffer;
  sequence: number;
  firstOffset: number;
  wallMs: number;
  count: number;
}

/** The block at the beginning of `bytes`. */
export function openBlock(bytes: Buffer): OpenedBlock {
  const { kind, door, payloadLength, sequence, firstOffset, wallMs, count } = decodeBlockHeader(bytes);
  const payload = bytes.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + payloadLength);
  return { kind, door, payload, sequence, firstOffset, wallMs, count };
}

/** Every message of a payload, up to the first broken frame. */
export function messagesIn(payload: Buffer): PlacedMessage[] {
  const messages: PlacedMessage[] = [];
  for (let at = 0; at < payload.length; ) {
    let body = at + 1;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const digit = payload[body];
      if (digit === undefined || shift > LENGTH_SHIFT_MAX) {
        return messages;
      }
      body += 1;
      length |= (digit & 0x7f) << shift;
      if (digit < 0x80) {
        break;
      }
    }
    const end = body + length;
    if (end > payload.length) {
      return messages;
    }
    if ((payload[at] as number) >> 4 !== PACKET_TYPE.pubrel) {
      messages.push({ at, end, body, index: messages.length });
    }
    at = end;
  }
  return messages;
}

/** Topic of a PUBLISH; null when it has none that can be read. */
export function topicOf(packet: Buffer): string | null {
  const [message] = messagesIn(packet);
  if (message === undefined || message.body + 2 > message.end) {
    return null;
  }
  const from = message.body + 2;
  const to = from + packet.readUInt16BE(message.body);
  return to > message.end ? null : packet.toString('utf8', from, to);
}
