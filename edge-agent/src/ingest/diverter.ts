/**
 * The duplex stream under MQTT.js. It takes inbound PUBLISH (QoS 0, 1 and 2) and PUBREL out as raw bytes before MQTT.js
 * parses them; everything else (CONNACK, SUBACK, PINGRESP, acknowledgements of our own publishes) goes through
 * unchanged, and so does all that MQTT.js writes. What was taken out is answered here, after the sync.
 *
 * One diverter is one connection: acknowledgements collected on it can never reach another one, where the same packet id
 * may mean another message.
 *
 * QoS 2 must not fall through: MQTT.js keeps such messages in memory between PUBREC and PUBREL, and a kill in between
 * loses them.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createFramer, MalformedStream, type PacketVisitor } from './framer.ts';
import { createAckWriter, PACKET_TYPE, publishPacketId, publishQos, withoutPayload } from './packet.ts';

/** Messages taken out of one read. */
export interface Diverted {
  /** Whole packets in the order they came: views of what was received. */
  payload: Buffer[];
  /** PUBLISH packets in it (PUBREL are not counted). */
  count: number;
  /** How many of them are acknowledged. */
  ackable: number;
  /** To be given to `send` once the packets are durable. */
  acks: Buffer;
}

export interface DiverterOptions {
  /** MQTT version of this connection: it decides how a PUBLISH is framed. */
  protocol: 4 | 5;
  /** Longest packet kept whole; a longer one is logged without its payload and acknowledged. */
  packetBytesMax: number;
  /** A successful CONNACK went by; called before anything behind it is handed over. */
  connected(sessionPresent: boolean): void;
  /** The broker answered a publish; false: it is not one of the agent's own, MQTT.js wants to know. */
  answered(packetId: number, reason: number): boolean;
  /** Packets were taken out. */
  diverted(batch: Diverted): void;
}

/** The stream given to MQTT.js, and the agent's own side of the connection. */
export interface Diverter {
  stream: Duplex;
  /**
   * Takes bytes from the socket; they are to stay as they are until the messages taken out of them are sealed. Returns false
   * when there were any: read no further until the beat says so.
   */
  received(bytes: Buffer): boolean;
  /**
   * Sends acknowledgements or publishes of the agent's own; thrown away when the connection is gone. What is sent in one
   * turn leaves in one write: each costs as much as receiving a hundred messages.
   */
  send(bytes: Buffer): void;
}

/** @param socket the transport; its reading is driven by the caller, its end and errors are passed on */
export function createDiverter(socket: Socket, options: DiverterOptions): Diverter {
  const acks = createAckWriter();
  const taken = createRuns();
  let passed: Buffer[] = [];
  let ackable = 0;
  let count = 0;
  let outgoing: Buffer[] = [];

  const visitor: PacketVisitor = {
    packet(bytes, start, body, end) {
      const first = bytes[start] as number;
      const type = first >> 4;
      if (type === PACKET_TYPE.publish) {
        const qos = publishQos(first);
        if (qos > 0) {
          acks.publish(qos as 1 | 2, publishPacketId(bytes, body, end));
          ackable += 1;
        }
        count += 1;
        taken.add(bytes, start, end);
      } else if (type === PACKET_TYPE.pubrel) {
        if (end - body < 2) {
          throw new MalformedStream('a PUBREL without a packet id');
        }
        acks.pubrel(bytes.readUInt16BE(body));
        taken.add(bytes, start, end);
      } else if (
        type === PACKET_TYPE.puback &&
        end - body >= 2 &&
        options.answered(bytes.readUInt16BE(body), end - body > 2 ? (bytes[body + 2] as number) : 0)
      ) {
        return;
      } else {
        if (type === PACKET_TYPE.connack && end - body >= 2 && bytes[body + 1] === 0) {
          options.connected(((bytes[body] as number) & 1) === 1);
        }
        // MQTT.js may keep what it gets.
        passed.push(Buffer.from(bytes.subarray(start, end)));
      }
    },
    oversized(head, body) {
      if ((head[0] as number) >> 4 !== PACKET_TYPE.publish) {
        throw new MalformedStream('a control packet longer than any can be');
      }
      const kept = withoutPayload(head, body, options.protocol);
      visitor.packet(kept.bytes, 0, kept.body, kept.bytes.length);
    },
  };
  const framer = createFramer(visitor, options.packetBytesMax);

  const stream = new Duplex({
    allowHalfOpen: false,
    read() {},
    write(bytes: Buffer, _encoding, done) {
      socket.write(bytes, done);
    },
    writev(chunks, done) {
      socket.cork();
      for (const part of chunks.slice(0, -1)) {
        socket.write(part.chunk);
      }
      socket.write(chunks.at(-1)?.chunk, done);
      socket.uncork();
    },
    final(done) {
      socket.end(done);
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('error', (error) => stream.destroy(error));
  socket.on('end', () => stream.push(null));
  socket.on('close', () => stream.destroy());

  function received(bytes: Buffer): boolean {
    try {
      framer.push(bytes);
    } catch (error) {
      if (!(error instanceof MalformedStream)) {
        throw error;
      }
      stream.destroy(Object.assign(error, { code: 'RIV_MQTT_MALFORMED' }));
      return false;
    }
    for (const part of passed) {
      stream.push(part);
    }
    passed = [];
    const payload = taken.take();
    if (payload.length === 0) {
      return true;
    }
    const batch = { payload, count, ackable, acks: acks.take() };
    count = 0;
    ackable = 0;
    options.diverted(batch);
    return false;
  }

  /** One buffer and one write for all: a list of buffers costs the stream and the system a good deal more. */
  function flush(): void {
    const all = outgoing.length === 1 ? (outgoing[0] as Buffer) : Buffer.concat(outgoing);
    outgoing = [];
    if (!socket.destroyed && socket.writable) {
      socket.write(all);
    }
  }

  return {
    stream,
    received,
    send(bytes) {
      if (bytes.length === 0 || socket.destroyed || !socket.writable) {
        return;
      }
      if (outgoing.length === 0) {
        process.nextTick(flush);
      }
      outgoing.push(bytes);
    },
  };
}

/** Collects packets; neighbours in one buffer become one run, so that a read of a hundred packets is one piece. */
function createRuns() {
  let runs: Buffer[] = [];
  let buffer: Buffer | null = null;
  let from = 0;
  let to = 0;
  function close(): void {
    if (buffer !== null) {
      runs.push(buffer.subarray(from, to));
      buffer = null;
    }
  }
  return {
    add(bytes: Buffer, start: number, end: number): void {
      if (buffer !== bytes || start !== to) {
        close();
        buffer = bytes;
        from = start;
      }
      to = end;
    },
    take(): Buffer[] {
      close();
      const taken = runs;
      runs = [];
      return taken;
    },
  };
}
