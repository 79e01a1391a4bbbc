/**
 * The broker door: an embedded MQTT 3.1.1 broker (aedes) for small sites without one. A message is put into the beat in
 * aedes' publish authorisation hook and the hook answers after the sync, so that PUBACK, PUBREC and forwarding to other
 * subscribers all come after it. Until then aedes reads no further from that client, which is the back-pressure.
 *
 * The raw bytes are gone by then: each PUBLISH is written again in normal form. PUBREL is logged too, before PUBCOMP:
 * else a reused packet id would look like a repeat.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  BLOCK_KIND,
  type BlockDraft,
  type BrokerDoor as BrokerDoorConfig,
  encodeSession,
  RivuletError,
  readPem,
  type Session,
} from '@rivulet/host';
import { Aedes, type AedesPublishPacket, type Client } from 'aedes';
import type { Entry } from './beat.ts';
import { createAccess, REFUSAL, type Rights } from './broker/access.ts';
import { holdReads, limitPackets } from './broker/framing.ts';
import { createPace } from './broker/pace.ts';
import { openStore } from './broker/store.ts';
import type { DoorContext, FrontDoor } from './door.ts';
import {
  createAckWriter,
  encodePublish,
  encodePubrel,
  publishPacketId,
  publishQos,
  publishTopic,
  variableHeader,
} from './packet.ts';

/** A block is closed above this and another begun, far below what a block may hold. */
const BLOCK_BYTES_MAX = 1024 * 1024;
/** What one client may send as one packet: the longest payload and what stands around it. */
const PACKET_OVERHEAD_BYTES = 80 * 1024;
/** MQTT 3.1.1, 3.2.2.3: unacceptable protocol version. */
const WRONG_VERSION = 1;
/** MQTT 5 CONNACK: reason 132, unsupported protocol version, with a reason string. */
const REFUSE_V5 = connackV5('This embedded broker speaks MQTT 3.1.1 only');
/**
 * Packets that a client may send before it has its CONNACK (it need not wait for it): all of one read, which is as much as
 * aedes takes until then. Its own limit of 42 cut devices that repeat more than that, at each of their connections.
 */
const EARLY_PACKETS_MAX = 65_536;
/** Messages of all clients together that may wait for the disk before no more are read: aedes needs about 10 KiB for each. */
const WAITING_MAX = 4096;
/**
 * Bytes that may wait for the disk before messages of QoS 0 are shed: nobody waits for their acknowledgement, so only this bounds
 * what many clients send together. Those of QoS 1 and 2 wait in any case, at most one read of each client.
 */
const UNACKED_BYTES_MAX = 16 * 1024 * 1024;
/** How aedes and the system word the end of a connection that nobody announced. */
const DROPPED = /connection closed|keep alive timeout|ECONNRESET|EPIPE|ETIMEDOUT|drain timeout/;
/** Where messages go that their sender had no right to: nobody is there. 3.1.1 has no other answer than to acknowledge. */
const NOWHERE = '$rivulet/denied';

/** One device's connection. */
interface Connection {
  epoch: number;
  sessionId: string;
  rights: Rights;
  /** Calls back at the pace that the limit allows. */
  pace(act: () => void): void;
  /** The block that is being filled, until the next commit takes it. */
  open: OpenBlock | null;
}

interface OpenBlock {
  payload: Buffer[];
  bytes: number;
  count: number;
  ackable: number;
  waiting: { packet: AedesPublishPacket | null; done: () => void }[];
  pace(act: () => void): void;
}

/** The embedded broker and the port it found. */
export interface BrokerDoor extends FrontDoor {
  port: number;
}

/**
 * @param path the file of retained messages and sessions
 * @throws RIV_PORT_BUSY, RIV_FILE_UNREADABLE, RIV_MQTT_TLS, RIV_STATE_UNUSABLE, RIV_TOO_NEW
 */
export async function openBrokerDoor(
  config: BrokerDoorConfig,
  path: string,
  context: DoorContext,
): Promise<BrokerDoor> {
  const clients = new WeakMap<Client, Connection>();
  const rights = new WeakMap<Client, Rights>();
  const access = createAccess(config);
  const { limits } = config;
  const counts = { refused: 0, denied: 0, oversized: 0, shed: 0 };
  let waitingBytes = 0;
  let waitingMessages = 0;
  const reads = holdReads(() => waitingMessages >= WAITING_MAX);
  let connections = 0;
  let quiet = false;
  /** Blocks whose messages are being stored for others, in order: what is for nobody waits behind them. */
  let storing: Promise<void> | null = null;

  const store = await openStore(path, limits.queue, (error) => context.notice(error as RivuletError));
  if (store.damaged > 0) {
    const found = `${store.damaged} damaged lines in the embedded broker's sessions; they are left out`;
    context.notice(new RivuletError('RIV_CORRUPT', { found, where: path, todo: 'Check the disk.' }));
  }
  const broker = await Aedes.createBroker({
    persistence: store.persistence,
    queueLimit: EARLY_PACKETS_MAX,
    preConnect: (client, packet, done) => {
      if (packet.protocolVersion === 5) {
        refuseVersionFive(client, packet.clientId);
        done(Object.assign(new Error('MQTT 5'), { returnCode: WRONG_VERSION }), false);
      } else {
        done(null, true);
      }
    },
    authenticate: (client, name, password, done) => {
      access.login(client.id, name, password).then(
        (found) => {
          const refusal = typeof found === 'number' ? found : crowded(client, found) ? REFUSAL.unavailable : null;
          if (refusal === null) {
            rights.set(client, found as Rights);
            done(null, true);
            return;
          }
          counts.refused += 1;
          const why =
            refusal === REFUSAL.login ? 'no such user, or another password' : 'too many at a time under its user name';
          context.notice(new RivuletError('RIV_CLIENT_REFUSED', { found: `client "${client.id}": ${why}` }));
          done(Object.assign(new Error(why), { returnCode: refusal }), false);
        },
        (error: Error) => done(Object.assign(error, { returnCode: REFUSAL.unavailable }), false),
      );
    },
    authorizeSubscribe: (client, subscription, done) => {
      const allowed = client !== null && connectionOf(client).rights.maySubscribe(subscription.topic);
      if (!allowed && client !== null) {
        deny(client, `subscribe to "${subscription.topic}"`);
      }
      done(null, allowed ? subscription : null);
    },
    authorizePublish: (client, packet, done) => {
      if (client === null || quiet) {
        return; // Not taken, so not acknowledged: the device sends it again.
      }
      if (!connectionOf(client).rights.mayPublish(packet.topic)) {
        deny(client, `publish to "${packet.topic}"`);
        Object.assign(packet, { topic: NOWHERE, payload: Buffer.alloc(0), retain: false });
        done(null);
        return;
      }
      const bytes = encodePublish(packet, context.payloadBytesMax);
      take(client, bytes, packet.qos > 0, () => done(null), packet as AedesPublishPacket);
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
      connection = {
        ...{ epoch: context.nextEpoch(), sessionId: client.id, open: null },
        rights: rights.get(client) as Rights,
        pace: createPace(limits.messagesPerSecond, client),
      };
      clients.set(client, connection);
      // Whether a session goes on is the device's own memory here: many clients repeat what was not acknowledged even
      // into a clean session. So a named client counts as resumed, and the repeat rule (DUP, packet id, topic, payload)
      // decides; names that the broker made up never come back.
      putSession(connection, 'connected', !client.id.startsWith('aedes_'));
    }
    return connection;
  }

  function crowded(client: Client, { user }: Rights): boolean {
    const others = Object.values((broker as unknown as { clients: Record<string, Client> }).clients);
    const same = others.filter((other) => other.id !== client.id && rights.get(other)?.user === user);
    return user !== null && same.length >= limits.clientsPerUser;
  }

  function deny(client: Client, what: string): void {
    counts.denied += 1;
    const found = `client "${client.id}" may not ${what}`;
    context.notice(new RivuletError('RIV_CLIENT_DENIED', { found }));
  }

  /** A PUBLISH longer than any packet may be, without its payload: logged, counted and answered; no subscriber gets it. */
  function takeOversized(client: Client, head: Buffer): void {
    if (!clients.has(client)) {
      client.conn.destroy(new Error('a packet above the limit before the connection was accepted'));
      return;
    }
    if (quiet) {
      return;
    }
    counts.oversized += 1;
    const packet = Buffer.from(head);
    packet[0] = (packet[0] as number) & ~1; // RETAIN: it is a message of now.
    const topic = publishTopic(packet);
    context.notice(
      new RivuletError('RIV_MESSAGE_TOO_LARGE', { found: `client "${client.id}" sent a long message to "${topic}"` }),
    );
    const acks = createAckWriter();
    const qos = publishQos(packet[0]);
    if (qos > 0) {
      acks.publish(qos as 1 | 2, publishPacketId(packet, variableHeader(packet), packet.length));
    }
    const answer = (): void => void (client.conn as Socket).write(acks.take());
    if (connectionOf(client).rights.mayPublish(topic)) {
      take(client, packet, qos > 0, answer);
    } else {
      deny(client, `publish to "${topic}"`);
      answer();
    }
  }

  /**
   * Adds a packet to the client's open block; `done` is called when it is durable.
   * @param message what others may be waiting for
   */
  function take(
    client: Client,
    packet: Buffer,
    ackable: boolean,
    done: () => void,
    message: AedesPublishPacket | null = null,
  ): void {
    const unacked = (packet[0] as number) >> 4 === 3 && !ackable;
    if (unacked && waitingBytes + packet.length > UNACKED_BYTES_MAX) {
      counts.shed += 1;
      const found = 'messages of QoS 0 are shed: more come than the disk takes';
      context.notice(new RivuletError('RIV_OVERLOADED', { found, todo: 'Look at the disk, or send less.' }));
      done();
      return;
    }
    waitingBytes += packet.length;
    waitingMessages += 1;
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
    block.waiting.push({ packet: message, done });
  }

  function openBlock(connection: Connection): OpenBlock {
    const block: OpenBlock = { payload: [], bytes: 0, count: 0, ackable: 0, waiting: [], pace: connection.pace };
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
        waitingBytes -= block.bytes;
        waitingMessages -= block.waiting.length;
        release(block);
        reads.goOn();
      },
    };
    context.put(entry);
    return block;
  }

  /** The block is on disk. So must be what its messages are for here; then they are acknowledged, in order. */
  function release({ waiting, pace }: OpenBlock): void {
    const stored = waiting.map(({ packet }) => (packet === null ? null : store.admit(packet)));
    if (storing === null && stored.every((each) => each === null)) {
      for (const { done } of waiting) {
        pace(done);
      }
      return;
    }
    const chained = (storing ?? Promise.resolve()).then(async () => {
      for (const [at, { done }] of waiting.entries()) {
        await stored[at];
        pace(done);
      }
      if (storing === chained) {
        storing = null;
      }
    });
    storing = chained;
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
    if ('returnCode' in error) {
      return; // A refused version or login: said already.
    }
    const code = DROPPED.test(error.message) ? 'RIV_CLIENT_DROPPED' : 'RIV_MESSAGE_MALFORMED';
    context.notice(new RivuletError(code, { found: `${who} was disconnected: ${error.message}` }));
  }

  function refuseVersionFive(client: Client, clientId: string): void {
    counts.refused += 1;
    (client.conn as Socket).write(REFUSE_V5);
    context.notice(
      new RivuletError('RIV_CLIENT_REFUSED', {
        found: `client "${clientId}" speaks MQTT 5, which the embedded broker does not`,
        expected: 'MQTT 3.1.1',
        todo: 'Set the device to MQTT 3.1.1, or use a broker that speaks 5 with `mqtt:` in the configuration.',
      }),
    );
  }

  const sockets = new Set<Socket>();
  const server = openServer(config, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const client = broker.handle(socket);
    reads.watch(client);
    limitPackets(client, context.payloadBytesMax + PACKET_OVERHEAD_BYTES, (head) => takeOversized(client, head));
  });
  server.maxConnections = limits.clients;
  server.on('drop', () => {
    counts.refused += 1;
    const found = `a connection was refused: there are ${limits.clients} clients, the limit`;
    context.notice(new RivuletError('RIV_CLIENT_REFUSED', { found, todo: 'Raise `broker.limits.clients`.' }));
  });
  server.on('tlsClientError', (error: Error) => {
    counts.refused += 1;
    const found = `a TLS connection was refused: ${error.message}`;
    context.notice(new RivuletError('RIV_CLIENT_REFUSED', { found, todo: 'Look at the certificates of the device.' }));
  });
  const port = await listen(server, config).catch(async (error: unknown) => {
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    await store.close();
    throw error;
  });

  return {
    port,
    connected: () => !quiet,
    status: () => ({
      ...{ name: config.name, connected: !quiet, connections, stale: false, silent_s: null },
      broker: { clients: broker.connectedClients, ...counts, ...store.counts },
    }),
    publish: (topic, payload, done, { qos, retain } = { qos: 1, retain: false }) => {
      broker.publish({ cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain, dup: false }, (error) =>
        done(error ?? null),
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
      await storing;
      await store.close();
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

/** @throws RIV_FILE_UNREADABLE, RIV_MQTT_TLS */
function openServer({ tls }: BrokerDoorConfig, handle: (socket: Socket) => void): Server {
  if (tls === null) {
    return createServer({ noDelay: true }, handle);
  }
  const ca = tls.ca === null ? {} : { ca: readPem(tls.ca, 'broker.tls.ca'), requestCert: true };
  const own = { cert: readPem(tls.cert, 'broker.tls.cert'), key: readPem(tls.key, 'broker.tls.key') };
  try {
    return createTlsServer({ ...own, ...ca, noDelay: true }, handle);
  } catch (cause) {
    const where = `${tls.cert}, ${tls.key}`;
    throw new RivuletError('RIV_MQTT_TLS', { found: (cause as Error).message, where, cause });
  }
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
