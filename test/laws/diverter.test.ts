/**
 * The law of the diverter: however TCP cuts a stream, the log gets the same packets, MQTT.js sees the same bytes, and the same
 * acknowledgements leave. The streams are what a mosquitto 2.0.11 sent, byte for byte, to a client with keepalive 1 s that subscribed, took
 * messages of all three QoS, published its own at QoS 1 and 2, and pinged (3.1.1 and 5).
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import fc from 'fast-check';
import { MqttClient } from 'mqtt';
import { expect, test } from 'vitest';
import { createDiverter, type Diverted } from '../../edge-agent/src/ingest/diverter.ts';
import { createFramer } from '../../edge-agent/src/ingest/framer.ts';

const streams = ([4, 5] as const).map((protocol) => ({
  protocol,
  bytes: readFileSync(new URL(`streams/mosquitto-${protocol}.bin`, import.meta.url)),
}));

/** Whole packets of a stream by type, framed in one piece. */
function packetsOf(bytes: Buffer): { type: number; bytes: Buffer }[] {
  const found: { type: number; bytes: Buffer }[] = [];
  const visitor = {
    packet: (from: Buffer, start: number, _body: number, end: number) =>
      void found.push({ type: (from[start] as number) >> 4, bytes: Buffer.from(from.subarray(start, end)) }),
    oversized: () => undefined,
  };
  createFramer(visitor, 1 << 20).push(bytes);
  return found;
}

/** A server that is never spoken to, and a socket to it: what a diverter stands on. */
async function socketPair() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const accepted = once(server, 'connection');
  const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const [peer] = await accepted;
  socket.on('error', () => undefined);
  return {
    socket,
    close() {
      socket.destroy();
      peer.destroy();
      server.close();
    },
  };
}

/** Pushes a stream through a diverter in pieces of these sizes (the last one again and again). */
async function divert(bytes: Buffer, protocol: 4 | 5, sizes: number[]) {
  const pair = await socketPair();
  const taken: Diverted[] = [];
  const passed: Buffer[] = [];
  let sessions = 0;
  const answered: number[] = [];
  const diverter = createDiverter(pair.socket, {
    protocol,
    packetBytesMax: 1 << 20,
    connected: () => (sessions += 1),
    answered: (id) => {
      answered.push(id);
      return false;
    },
    diverted: (batch) => taken.push({ ...batch, payload: batch.payload.map((part) => Buffer.from(part)) }),
  });
  diverter.stream.on('data', (part: Buffer) => passed.push(part));
  // The buffer of a read is used again for the next, as `onread` does.
  const read = Buffer.alloc(bytes.length);
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = Math.min(sizes[Math.min(turn, sizes.length - 1)] ?? 1, bytes.length - at);
    bytes.copy(read, 0, at, at + size);
    diverter.received(read.subarray(0, size));
    at += size;
    read.fill(0xff);
  }
  await new Promise((resolve) => setImmediate(resolve));
  pair.close();
  return {
    log: Buffer.concat(taken.flatMap(({ payload }) => payload)),
    acks: Buffer.concat(taken.map(({ acks }) => acks)),
    count: taken.reduce((sum, { count }) => sum + count, 0),
    passed: Buffer.concat(passed),
    ...{ sessions, answered },
  };
}

test.each(streams)(
  'MQTT $protocol: any cut gives the same log, the same acknowledgements and the same rest',
  async ({ bytes, protocol }) => {
    const packets = packetsOf(bytes);
    const of = (types: number[]) =>
      Buffer.concat(packets.filter(({ type }) => types.includes(type)).map((each) => each.bytes));
    const whole = await divert(bytes, protocol, [bytes.length]);
    // PUBLISH and PUBREL to the log, everything else to MQTT.js: CONNACK, SUBACK, PINGRESP, answers to its own publishes.
    expect(whole.log.equals(of([3, 6]))).toBe(true);
    expect(whole.passed.equals(of([1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14]))).toBe(true);
    expect(packets.filter(({ type }) => type === 13).length).toBeGreaterThan(0);
    expect(whole.acks.length / 4).toBe(
      packets.filter(({ type, bytes: [first = 0] }) => type === 6 || (type === 3 && (first & 6) > 0)).length,
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 400 }), async (sizes) => {
        expect(await divert(bytes, protocol, sizes)).toEqual(whole);
      }),
      { numRuns: 60 },
    );
    expect(await divert(bytes, protocol, [1])).toEqual(whole);
  },
);

test.each(streams)(
  'MQTT $protocol: MQTT.js over a diverter connects, subscribes and hears its pings at any cut',
  async ({ bytes, protocol }) => {
    const connack = packetsOf(bytes)[0]?.bytes as Buffer;
    const messages = Buffer.concat(
      packetsOf(bytes)
        .filter(({ type }) => type === 3)
        .map((each) => each.bytes),
    );
    const pings: number[] = [];
    // A broker that answers what MQTT.js says, with the captured messages in between, in pieces of 1 to 5 bytes.
    const server = createServer({ noDelay: true }, (socket) => {
      const answer = (reply: Buffer): void => {
        for (let at = 0; at < reply.length; ) {
          const size = 1 + ((at * 7) % 5);
          socket.write(reply.subarray(at, at + size));
          at += size;
        }
      };
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        for (const { type, bytes: packet } of packetsOf(data)) {
          if (type === 1) answer(Buffer.concat([connack, messages]));
          if (type === 8)
            answer(
              Buffer.from([
                0x90,
                protocol === 5 ? 4 : 3,
                packet[2] as number,
                packet[3] as number,
                ...(protocol === 5 ? [0] : []),
                1,
              ]),
            );
          if (type === 12) {
            pings.push(performance.now());
            answer(Buffer.concat([messages.subarray(0, packetsOf(messages)[0]?.bytes.length), Buffer.from([0xd0, 0])]));
          }
        }
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    let count = 0;
    const client = new MqttClient(
      () => {
        const socket = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
        const diverter = createDiverter(socket, {
          ...{ protocol, packetBytesMax: 1 << 20, connected: () => undefined, answered: () => false },
          diverted: (batch) => {
            count += batch.count;
            diverter.send(batch.acks);
          },
        });
        socket.on('data', (data) => diverter.received(data));
        return diverter.stream;
      },
      { protocolVersion: protocol, keepalive: 1, reconnectPeriod: 0, clientId: 'cap', clean: false },
    );
    let closed = false;
    client.on('close', () => (closed = true));
    const stock: string[] = [];
    client.on('message', (topic) => stock.push(topic));
    await once(client as unknown as NodeJS.EventEmitter, 'connect');
    await client.subscribeAsync('s/#', { qos: 1 });
    while (pings.length < 3) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(false);
    expect(count).toBe(40 + pings.length);
    expect(stock).toEqual([]);
    client.end(true);
    server.close();
  },
  20_000,
);
