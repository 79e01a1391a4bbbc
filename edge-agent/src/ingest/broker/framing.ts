/**
 * A limit for what a client may send, in front of aedes' parser. That parser collects a packet of any announced length
 * (MQTT allows 256 MiB). Cutting the connection would not end it: a 3.1.1 client repeats the message at its next
 * connection, and at the next. So the rest of a long message is skipped as it comes, and the message is taken without its
 * payload, counted and acknowledged.
 *
 * It stands in for the parser's `parse`, which is not public; tests guard it.
 */
import type { Duplex } from 'node:stream';
import type { Client } from 'aedes';
import { createFramer, MalformedStream } from '../framer.ts';
import { PACKET_TYPE, withoutPayload } from '../packet.ts';

interface Parser {
  parse(bytes: Buffer): number;
  emit(event: 'error', error: Error): void;
}

/** @param oversized a PUBLISH above the limit came; what is left of it is its head, without a payload */
export function limitPackets(client: Client, packetBytesMax: number, oversized: (packet: Buffer) => void): void {
  const parser = (client as unknown as { _parser: Parser })._parser;
  const parse = parser.parse.bind(parser);
  let chunk: Buffer | null = null;
  let from = 0;
  let to = 0;

  /** Hands on what has gathered: packets that stand side by side go in one piece. */
  function hand(): void {
    if (chunk !== null) {
      const run = chunk.subarray(from, to);
      chunk = null;
      parse(run);
    }
  }

  const framer = createFramer(
    {
      packet(bytes, start, _body, end) {
        if (chunk !== bytes || start !== to) {
          hand();
          chunk = bytes;
          from = start;
        }
        to = end;
      },
      oversized(head, body) {
        if ((head[0] as number) >> 4 !== PACKET_TYPE.publish) {
          throw new MalformedStream('a control packet longer than any can be');
        }
        hand();
        oversized(withoutPayload(head, body, 4).bytes);
      },
    },
    packetBytesMax,
  );

  parser.parse = (bytes) => {
    try {
      framer.push(bytes);
      hand();
    } catch (error) {
      if (!(error instanceof MalformedStream)) {
        throw error;
      }
      parser.emit('error', error);
    }
    return 0;
  };
}

/**
 * Stops reading from clients while too much waits. aedes reads from each by itself, a whole chunk at a time; of a thousand clients
 * that would be hundreds of thousands of messages.
 * @param full asked before each read
 * @returns to be called when it may be over: clients that were held are read again
 */
export function holdReads(full: () => boolean): { watch(client: Client): void; goOn(): void } {
  const held = new Set<Client>();
  return {
    watch(client) {
      const conn = client.conn as Duplex;
      const read = conn.read.bind(conn);
      conn.read = (size) => {
        if (full()) {
          held.add(client);
          return null;
        }
        return read(size);
      };
      conn.once('close', () => held.delete(client));
    },
    goOn() {
      for (const client of held) {
        if (full()) {
          return;
        }
        held.delete(client);
        (client as unknown as { _nextBatch(): void })._nextBatch();
      }
    },
  };
}
