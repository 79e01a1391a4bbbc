/**
 * The broker door: an embedded MQTT 3.1.1 broker (aedes) for small sites without one. A message is put into the beat in
 * aedes' publish authorisation hook and the hook answers after the sync, so that PUBACK, PUBREC and forwarding to other
 * subscribers all come after it. Until then aedes reads no further from that client, which is the back-pressure.
 *
 * The raw bytes are gone by then: each PUBLISH is written again in normal form. PUBREL is logged too, before PUBCOMP:
 * else a reused packet id would look like a repeat.
 */
import { createServer, type Server, type Socket } from 'node:net';
import {
  BLOCK_KIND,
  type BlockDraft,
  type BrokerDoor as BrokerDoorConfig,
  encodeSession,
  RivuletError,
  type Session,
} from '@rivulet/host';
import { Aedes, type Client } from 'aedes';
import type { Entry } from './beat.ts';
import type { DoorContext, FrontDoor } from './door.ts';
import { encodePublish, encodePubrel } from './packet.ts';

/** More devices than this want a broker of their own; each costs buffers here. */
const CLIENTS_MAX = 1000;
/** A block is closed above this and another begun, far below what a block may hold. */
const BLOCK_BYTES_MAX = 1024 * 1024;
/** What one client may have sent of a packet that is not complete: the longest payload and what stands around it. */
const PACKET_OVERHEAD_BYTES = 80 * 1024;
/** MQTT 5 CONNACK: reason 132, unsupported protocol version, with a reason string. */
const REFUSE_V5 = connackV5('This embedded broker speaks MQTT 3.1.1 only');
/** How aedes and the system word the end of a connection that nobody announced. */
const DROPPED = /connection closed|keep alive timeout|ECONNRESET|EPIPE|ETIMEDOUT/;
/** QoS of our outputs on their way to subscribers; each subscriber gets at most what it asked for. */
const OUTPUT_QOS = 1;

/** One device's connection. */
interface Connection {
  epoch: number;
  sessionId: string;
  /** The block that is being filled, until the next commit takes it. */
  open: OpenBlock | null;
}

interface OpenBlock {
  payload: Buffer[];
  bytes: number;
  count: number;
  ackable: number;
  waiting: (() => void)[];
}

/** The embedded broker and the port it found. */
export interface BrokerDoor extends FrontDoor {
  port: number;
}

/** @throws RIV_PORT_BUSY */
export async function openBrokerDoor(config: BrokerDoorConfig, context: DoorContext): Promise<BrokerDoor> {
  const clients = new WeakMap<Client, Connection>();
  let connections = 0;
  let quiet = false;

  const broker = await Aedes.createBroker({
    preConnect: (client, packet, done) => {
      if (packet.protocolVersion === 5) {
        refuseVersionFive(client, packet.clientId);
        done(new Error('MQTT 5 is not spoken here'), false);
      } else {
        done(null, true);
      }
    },
    authorizePublish: (client, packet, done) => {
      if (packet.topic.startsWith('$')) {
        done(new Error('topics that begin with $ belong to the broker'));
      } else if (client === null || quiet) {
        return; // Not taken, so not acknowledged: the device sends it again.
      } else {
        take(client, encodePublish(packet, context.payloadBytesMax), packet.qos > 0, () => done(null));
      }
    },
  });
  logPubrels(broker, take);

  broker.on('client', (client) => {
    connectionOf(client);
  });
  broker.on('clientDisconnect', (client) => {
    const connection = clients.get(client);
    if (connection !== undefined && !quiet) {
      putSession(connection, 'disconnected', false);
    }
  });
  broker.on('clientError', (client, error) => noticeClient(client, error));
  broker.on('connectionError', (client, error) => noticeClient(client, error));

  function connectionOf(client: Client): Connection {
    let connection = clients.get(client);
    if (connection === undefined) {
      connections += 1;
      connection = { epoch: context.nextEpoch(), sessionId: client.id, open: null };
      clients.set(client, connection);
      // Whether a session goes on is the device's own memory here: many clients repeat what was not acknowledged even
      // into a clean session. So a named client counts as resumed, and the repeat rule (DUP, packet id, topic, payload)
      // decides; names that the broker made up never come back.
      putSession(connection, 'connected', !client.id.startsWith('aedes_'));
    }
    return connection;
  }

  /** Adds a packet to the client's open block; `done` is called when it is durable. */
  function take(client: Client, packet: Buffer, ackable: boolean, done: () => void): void {
    const connection = connectionOf(client);
    if (connection.open !== null && connection.open.bytes + packet.length > BLOCK_BYTES_MAX) {
      connection.open = null;
    }
    connection.open ??= openBlock(connection);
    const block = connection.open;
    block.payload.push(packet);
    block.bytes += packet.length;
    block.count += (packet[0] as number) >> 4 === 3 ? 1 : 0;
    block.ackable += ackable ? 1 : 0;
    block.waiting.push(done);
  }

  function openBlock(connection: Connection): OpenBlock {
    const block: OpenBlock = { payload: [], bytes: 0, count: 0, ackable: 0, waiting: [] };
    const stamped = stamp(BLOCK_KIND.messagesV4, connection.epoch);
    const entry: Entry = {
      seal: () => {
        if (connection.open === block) {
          connection.open = null;
        }
        return { ...stamped, count: block.count, payload: block.payload };
      },
      ackable: () => block.ackable,
      durable: () => {
        for (const done of block.waiting) {
          done();
        }
      },
    };
    context.put(entry);
    return block;
  }

  function putSession(of: Connection, event: Session['event'], sessionPresent: boolean): void {
    of.open = null; // What comes behind this is a block of its own, so that the log keeps the order.
    const payload = encodeSession({ event, sessionPresent, protocol: 4, sessionId: of.sessionId });
    const draft = { ...stamp(BLOCK_KIND.session, of.epoch), count: 0, payload };
    context.put({ seal: () => draft });
  }

  function stamp(kind: BlockDraft['kind'], epoch: number): Omit<BlockDraft, 'count' | 'payload'> {
    const { clock } = context;
    return { kind, door: config.door, epoch, wallMs: clock.wallMs(), monoUs: clock.monoUs(), boot: clock.boot };
  }

  function noticeClient(client: Client, error: Error): void {
    const who = client.id === null || client.id === undefined ? 'a client' : `client "${client.id}"`;
    const code = DROPPED.test(error.message) ? 'RIV_CLIENT_DROPPED' : 'RIV_MESSAGE_MALFORMED';
    context.notice(new RivuletError(code, { found: `${who} was disconnected: ${error.message}` }));
  }

  function refuseVersionFive(client: Client, clientId: string): void {
    (client.conn as Socket).write(REFUSE_V5);
    context.notice(
      new RivuletError('RIV_MESSAGE_MALFORMED', {
        found: `client "${clientId}" speaks MQTT 5, which the embedded broker does not`,
        expected: 'MQTT 3.1.1',
        todo: 'Set the device to MQTT 3.1.1, or use a broker that speaks 5 with `mqtt:` in the configuration.',
      }),
    );
  }

  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    limitUnfinishedPacket(socket, broker.handle(socket), context.payloadBytesMax + PACKET_OVERHEAD_BYTES);
  });
  server.maxConnections = CLIENTS_MAX;
  const port = await listen(server, config).catch(async (error: unknown) => {
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    throw error;
  });

  return {
    port,
    connected: () => !quiet,
    status: () => ({ name: config.name, connected: !quiet, connections, stale: false, silent_s: null }),
    publish: (topic, payload, done) => {
      broker.publish(
        { cmd: 'publish', topic, payload: Buffer.from(payload), qos: OUTPUT_QOS, retain: false, dup: false },
        (error) => done(error ?? null),
      );
    },
    quiesce: () => {
      quiet = true;
      server.close();
    },
    async close() {
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      for (const socket of sockets) {
        socket.destroy();
      }
    },
  };
}

/**
 * Logs PUBREL before aedes answers it: aedes looks the packet up in its store first, so the look-up waits for the sync.
 * aedes has no hook of its own for this.
 */
function logPubrels(
  broker: Aedes,
  take: (client: Client, packet: Buffer, ackable: boolean, done: () => void) => void,
): void {
  interface Store {
    incomingGetPacket(client: Client, packet: { cmd: string; messageId: number }): Promise<unknown>;
  }
  const store = (broker as unknown as { persistence: Store }).persistence;
  const lookUp = store.incomingGetPacket.bind(store);
  store.incomingGetPacket = async (client, packet) => {
    if (packet.cmd === 'pubrel') {
      await new Promise<void>((resolve) => take(client, encodePubrel(packet.messageId), true, resolve));
    }
    return lookUp(client, packet);
  };
}

/**
 * aedes' parser collects a packet of any announced length (MQTT allows 256 MiB). This cuts the connection when more than
 * `bytesMax` stand in it unfinished. It looks into the parser's buffer, which is not public; a test guards it.
 */
function limitUnfinishedPacket(socket: Socket, client: Client, bytesMax: number): void {
  const parser = (client as unknown as { _parser: { _list?: { length: number } } })._parser;
  socket.on('readable', () => {
    if ((parser._list?.length ?? 0) > bytesMax) {
      socket.destroy(new Error(`a packet of more than ${bytesMax} bytes`));
    }
  });
}

function listen(server: Server, { listen: port, host }: BrokerDoorConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const busy = error.code === 'EADDRINUSE';
      const found = busy ? `port ${port} on ${host} is in use` : `cannot listen on ${host}:${port}: ${error.message}`;
      reject(new RivuletError('RIV_PORT_BUSY', { found, where: 'broker.listen' }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** A refusing CONNACK of MQTT 5 with a reason string (section 3.2). */
function connackV5(reason: string): Buffer {
  const text = Buffer.from(reason);
  const properties = Buffer.concat([Buffer.from([0x1f, text.length >> 8, text.length & 0xff]), text]);
  const body = Buffer.concat([Buffer.from([0, 132, properties.length]), properties]);
  return Buffer.concat([Buffer.from([0x20, body.length]), body]);
}
