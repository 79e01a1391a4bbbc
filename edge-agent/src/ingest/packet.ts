/**
 * The few bytes of MQTT this agent reads and writes itself: what a PUBLISH's head says, the acknowledgements it is
 * answered with, and its normal form for the log (MQTT 3.1.1 section 3.3; MQTT 5 section 3.3).
 */
import { MalformedStream } from './framer.ts';

/** Packet types in the high half of the first byte. */
export const PACKET_TYPE = { connack: 2, publish: 3, puback: 4, pubrel: 6 } as const;

const PUBACK = 0x40;
const PUBREC = 0x50;
const PUBCOMP = 0x70;
const FLAG_DUP = 0x08;
const FLAG_RETAIN = 0x01;
/** Every success acknowledgement is four bytes, in 3.1.1 and in 5. */
export const ACK_BYTES = 4;

/**
 * Reads the packet id behind the topic of a PUBLISH with QoS 1 or 2.
 * @throws MalformedStream when the topic reaches beyond the packet
 */
export function publishPacketId(bytes: Buffer, body: number, end: number): number {
  if (body + 2 > end) {
    throw new MalformedStream('a PUBLISH without a topic');
  }
  const at = body + 2 + bytes.readUInt16BE(body);
  if (at + 2 > end) {
    throw new MalformedStream('a PUBLISH whose topic is longer than the packet');
  }
  return bytes.readUInt16BE(at);
}

/** Where the variable header of a whole packet begins. */
export function variableHeader(packet: Buffer): number {
  let at = 1;
  while ((packet[at] as number) >= 0x80) {
    at += 1;
  }
  return at + 1;
}

/** The topic of a whole PUBLISH. */
export function publishTopic(packet: Buffer): string {
  const body = variableHeader(packet);
  return packet.toString('utf8', body + 2, body + 2 + packet.readUInt16BE(body));
}

/** QoS of a PUBLISH by its first byte. @throws MalformedStream for the reserved value 3 */
export function publishQos(first: number): 0 | 1 | 2 {
  const qos = (first >> 1) & 3;
  if (qos === 3) {
    throw new MalformedStream('a PUBLISH with QoS 3');
  }
  return qos as 0 | 1 | 2;
}

/** Collects acknowledgements to be sent in one write. */
export interface AckWriter {
  /** Answers a PUBLISH: PUBACK for QoS 1, PUBREC for QoS 2. */
  publish(qos: 1 | 2, packetId: number): void;
  /** Answers a PUBREL with PUBCOMP. */
  pubrel(packetId: number): void;
  /** All of them so far, and starts anew. */
  take(): Buffer;
}

export function createAckWriter(): AckWriter {
  let buffer = Buffer.allocUnsafe(1024);
  let length = 0;
  function add(type: number, packetId: number): void {
    if (length + ACK_BYTES > buffer.length) {
      const larger = Buffer.allocUnsafe(buffer.length * 2);
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    buffer[length] = type;
    buffer[length + 1] = 2;
    buffer[length + 2] = packetId >> 8;
    buffer[length + 3] = packetId & 0xff;
    length += ACK_BYTES;
  }
  return {
    publish: (qos, packetId) => add(qos === 1 ? PUBACK : PUBREC, packetId),
    pubrel: (packetId) => add(PUBCOMP, packetId),
    take() {
      const taken = Buffer.from(buffer.subarray(0, length));
      length = 0;
      return taken;
    },
  };
}

/** What the embedded broker has parsed of a PUBLISH. */
export interface ParsedPublish {
  topic: string;
  payload: string | Buffer;
  qos: number;
  dup: boolean;
  /** Absent for QoS 0 and for wills, which carry no packet id. */
  messageId?: number | undefined;
}

/**
 * Writes a PUBLISH in 3.1.1 framing: DUP, QoS and packet id as the device sent them, RETAIN cleared, as a broker does
 * when it forwards to a live subscription [MQTT-3.3.1-9]: it is a message of now, not a stored one.
 * A payload above `payloadBytesMax` is left out, so that the core counts the message without holding it.
 */
export function encodePublish(packet: ParsedPublish, payloadBytesMax: number): Buffer {
  const topic = Buffer.from(packet.topic);
  const whole = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
  const payload = whole.length > payloadBytesMax ? Buffer.alloc(0) : whole;
  const qos = packet.messageId === undefined ? 0 : packet.qos;
  const length = 2 + topic.length + (qos > 0 ? 2 : 0) + payload.length;
  const header = encodeLength(length);
  const bytes = Buffer.allocUnsafe(1 + header.length + length);
  let at = bytes.writeUInt8((PACKET_TYPE.publish << 4) | (packet.dup && qos > 0 ? FLAG_DUP : 0) | (qos << 1), 0);
  at += header.copy(bytes, at);
  at = bytes.writeUInt16BE(topic.length, at);
  at += topic.copy(bytes, at);
  if (qos > 0) {
    at = bytes.writeUInt16BE(packet.messageId as number, at);
  }
  payload.copy(bytes, at);
  return bytes;
}

/** Writes one of our own publishes, without properties; `id` null: QoS 0, else QoS 1. */
export function encodeOwnPublish(message: {
  id: number | null;
  topic: string;
  payload: string | Buffer;
  retain?: boolean;
  protocol: 4 | 5;
  dup: boolean;
}): Buffer {
  const { id, topic, payload, retain = false, protocol, dup } = message;
  const topicLength = Buffer.byteLength(topic);
  const length = 2 + topicLength + (id === null ? 0 : 2) + (protocol === 5 ? 1 : 0) + Buffer.byteLength(payload);
  const bytes = Buffer.allocUnsafe(1 + lengthBytes(length) + length);
  const flags = (dup ? FLAG_DUP : 0) | (id === null ? 0 : 1 << 1) | (retain ? FLAG_RETAIN : 0);
  bytes[0] = (PACKET_TYPE.publish << 4) | flags;
  let at = writeLength(bytes, 1, length);
  at = bytes.writeUInt16BE(topicLength, at);
  at += bytes.write(topic, at);
  if (id !== null) {
    at = bytes.writeUInt16BE(id, at);
  }
  if (protocol === 5) {
    at = bytes.writeUInt8(0, at);
  }
  if (typeof payload === 'string') {
    bytes.write(payload, at);
  } else {
    payload.copy(bytes, at);
  }
  return bytes;
}

/** Writes a PUBREL, as a client sends it. */
export function encodePubrel(packetId: number): Buffer {
  return Buffer.from([0x62, 2, packetId >> 8, packetId & 0xff]);
}

/**
 * What stands in the log for a PUBLISH that was too long to keep: the same flags, topic and packet id, no payload.
 * @param head the packet's first bytes, topic and packet id included
 * @param protocol 5 has a properties length behind the packet id
 * @returns the packet and where its variable header begins
 */
export function withoutPayload(head: Buffer, body: number, protocol: 4 | 5): { bytes: Buffer; body: number } {
  const qos = publishQos(head[0] as number);
  const keptEnd = body + 2 + head.readUInt16BE(body) + (qos > 0 ? 2 : 0);
  if (keptEnd > head.length) {
    throw new MalformedStream('a PUBLISH whose topic is longer than the packet');
  }
  const kept = head.subarray(body, keptEnd);
  const properties = protocol === 5 ? Buffer.from([0]) : Buffer.alloc(0);
  const length = encodeLength(kept.length + properties.length);
  return { bytes: Buffer.concat([head.subarray(0, 1), length, kept, properties]), body: 1 + length.length };
}

/** Remaining length, section 2.2.3 of MQTT 3.1.1: seven bits a byte. */
function encodeLength(length: number): Buffer {
  const bytes = Buffer.alloc(lengthBytes(length));
  writeLength(bytes, 0, length);
  return bytes;
}

function lengthBytes(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4;
}

/** Answers the place behind it. */
function writeLength(target: Buffer, from: number, length: number): number {
  let at = from;
  let rest = length;
  for (; rest >= 0x80; rest >>>= 7) {
    target[at++] = (rest & 0x7f) | 0x80;
  }
  target[at++] = rest;
  return at;
}
