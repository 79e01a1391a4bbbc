/**
 * The feeder, a process of its own: plays the workload, and hears the agent's predictions, whose latency it measures from
 * the write of the message that caused them.
 *
 * - `broker`: listens, and behaves to its one client as a broker would: accepts, subscribes it, then plays with at most a
 *   window of unacknowledged messages;
 * - `publisher`: five connections to a real broker, and one more that is subscribed to the predictions.
 *
 * It is told to play by a line on standard input, and prints one JSON object per event.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { createFramer } from '../../../edge-agent/src/ingest/framer.ts';
import { quantile } from '../machine.ts';
import { encodePackets, eventMs, machineOf, messageAt, type Packets, type Played, WARM_UP } from './workload.ts';

/** Unacknowledged messages to the one client of the `broker` mode. */
const WINDOW = 1000;
const PUBLISHERS = 5;
/** A publisher's own window at the broker. */
const PUBLISHER_WINDOW = 1000;
const TICK_MS = 4;
/** QoS 0 has no window: this much is written at once. */
const WRITE_BYTES = 256 * 1024;

export interface FeederJob extends Played {
  mode: 'broker' | 'publisher';
  /** Port of the real broker (`publisher`), or the one to listen on; 0: any. */
  port: number;
}

export type FeederEvent =
  | { event: 'listening'; port: number }
  | { event: 'subscribed' }
  | { event: 'prediction'; at_ms: number }
  | { event: 'sent'; count: number; seconds: number }
  | { event: 'heard'; predictions: number; p50_ms: number | null; p99_ms: number | null };

const job = JSON.parse(process.argv[2] as string) as FeederJob;
const say = (event: FeederEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

const packets = encodePackets(job);
/** When each message was handed to the kernel, monotonic milliseconds; 0: not yet. */
const sentAt = new Float64Array(job.count);
const latencies: number[] = [];
let heard = 0;
/** Those of them about a message that was played here. */
let known = 0;

/** A prediction came: its `at` and key name the message that caused it. */
function hear(payload: Buffer): void {
  const now = performance.now();
  const { key, at } = JSON.parse(payload.toString()) as { key?: string; at: number };
  if (key === undefined) return; // the gateway's birth message
  const index = messageAt(Number(key.slice(-3)), at - job.baseMs, job.rate) - job.first;
  const from = sentAt[index] ?? 0;
  heard += 1;
  if (from > 0 && eventMs(job.first + index, job.rate) === at - job.baseMs) {
    known += 1;
    if (known === 1) say({ event: 'prediction', at_ms: Date.now() });
    if (index > job.count * WARM_UP) latencies.push(now - from);
  }
}

/** One connection that plays `own` (indexes of messages, ascending) with a window. */
function createPlayer(socket: Socket, own: { packets: Packets; indexOf(position: number): number }, window: number) {
  let next = 0;
  let acked = 0;
  let allowed = 0;
  let blocked = false;
  const total = own.packets.starts.length - 1;
  const { starts, bytes } = own.packets;
  const flushed: (() => void)[] = [];

  function push(): void {
    while (!blocked && next < allowed) {
      let end = Math.min(allowed, total);
      if (job.qos > 0) end = Math.min(end, acked + window);
      while ((starts[end] as number) - (starts[next] as number) > WRITE_BYTES) end = next + ((end - next) >> 1);
      if (end <= next) return;
      const now = performance.now();
      for (let position = next; position < end; position++) sentAt[own.indexOf(position)] = now;
      const from = starts[next] as number;
      next = end;
      blocked = !socket.write(bytes.subarray(from, starts[end]));
    }
    if (next >= total) for (const done of flushed.splice(0)) done();
  }
  socket.on('drain', () => {
    blocked = false;
    push();
  });
  return {
    /** Messages up to this position may be sent. */
    allow(position: number): void {
      allowed = Math.min(position, total);
      push();
    },
    acknowledged(): void {
      acked += 1;
    },
    push,
    total,
    sent: () => new Promise<void>((resolve) => (next >= total ? resolve() : flushed.push(resolve))),
  };
}

type Player = ReturnType<typeof createPlayer>;

/** Plays on all connections, evenly over time or as fast as they are taken. */
async function play(players: Player[]): Promise<void> {
  const began = performance.now();
  const timer =
    job.rate === 0
      ? null
      : setInterval(() => {
          const due = ((performance.now() - began) * job.rate) / 1000;
          for (const player of players) player.allow(Math.floor(due / players.length));
        }, TICK_MS);
  if (timer === null) for (const player of players) player.allow(player.total);
  await Promise.all(players.map((player) => player.sent()));
  if (timer !== null) clearInterval(timer);
  say({ event: 'sent', count: job.count, seconds: (performance.now() - began) / 1000 });
}

/** Resolves when the harness says to play; later lines ask for what was heard. */
const orders = createInterface({ input: process.stdin });
const order = once(orders, 'line');
orders.on('line', (line) => {
  if (line === 'heard')
    say({ event: 'heard', predictions: heard, p50_ms: quantile(latencies, 0.5), p99_ms: quantile(latencies, 0.99) });
});
orders.on('close', () => process.exit(0));

async function beBroker(): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    const player = createPlayer(socket, { packets, indexOf: (position) => position }, WINDOW);
    const framer = createFramer(
      {
        packet(bytes, start, body, end) {
          const first = bytes[start] as number;
          switch (first >> 4) {
            case 1:
              socket.write(Buffer.from([0x20, 2, 0, 0]));
              return;
            case 3: {
              const qos = (first >> 1) & 3;
              const at = body + 2 + bytes.readUInt16BE(body);
              if (qos > 0) socket.write(Buffer.from([0x40, 2, bytes[at] as number, bytes[at + 1] as number]));
              hear(bytes.subarray(at + (qos > 0 ? 2 : 0), end));
              return;
            }
            case 4:
              player.acknowledged();
              return;
            case 8: {
              socket.write(Buffer.from([0x90, 3, bytes[body] as number, bytes[body + 1] as number, job.qos]));
              say({ event: 'subscribed' });
              void order.then(() => play([player]));
              return;
            }
            case 12:
              socket.write(Buffer.from([0xd0, 0]));
              return;
          }
        },
        oversized() {},
      },
      1 << 20,
    );
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      player.push();
    });
    socket.on('error', () => socket.destroy());
  });
  server.listen({ port: job.port, host: '127.0.0.1', reusePort: job.port !== 0 });
  await once(server, 'listening');
  const address = server.address();
  say({ event: 'listening', port: typeof address === 'object' && address !== null ? address.port : 0 });
}

/** A bare connection to the broker; `packet` sees what comes back. */
async function connectTo(name: string, packet: (bytes: Buffer, start: number, body: number, end: number) => void) {
  const socket = connect({ port: job.port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const id = Buffer.from(name);
  socket.write(
    Buffer.concat([
      Buffer.from([0x10, 12 + id.length, 0, 4, 77, 81, 84, 84, 4, 2, 0, 0, 0, id.length]), // clean session, no keepalive
      id,
    ]),
  );
  const framer = createFramer({ packet, oversized() {} }, 1 << 20);
  await new Promise<void>((resolve) => {
    socket.once('data', (chunk: Buffer) => {
      resolve();
      framer.push(chunk);
      socket.on('data', (more: Buffer) => framer.push(more));
    });
  });
  return socket;
}

async function bePublisher(): Promise<void> {
  const listener = await connectTo('bench-listener', (bytes, start, body, end) => {
    if ((bytes[start] as number) >> 4 === 3) hear(bytes.subarray(body + 2 + bytes.readUInt16BE(body), end));
  });
  const filter = Buffer.from('rivulet/#');
  listener.write(Buffer.concat([Buffer.from([0x82, 5 + filter.length, 0, 1, 0, filter.length]), filter, Buffer.of(0)]));
  const players: Player[] = [];
  for (let publisher = 0; publisher < PUBLISHERS; publisher++) {
    const socket = await connectTo(`bench-${publisher}`, (bytes, start) => {
      if ((bytes[start] as number) >> 4 === 4) players[publisher]?.acknowledged();
    });
    const own = indexesOf(publisher);
    const indexOf = (position: number): number => own[position] as number;
    players.push(createPlayer(socket, { packets: share(own), indexOf }, PUBLISHER_WINDOW));
    socket.on('data', () => players[publisher]?.push());
  }
  say({ event: 'listening', port: job.port });
  await order;
  await play(players);
}

/** A machine stays on one connection, so that its readings keep their order. */
function indexesOf(publisher: number): number[] {
  return Array.from({ length: job.count }, (_, index) => index).filter((i) => machineOf(i) % PUBLISHERS === publisher);
}

function share(own: readonly number[]): Packets {
  const mine = own.map((index) => packets.bytes.subarray(packets.starts[index], packets.starts[index + 1]));
  const starts = new Uint32Array(mine.length + 1);
  mine.forEach((packet, position) => {
    starts[position + 1] = (starts[position] as number) + packet.length;
  });
  return { bytes: Buffer.concat(mine), starts };
}

await (job.mode === 'broker' ? beBroker() : bePublisher());
