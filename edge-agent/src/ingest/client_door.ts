/**
 * The client door: a session at a broker elsewhere. MQTT.js holds it (connect, TLS, login, keepalive, subscriptions, own
 * publishes); a diverter under it takes messages out and acknowledges them after the sync.
 *
 * Reading is on the commit's beat, through `onread`: a read that brought messages stops the reading until the beat asks
 * for more. Over TLS Node hands over one record at a time and may hand over more after the stop; each becomes a block of
 * its own in the next commit.
 *
 * Topic aliases are never offered: an alias would make the log undecodable from its middle.
 */
import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { BLOCK_KIND, type BlockDraft, encodeSession, type MqttDoor, RivuletError, type Session } from '@rivulet/host';
import { type IClientOptions, MqttClient } from 'mqtt';
import { createDiverter, type Diverted, type Diverter } from './diverter.ts';
import type { DoorContext, FrontDoor } from './door.ts';
import { createOutbound, lowerPacketIds } from './outbound.ts';

/** Bytes taken in one read: a beat of 10,000 messages/s fits many times over. */
const READ_BYTES = 131_072;
const KEEPALIVE_S = 30;
/** A broker keeps our session (and queues for us) this long while we are away. */
const SESSION_EXPIRY_S = 7 * 86_400;
/** What a broker may send at all (MQTT 5); above it the log could not hold the packet in one block. */
const BROKER_PACKET_BYTES_MAX = 8 * 1024 * 1024;
/** Topic, packet id, fixed header and some properties around the longest payload. */
const PACKET_OVERHEAD_BYTES = 80 * 1024;
const RECONNECT_MS_MIN = 500;
const RECONNECT_MS_MAX = 30_000;
/**
 * While the disk stalls we ping for the held connection, this long at most: then a dead broker must be noticed. While it is
 * full we go on: each new connection would only bring the same messages again.
 */
const HOLD_MS_MAX = 120_000;
/** A clean end waits this long for the broker, then the connection is cut. */
const END_MS_MAX = 500;
/** CONNACK codes that mean "not this protocol version": 3.1.1 has 1, 5 has 132. */
const WRONG_VERSION_CODES = [1, 132];
/** Connections closed without an answer before 3.1.1 is tried: old brokers hang up on a version they do not know. */
const SILENT_CLOSES_MAX = 2;

const PLAIN = { mqtt: 1883, tcp: 1883 };
const SECURE = { mqtts: 8883, tls: 8883, ssl: 8883 };

/** The state of one connection; a reconnect makes a new one. */
interface Connection {
  socket: Socket;
  diverter: Diverter;
  protocol: 4 | 5;
  /** 0 until the broker has accepted us. */
  epoch: number;
  /** Monotonic milliseconds since when reading is held; null while reading. */
  heldSinceMs: number | null;
}

/**
 * Opens the door; it keeps connecting until it is closed.
 * @param filters MQTT topic filters to subscribe to
 * @throws RIV_CONFIG_VALUE when the address cannot be used
 */
export function openClientDoor(config: MqttDoor, filters: string[], context: DoorContext): FrontDoor {
  const address = parseAddress(config.url);
  const clientId = config.door === 1 ? `rivulet-${context.gateway}` : `rivulet-${context.gateway}-${config.door}`;
  const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const outbound = createOutbound();
  let connection: Connection | null = null;
  let subscribed = false;
  let attempts = 0;
  let silentCloses = 0;
  let quiet = false;

  const options: IClientOptions = {
    protocolVersion: config.protocol ?? 5,
    clientId,
    clean: false,
    keepalive: KEEPALIVE_S,
    reconnectPeriod: RECONNECT_MS_MIN,
    reconnectOnConnackError: true,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: lowerPacketIds(),
    log: () => undefined,
    ...(config.user === null ? {} : { username: config.user }),
    ...(config.password === null ? {} : { password: config.password }),
    ...((config.protocol ?? 5) === 5 ? { properties: versionFiveProperties() } : {}),
  };
  const client = new MqttClient(openConnection, options);

  /** MQTT.js asks for a stream, at the start and at every reconnect. */
  function openConnection(): Diverter['stream'] {
    attempts += 1;
    options.reconnectPeriod = reconnectDelay(attempts, context.random());
    const protocol = options.protocolVersion === 4 ? 4 : 5;
    const received = (length: number, bytes: Uint8Array): boolean => {
      const read = Buffer.from(bytes.buffer, bytes.byteOffset, length);
      const more = opened.diverter.received(read);
      if (!more) {
        opened.heldSinceMs ??= performance.now();
      }
      return more && !quiet;
    };
    const socket = openSocket(address, { buffer: readBuffer, callback: received });
    const diverter = createDiverter(socket, {
      protocol,
      packetBytesMax: Math.min(context.payloadBytesMax + PACKET_OVERHEAD_BYTES, BROKER_PACKET_BYTES_MAX),
      connected: (sessionPresent) => begin(opened, sessionPresent),
      answered: outbound.acknowledged,
      diverted: (batch) => take(opened, batch),
    });
    const opened: Connection = { socket, diverter, protocol, epoch: 0, heldSinceMs: null };
    connection = opened;
    socket.once('close', () => finish(opened));
    return diverter.stream;
  }

  /** The broker accepted us: from here on its messages belong to this epoch. */
  function begin(opened: Connection, sessionPresent: boolean): void {
    attempts = 0;
    silentCloses = 0;
    opened.epoch = context.nextEpoch();
    putSession(opened, 'connected', sessionPresent);
  }

  /** Messages of one read become one block; the next read waits for its commit. */
  function take(opened: Connection, batch: Diverted): void {
    if (opened.epoch === 0 || quiet) {
      return; // Before CONNACK nothing may come, and nothing of it is acknowledged; a broker sends it again.
    }
    const kind = opened.protocol === 5 ? BLOCK_KIND.messagesV5 : BLOCK_KIND.messagesV4;
    const draft = stamp({ kind, epoch: opened.epoch, count: batch.count, payload: batch.payload });
    context.put({
      seal: () => draft,
      ackable: () => batch.ackable,
      durable: () => opened.diverter.send(batch.acks),
      proceed: () => {
        if (!quiet && !opened.socket.destroyed) {
          opened.heldSinceMs = null;
          opened.socket.resume();
        }
      },
    });
  }

  function finish(closed: Connection): void {
    if (closed.epoch > 0) {
      putSession(closed, 'disconnected', false);
    } else if (options.protocolVersion === 5 && config.protocol === null && ++silentCloses >= SILENT_CLOSES_MAX) {
      fallBack();
    }
    if (connection === closed) {
      connection = null;
      outbound.disconnected();
    }
  }

  function putSession(of: Connection, event: Session['event'], sessionPresent: boolean): void {
    const payload = encodeSession({ event, sessionPresent, protocol: of.protocol, sessionId: clientId });
    const draft = stamp({ kind: BLOCK_KIND.session, epoch: of.epoch, count: 0, payload });
    context.put({ seal: () => draft });
  }

  function stamp(block: Pick<BlockDraft, 'kind' | 'epoch' | 'count' | 'payload'>): BlockDraft {
    const { clock } = context;
    return { ...block, door: config.door, wallMs: clock.wallMs(), monoUs: clock.monoUs(), boot: clock.boot };
  }

  /** The broker does not speak MQTT 5: the next connection is 3.1.1. */
  function fallBack(): void {
    options.protocolVersion = 4;
    delete options.properties;
  }

  client.on('connect', (connack) => {
    if (connection !== null) {
      const { protocol, diverter } = connection;
      const { sessionPresent, properties } = connack;
      const receiveMaximum = properties?.receiveMaximum ?? 65_535;
      outbound.connected({ protocol, sessionPresent, receiveMaximum, write: diverter.send });
    }
    if (subscribed && connack.sessionPresent) {
      return;
    }
    // Also into a resumed session of an earlier process: the configuration may have changed. `rh: 1` asks for retained
    // messages only where the subscription is new (MQTT 5; 3.1.1 sends them again).
    client.subscribe(filters, { qos: config.qos, rh: 1 }, (error, granted) => {
      subscribed = error === null;
      const refused = (granted ?? []).filter((grant) => grant.qos >= 0x80).map((grant) => grant.topic);
      if (error !== null || refused.length > 0) {
        const found = error === null ? `the broker refused a subscription to ${refused.join(', ')}` : error.message;
        context.notice(new RivuletError('RIV_MQTT_SUBSCRIBE', { found, where: config.url }));
      }
    });
  });

  client.on('error', (error: Error & { code?: unknown }) => {
    if (config.protocol === null && options.protocolVersion === 5 && WRONG_VERSION_CODES.includes(Number(error.code))) {
      fallBack();
      return;
    }
    const code =
      error.code === 'RIV_MQTT_MALFORMED'
        ? 'RIV_MESSAGE_MALFORMED'
        : typeof error.code === 'number'
          ? 'RIV_MQTT_REFUSED'
          : 'RIV_MQTT_UNREACHABLE';
    context.notice(new RivuletError(code, { found: error.message || String(error.code), where: config.url }));
  });

  // A held socket also holds back the broker's PINGRESP; MQTT.js would take the connection for dead.
  const keepAlive = setInterval(
    () => {
      const held = connection?.heldSinceMs ?? null;
      if (client.connected && held !== null && (context.full() || performance.now() - held < HOLD_MS_MAX)) {
        client.sendPing();
        client.reschedulePing(true);
      }
    },
    (KEEPALIVE_S * 1000) / 3,
  );

  return {
    connected: () => client.connected,
    publish: outbound.publish,
    quiesce: () => {
      quiet = true;
    },
    async close() {
      clearInterval(keepAlive);
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => client.end(true, () => resolve()), END_MS_MAX);
        client.end(false, () => {
          clearTimeout(cut);
          resolve();
        });
      });
      // MQTT.js is done before the socket is: the end of the connection belongs into the log too.
      const { socket } = connection ?? {};
      if (socket !== undefined && !socket.closed) {
        socket.destroy();
        await once(socket, 'close');
      }
      outbound.close();
    },
  };
}

/** Delay before connection attempt `attempt`: doubling, capped, with half of it random so that a fleet spreads out. */
export function reconnectDelay(attempt: number, random: number): number {
  const full = Math.min(RECONNECT_MS_MIN * 2 ** Math.min(attempt - 1, 16), RECONNECT_MS_MAX);
  return Math.round(full / 2 + (full / 2) * random);
}

interface Address {
  host: string;
  port: number;
  secure: boolean;
}

function parseAddress(text: string): Address {
  const refuse = (found: string): never => {
    throw new RivuletError('RIV_CONFIG_VALUE', {
      found,
      expected: 'mqtt://HOST[:PORT] or mqtts://HOST[:PORT]',
      where: 'mqtt.url',
    });
  };
  const url = URL.parse(text) ?? refuse(`"${text}" is no address`);
  const scheme = url.protocol.slice(0, -1);
  const port = { ...PLAIN, ...SECURE }[scheme] ?? refuse(`"${scheme}:" is not spoken here`);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? port : Number(url.port),
    secure: scheme in SECURE,
  };
}

type OnRead = { buffer: Uint8Array; callback: (length: number, bytes: Uint8Array) => boolean };

function openSocket({ host, port, secure }: Address, onread: OnRead): Socket {
  if (!secure) {
    return connectTcp({ host, port, noDelay: true, onread });
  }
  // `onread` is honoured by tls.connect, though its type does not say so.
  const options = { host, port, onread, ...(isIP(host) === 0 ? { servername: host } : {}) };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  return socket;
}

function versionFiveProperties(): NonNullable<IClientOptions['properties']> {
  return { sessionExpiryInterval: SESSION_EXPIRY_S, maximumPacketSize: BROKER_PACKET_BYTES_MAX };
}
