/** Messages of the log, for people and their tools: what each line says, and which are wanted. */
import { isUtf8 } from 'node:buffer';
import { BLOCK_KIND, topicMatches } from '@rivulet/host';
import { publishQos, publishTopic, variableHeader } from './ingest/packet.ts';
import { messagesIn, type OpenedBlock } from './packets.ts';

const FLAG_DUP = 0x08;
const FLAG_RETAIN = 0x01;

/** One message of the log. */
export interface LogLine {
  offset: number;
  /** When its block arrived, RFC 3339. */
  time: string;
  /** By the plan in force; null: none takes it (it may carry a label). */
  source: string | null;
  topic: string;
  qos: number;
  dup?: true;
  retain?: true;
  /** The payload when it is UTF-8, else `payload_base64`. */
  payload?: string;
  payload_base64?: string;
}

/** What a plan says of a source that decides which messages are its. */
interface SourceTopics {
  name: string;
  topic: string;
  except?: string[];
  door: number | null;
}

/** The sources of a canonical plan. */
export function sourcesOfPlan(plan: Uint8Array): SourceTopics[] {
  return (JSON.parse(Buffer.from(plan).toString('utf8')) as { sources: SourceTopics[] }).sources;
}

/** The messages of a block, in order; packets that cannot be read are left out, they are in quarantine. */
export function* linesOf(block: OpenedBlock, sources: readonly SourceTopics[]): Generator<LogLine> {
  const { kind, payload, firstOffset, count, wallMs, door } = block;
  if (kind !== BLOCK_KIND.messagesV4 && kind !== BLOCK_KIND.messagesV5) {
    return;
  }
  const time = new Date(wallMs).toISOString();
  for (const { at, end, index } of messagesIn(payload)) {
    const packet = payload.subarray(at, end);
    const parts = index < count ? partsOf(packet, kind === BLOCK_KIND.messagesV5) : null;
    if (parts === null) {
      continue;
    }
    const { topic, qos, content } = parts;
    const first = packet[0] as number;
    const source = sources.find(
      (each) =>
        (each.door === null || each.door === door) &&
        topicMatches(each.topic, topic) &&
        !(each.except ?? []).some((except) => topicMatches(except, topic)),
    );
    yield {
      ...{ offset: firstOffset + index, time, source: source?.name ?? null, topic, qos },
      ...((first & FLAG_DUP) === 0 ? {} : { dup: true }),
      ...((first & FLAG_RETAIN) === 0 ? {} : { retain: true }),
      ...(isUtf8(content) ? { payload: content.toString('utf8') } : { payload_base64: content.toString('base64') }),
    };
  }
}

/** Topic, QoS and payload of a PUBLISH; null when it is broken. */
function partsOf(packet: Buffer, properties: boolean): { topic: string; qos: number; content: Buffer } | null {
  try {
    const qos = publishQos(packet[0] as number);
    const body = variableHeader(packet);
    let at = body + 2 + packet.readUInt16BE(body) + (qos > 0 ? 2 : 0);
    if (properties) {
      let length = 0;
      for (let shift = 0; ; shift += 7) {
        const digit = packet.readUInt8(at++);
        length |= (digit & 0x7f) << shift;
        if (digit < 0x80 || shift === 21) {
          break;
        }
      }
      at += length;
    }
    return at > packet.length ? null : { topic: publishTopic(packet), qos, content: packet.subarray(at) };
  } catch {
    return null;
  }
}
