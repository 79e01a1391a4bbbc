/**
 * What a mosquitto keeps to of the Receive Maximum that a client asks for, and whether it gives one packet id to two messages;
 * shown with a bare client, so that nothing of ours stands in between. What it prints is why the test of kills keeps the
 * broker's queue short, and what CONFIGURATION.md says of `receive_maximum`.
 *
 *   npx node test/faults/mosquitto_in_flight.ts
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createFramer } from '../../edge-agent/src/ingest/framer.ts';
import { publishPacketId } from '../../edge-agent/src/ingest/packet.ts';
import { pause } from '../support/doors.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const RECEIVE_MAXIMA = [1, 2, 100, 5000];
/** More than there are packet ids. */
const QUEUED = 70_000;
const ACKS = 5;
const BURST = 1000;
const QUIET_MS = 300;
const PUBLISHING_IN_FLIGHT = 200;

const TYPE = { connect: 1, connack: 2, publish: 3, puback: 4, subscribe: 8, suback: 9 } as const;

function packet(type: number, flags: number, body: Buffer): Buffer {
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return Buffer.concat([Buffer.from([(type << 4) | flags, ...length]), body]);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length >> 8, value.length & 255]), Buffer.from(value)]);
}

function number(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

interface Bare {
  socket: Socket;
  /** Packet ids of the messages that came, in their order. */
  ids: number[];
  answers: number;
}

/** An MQTT 5 connection of a session that outlives it; resolves when the broker has accepted it. */
async function open(port: number, clientId: string, receiveMaximum: number): Promise<Bare> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const bare: Bare = { socket, ids: [], answers: 0 };
  const framer = createFramer(
    {
      packet(bytes, start, body, end) {
        const type = (bytes[start] as number) >> 4;
        if (type === TYPE.publish) bare.ids.push(publishPacketId(bytes, body, end));
        else bare.answers += 1;
      },
      oversized: () => undefined,
    },
    1 << 20,
  );
  socket.on('data', (bytes) => framer.push(bytes));
  const properties = Buffer.concat([Buffer.from([8, 0x11, 0, 1, 0, 0, 0x21]), number(receiveMaximum)]);
  const head = Buffer.from([0, 4, 77, 81, 84, 84, 5, 0, 0, 0]);
  socket.write(packet(TYPE.connect, 0, Buffer.concat([head, properties, text(clientId)])));
  while (bare.answers === 0) await pause(5);
  return bare;
}

async function close({ socket }: Bare): Promise<void> {
  socket.destroy();
  await once(socket, 'close');
}

async function publish({ port }: { port: number }, topic: string, count: number): Promise<void> {
  const publisher = await open(port, `${topic}-publisher`, 100);
  for (let sent = 0; sent < count; sent++) {
    const id = (sent % 65_535) + 1;
    const body = Buffer.concat([text(topic), number(id), Buffer.from([0]), Buffer.from(`m${sent}`)]);
    publisher.socket.write(packet(TYPE.publish, 2, body));
    while (sent - publisher.answers > PUBLISHING_IN_FLIGHT) await pause(1);
  }
  while (publisher.answers <= count) await pause(5);
  await close(publisher);
}

async function main(): Promise<void> {
  if (mosquittoAbsent !== null) {
    console.log(mosquittoAbsent);
    return;
  }
  const mosquitto = await startMosquitto({ saves: false });
  console.log(`${mosquitto.version}; ${QUEUED} messages queued; then acknowledged one after the other\n`);
  console.log(
    'receive maximum   in flight at first   after each of five acknowledgements   after up to 1,000   of them share their id',
  );
  for (const receiveMaximum of RECEIVE_MAXIMA) {
    const name = `r${receiveMaximum}`;
    const before = await open(mosquitto.port, name, receiveMaximum);
    const subscription = Buffer.concat([number(1), Buffer.from([0]), text(name), Buffer.from([1])]);
    before.socket.write(packet(TYPE.subscribe, 2, subscription));
    while (before.answers < 2) await pause(5);
    await close(before);
    await publish(mosquitto, name, QUEUED);
    const client = await open(mosquitto.port, name, receiveMaximum);
    const quiet = async (): Promise<number> => {
      for (let seen = -1; seen !== client.ids.length; await pause(QUIET_MS)) seen = client.ids.length;
      return client.ids.length;
    };
    const first = await quiet();
    const after: number[] = [];
    for (let acked = 0; acked < ACKS; acked++) {
      client.socket.write(packet(TYPE.puback, 0, number(client.ids[acked] as number)));
      after.push((await quiet()) - acked - 1);
    }
    // An agent acknowledges what it has written in one go.
    const burst = Math.min(client.ids.length, BURST);
    const acks = client.ids.slice(ACKS, burst).map((id) => packet(TYPE.puback, 0, number(id)));
    client.socket.write(Buffer.concat(acks));
    const inFlight = client.ids.slice(Math.max(burst, ACKS), await quiet());
    const shared = inFlight.length - new Set(inFlight).size;
    const row = [String(receiveMaximum).padStart(15), String(first).padStart(19), after.join(' ').padStart(39)];
    console.log(`${row.join('   ')}   ${String(inFlight.length).padStart(16)}   ${String(shared).padStart(20)}`);
    await close(client);
  }
  await mosquitto.stop();
}

await main();
