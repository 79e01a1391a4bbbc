/**
 * The connection to a broker as MQTT.js gets it, with a limit on what one packet may take: whoever may publish to an ask
 * topic could send 256 MB at a time, and MQTT.js would hold all of it. Of a longer PUBLISH only its head goes through, so
 * that it is acknowledged and read as what is no request; a broker that speaks MQTT 5 is told the limit and keeps to it.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';

const PORT = { 'mqtt:': 1883, 'mqtts:': 8883 } as const;
const PUBLISH = 3;

export interface BrokerStreamOptions {
  /** `mqtt://` or `mqtts://`. */
  readonly url: string;
  readonly ca: Buffer | undefined;
  readonly packetBytesMax: number;
  /** Told why a connection failed; MQTT.js does not tell of all. */
  readonly lost: (error: Error) => void;
}

export function openBrokerStream({ url, ca, packetBytesMax, lost }: BrokerStreamOptions): Duplex {
  const socket = openSocket(new URL(url), ca);
  const cut = cutPackets(packetBytesMax);
  const stream = new Duplex({
    allowHalfOpen: false,
    read: () => void socket.resume(),
    write: (bytes: Buffer, _encoding, done) => void socket.write(bytes, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk) => {
    try {
      for (const part of cut(chunk)) if (!stream.push(part)) socket.pause();
    } catch (error) {
      stream.destroy(error as Error);
    }
  });
  socket.on('error', lost);
  socket.on('end', () => stream.push(null));
  socket.on('close', () => stream.destroy());
  stream.on('error', lost);
  return stream;
}

function openSocket({ protocol, hostname, port }: URL, ca: Buffer | undefined): Socket {
  const host = hostname.replace(/^\[|\]$/g, '');
  const scheme = protocol === 'mqtts:' ? 'mqtts:' : 'mqtt:';
  const at = { host, port: port === '' ? PORT[scheme] : Number(port) };
  if (scheme === 'mqtt:') return connectTcp({ ...at, noDelay: true });
  return connectTls({ ...at, ...(ca === undefined ? {} : { ca }), ...(isIP(host) === 0 ? { servername: host } : {}) });
}

/**
 * Cuts packets that are too long (MQTT 3.1.1 and 5, section 2.1): what it is given comes out as it is but for these, of
 * which fixed header, topic and packet id are left. Its memory is one such head.
 */
export function cutPackets(packetBytesMax: number): (chunk: Buffer) => Buffer[] {
  /** Bytes of the packet under way that go through, and then that are thrown away. */
  let pass = 0;
  let skip = 0;
  /** What is gathered between packets: a fixed header, and of a packet that is too long what is kept. */
  let head: number[] = [];

  /** Length of the packet's rest and where its variable header begins; null: the fixed header is not whole yet. */
  function sizeOf(): { rest: number; body: number } | null {
    let rest = 0;
    for (let at = 1; at < head.length; at++) {
      const digit = head[at] as number;
      if (at > 4) break;
      rest += (digit & 0x7f) * 128 ** (at - 1);
      if (digit < 0x80) return { rest, body: at + 1 };
    }
    if (head.length > 4) throw new Error('a packet length of more than four bytes');
    return null;
  }

  /** The head of a PUBLISH that is too long as a packet of its own; null: not all of it is here. */
  function shortened(body: number): Buffer | null {
    const first = head[0] as number;
    if (first >> 4 !== PUBLISH) throw new Error('a control packet longer than any can be');
    if (head.length < body + 2) return null;
    const topic = 2 + (head[body] as number) * 256 + (head[body + 1] as number);
    const kept = topic + ((first & 6) === 0 ? 0 : 2);
    if (head.length < body + kept) return null;
    return Buffer.from([first, ...lengthDigits(kept), ...head.slice(body, body + kept)]);
  }

  return (chunk) => {
    const parts: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(pass + skip, chunk.length - at);
      if (taken > 0) {
        if (pass > 0) parts.push(chunk.subarray(at, at + taken));
        [pass, skip] = pass > 0 ? [pass - taken, 0] : [0, skip - taken];
        at += taken;
        continue;
      }
      head.push(chunk[at++] as number);
      const size = head.length > 1 ? sizeOf() : null;
      if (size === null) continue;
      const { rest, body } = size;
      const isLong = body + rest > packetBytesMax;
      const out = isLong ? shortened(body) : Buffer.from(head);
      if (out === null) continue;
      parts.push(out);
      [pass, skip] = isLong ? [0, rest - (head.length - body)] : [rest, 0];
      head = [];
    }
    return parts;
  };
}

/** A remaining length as its digits (MQTT 3.1.1 section 2.2.3). */
function lengthDigits(length: number): number[] {
  return length < 128 ? [length] : [(length % 128) | 0x80, ...lengthDigits(Math.floor(length / 128))];
}
