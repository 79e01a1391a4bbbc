/**
 * The client door: a session at a broker elsewhere. MQTT.js holds it (connect, TLS, login, keepalive, subscriptions, own
 * publishes); a diverter under it takes messages out and acknowledges them after the sync.
 *
 * Reading is on the commit's beat: a read that brought messages stops the reading until the beat asks for more, which is
 * one system call on the socket. The event loop watches it, through `onread`, only while nothing comes: asked for each beat it
 * takes three calls, and one more wake-up to learn that it was told to stop. Over TLS Node hands over one record at a time
 * and may hand over more after the stop; they become one block.
 *
 * Topic aliases are never offered: an alias would make the log undecodable from its middle.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import {
  BLOCK_KIND,
  type BlockDraft,
  encodeSession,
  type MqttDoor,
  RivuletError,
  type Session,
  toRivuletError,
} from '@rivulet/host';
import { type IClientOptions, MqttClient } from 'mqtt';
import mqttPacket from 'mqtt-packet';
import { RECONNECT_MS_FIRST, reconnectDelay } from './delay.ts';
import { createDiverter, type Diverted, type Diverter } from './diverter.ts';
import type { DoorContext, FrontDoor } from './door.ts';
import { createFreshness } from './freshness.ts';
import { createOutbound, lowerPacketIds } from './outbound.ts';
import { createSubscribing } from './subscribing.ts';
import { type Credentials, connectionError, openSocket, readAtOnce, readCredentials } from './transport.ts';

// MQTT.js would make a buffer for each of 65,536 packet ids before its first packet and keep them: a third of the heap, for a
// few control packets a minute.
mqttPacket.writeToStream.cacheNumbers = false;

/** Bytes taken in one read: as many as an in-flight window of 1,000 messages, or several beats at 10,000/s. */
const READ_BYTES = 262_144;
const KEEPALIVE_S = 30;
/** A broker keeps our session (and queues for us) this long while we are away. */
const SESSION_EXPIRY_S = 7 * 86_400;
/**
 * After so much there may be more: a sender whose messages are packets of their own may have only so many on the way (its
 * congestion window), and a socket that nobody reads acknowledges late. Our read has acknowledged, and what was held up is
 * here by the time that the first part is framed: it need not wait for the next beat.
 */
const HELD_UP_BYTES = 8192;
/**
 * Answers to our own publishes come one by one: reading stops for so long after some that came without a message, instead of
 * waking us for each.
 */
const ANSWERS_MS = 1;
/** Reads are gathered into one block up to this much. */
const GATHERED_BYTES_MAX = 1024 * 1024;
/** What a broker may send at all (MQTT 5); above it the log could not hold the packet in one block. */
const BROKER_PACKET_BYTES_MAX = 8 * 1024 * 1024;
/**
 * Messages that a broker may have unacknowledged on their way here, unless the configuration says otherwise: many beats' worth at
 * any rate that we can take, and no more, since after a reconnect all of them come again first. mosquitto 2.0.11 goes beyond it
 * whatever it is, unless it is 1 (test/faults/mosquitto_in_flight.ts).
 */
const RECEIVE_MAXIMUM = 5_000;
/** Topic, packet id, fixed header and some properties around the longest payload. */
const PACKET_OVERHEAD_BYTES = 80 * 1024;
/**
 * While the disk stalls we ping for the held connection, this long at most: then a dead broker must be noticed. While it is
 * full we go on: each new connection would only bring the same messages again.
 */
const HOLD_MS_MAX = 120_000;
/** A clean end waits this long for the broker, then the connection is cut. */
const END_MS_MAX = 500;
/** CONNACK codes that mean "not this protocol version": 3.1.1 has 1, 5 has 132. */
const WRONG_VERSION_CODES = [1, 132];
/**
 * Connections closed without an answer before the other version is tried: old brokers hang up on one they do not know. More of
 * them once a version was answered: then a broker that stands still is likelier than one that was replaced.
 */
const SILENT_CLOSES_MAX = 2;
const SILENT_CLOSES_MAX_ANSWERED = 10;
/** How long a broker may take to answer CONNECT, in ms; less while no version was ever answered: some never do to one they do not know. */
const CONNACK_MS_MAX = 30_000;
const FIRST_CONNACK_MS_MAX = 10_000;
/** What is over when the broker has accepted us; a silence is when something is heard, not with the connection it brought about. */
const NOT_WITH_A_CONNECTION = ['RIV_MQTT_UNREACHABLE', 'RIV_MQTT_REFUSED', 'RIV_MQTT_TLS', 'RIV_MQTT_SUBSCRIBE'];
/** How often silence is looked at. */
const FRESHNESS_MS = 5000;
const PRESENCE_QOS = 1;

/** Messages that wait for the next commit, of which more may come until it begins. */
interface Gathered extends Omit<Diverted, 'acks'> {
  of: Connection;
  bytes: number;
  acks: Buffer[];
}

/** The state of one connection; a reconnect makes a new one. */
interface Connection {
  socket: Socket;
  diverter: Diverter;
  protocol: 4 | 5;
  /** Reads what has come; false: nothing had, the event loop reads when something does. */
  readOn(): boolean;
  /** 0 until the broker has accepted us. */
  epoch: number;
  /** Monotonic milliseconds since when reading is held; null while reading. */
  heldSinceMs: number | null;
  /**
   * True from the beat's word to read until its next commit. TLS hands over some 16 KiB at a time, in records: in between
   * all of them are taken; without TLS one read is enough.
   */
  taking: boolean;
  /** The broker's machine has answered; the broker itself only when `epoch` is above 0. */
  reached: boolean;
  /** What ended it, if anything said so. */
  error: (Error & { code?: unknown }) | null;
}

/**
 * Opens the door; it keeps connecting until it is closed.
 * @param asked MQTT topic filters to subscribe to
 * @throws RIV_FILE_UNREADABLE, RIV_MQTT_TLS when certificates or secrets cannot be used
 */
export function openClientDoor(config: MqttDoor, asked: string[], context: DoorContext): FrontDoor {
  const numbered = config.door === 1 ? '' : `-${config.door}`;
  const clientId = config.clientId ?? `rivulet-${context.gateway}${numbered}`;
  let credentials = readCredentials(config, context.clock.wallMs());
  const freshness = createFreshness(config.staleAfterMs);
  const outbound = createOutbound();
  let connection: Connection | null = null;
  let gathered: Gathered | null = null;
  let attempts = 0;
  let silentCloses = 0;
  let connections = 0;
  let quiet = false;

  const options: IClientOptions = {
    protocolVersion: config.protocol ?? 5,
    clientId,
    clean: false,
    keepalive: KEEPALIVE_S,
    reconnectPeriod: RECONNECT_MS_FIRST,
    reconnectOnConnackError: true,
    connectTimeout: config.protocol === null ? FIRST_CONNACK_MS_MAX : CONNACK_MS_MAX,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: lowerPacketIds(),
    log: () => undefined,
    ...(config.presence === null ? {} : { will: { topic: config.presence, ...presence(false) } }),
    ...((config.protocol ?? 5) === 5 ? { properties: versionFiveProperties(config) } : {}),
  };
  const client = new MqttClient(openConnection, options);
  const subscribing = createSubscribing(client, config, context, `${clientId} ${config.url}`, asked);

  /** MQTT.js asks for a stream, at the start and at every reconnect. */
  function openConnection(): Diverter['stream'] {
    attempts += 1;
    options.reconnectPeriod = reconnectDelay(attempts, context.random());
    renewCredentials();
    const protocol = options.protocolVersion === 4 ? 4 : 5;
    const received = (length: number): boolean => {
      const read = buffer.subarray(0, length);
      // Without TLS nothing is read over these bytes before their block is written and reading goes on.
      const more = opened.diverter.received(config.tls === null ? read : Buffer.from(read));
      if (!more && config.tls === null && length >= HELD_UP_BYTES) {
        const rest = readAtOnce(socket, buffer.subarray(length));
        if (rest > 0) {
          opened.diverter.received(buffer.subarray(length, length + rest));
        }
      }
      const goOn = more || (opened.taking && config.tls !== null);
      if (!goOn) {
        opened.heldSinceMs ??= performance.now();
      }
      return goOn && !quiet;
    };
    // One for each connection: blocks of the one before may still wait for a disk.
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const heard = (length: number): boolean => {
      const goOn = received(length);
      if (!goOn || config.tls !== null || opened.epoch === 0) {
        return goOn;
      }
      setTimeout(() => socket.destroyed || readOn(), ANSWERS_MS);
      return false;
    };
    const socket = openSocket(config, credentials, { buffer, callback: heard });
    const diverter = createDiverter(socket, {
      protocol,
      packetBytesMax: Math.min(context.payloadBytesMax + PACKET_OVERHEAD_BYTES, BROKER_PACKET_BYTES_MAX),
      connected: (sessionPresent) => begin(opened, sessionPresent),
      answered: outbound.acknowledged,
      diverted: (batch) => take(opened, batch),
    });
    /** Over TLS only Node's stream knows what the bytes say. */
    const readOn = (): boolean => {
      opened.heldSinceMs = null;
      const length = config.tls === null ? readAtOnce(socket, buffer) : 0;
      if (length > 0 && !received(length)) {
        return true;
      }
      opened.taking = true;
      socket.resume();
      return false;
    };
    const opened: Connection = {
      ...{ socket, diverter, protocol, readOn },
      ...{ epoch: 0, heldSinceMs: null, taking: true, error: null, reached: false },
    };
    connection = opened;
    socket.once(config.tls === null ? 'connect' : 'secureConnect', () => {
      opened.reached = true;
    });
    socket.once('error', (error) => {
      opened.error = error;
    });
    socket.once('close', () => finish(opened));
    return diverter.stream;
  }

  /** Certificates and secrets may have been renewed on disk; while they cannot be read the ones before are used. */
  function renewCredentials(): void {
    try {
      credentials = readCredentials(config, context.clock.wallMs());
    } catch (error) {
      context.notice(toRivuletError(error));
    }
    setLogin(credentials);
  }

  function setLogin({ user, password }: Credentials): void {
    Object.assign(options, user === undefined ? {} : { username: user }, password === undefined ? {} : { password });
  }

  /** The broker accepted us: from here on its messages belong to this epoch. */
  function begin(opened: Connection, sessionPresent: boolean): void {
    attempts = 0;
    silentCloses = 0;
    options.connectTimeout = CONNACK_MS_MAX;
    connections += 1;
    freshness.connected(performance.now());
    for (const code of freshness.alarmed() ? NOT_WITH_A_CONNECTION : ['RIV_MQTT_']) context.well(code, config.url);
    opened.epoch = context.nextEpoch();
    putSession(opened, 'connected', sessionPresent);
  }

  /**
   * What was read since the commit before becomes one block; the next read waits for its commit. Over TLS a beat is many
   * reads: Node hands over each record by itself, and goes on with what had been received after it was told to stop.
   */
  function take(opened: Connection, batch: Diverted): void {
    if (opened.epoch === 0 || quiet) {
      return; // Before CONNACK nothing may come, and nothing of it is acknowledged; a broker sends it again.
    }
    if (freshness.alarmed()) {
      context.well('RIV_MQTT_SILENT', config.url);
    }
    freshness.heard(performance.now());
    const bytes = batch.payload.reduce((sum, part) => sum + part.length, 0);
    if (gathered?.of === opened && gathered.bytes + bytes <= GATHERED_BYTES_MAX) {
      gathered.bytes += bytes;
      gathered.count += batch.count;
      gathered.ackable += batch.ackable;
      gathered.payload.push(...batch.payload);
      gathered.acks.push(batch.acks);
      return;
    }
    const kind = opened.protocol === 5 ? BLOCK_KIND.messagesV5 : BLOCK_KIND.messagesV4;
    const { count, ackable, payload } = batch;
    const block = { of: opened, bytes, count, ackable, payload, acks: [batch.acks] };
    const stamped = stamp({ kind, epoch: opened.epoch, count, payload });
    gathered = block;
    context.put({
      seal() {
        gathered = gathered === block ? null : gathered;
        opened.taking = false;
        return { ...stamped, count: block.count };
      },
      ackable: () => block.ackable,
      durable: () => {
        for (const acks of block.acks) opened.diverter.send(acks);
      },
      proceed: () => quiet || opened.socket.destroyed || opened.readOn(),
    });
  }

  function finish(closed: Connection): void {
    if (closed.epoch > 0) {
      putSession(closed, 'disconnected', false);
    } else if (!quiet) {
      if (closed.error === null) {
        context.notice(connectionError(new Error('the broker closed the connection without an answer'), config));
      }
      tryOtherVersion(closed);
    }
    if (connection === closed) {
      connection = null;
      freshness.disconnected();
      outbound.disconnected();
    }
  }

  /** The broker may not know our version, and not say so: it hangs up, or lets us wait. */
  function tryOtherVersion({ error, reached }: Connection): void {
    const refused = typeof (error as { code?: unknown } | null)?.code === 'number'; // by a CONNACK
    if (config.protocol !== null || !reached || refused) {
      return;
    }
    silentCloses += error === null ? 1 : SILENT_CLOSES_MAX;
    if (silentCloses >= (connections === 0 ? SILENT_CLOSES_MAX : SILENT_CLOSES_MAX_ANSWERED)) {
      silentCloses = 0;
      speak(options.protocolVersion === 5 ? 4 : 5);
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

  /** The version of the next connection. */
  function speak(protocol: 4 | 5): void {
    options.protocolVersion = protocol;
    if (protocol === 5) {
      options.properties = versionFiveProperties(config);
    } else {
      delete options.properties;
    }
  }

  client.on('connect', (connack) => {
    if (connection !== null) {
      const { protocol, diverter } = connection;
      const { sessionPresent, properties } = connack;
      const receiveMaximum = properties?.receiveMaximum ?? 65_535;
      outbound.connected({ protocol, sessionPresent, receiveMaximum, write: diverter.send });
    }
    if (config.presence !== null) {
      const { payload, ...how } = presence(true);
      client.publish(config.presence, payload, how, () => undefined);
    }
    subscribing.connected(connack.sessionPresent);
  });

  client.on('error', (error: Error & { code?: unknown }) => {
    if (connection !== null) {
      connection.error ??= error;
    }
    if (config.protocol === null && options.protocolVersion === 5 && WRONG_VERSION_CODES.includes(Number(error.code))) {
      speak(4);
      return;
    }
    context.notice(connectionError(error, config));
  });

  const watchdog = setInterval(
    () => {
      const nowMs = performance.now();
      if (connection === null || connection.heldSinceMs !== null || !freshness.stale(nowMs)) {
        return;
      }
      const silentS = Math.round((freshness.silentMs(nowMs) ?? 0) / 1000);
      const found = `no message for ${silentS} s, far longer than usual; connecting anew`;
      context.notice(new RivuletError('RIV_MQTT_SILENT', { found, where: config.url }));
      connection.socket.destroy();
    },
    Math.min(FRESHNESS_MS, (config.staleAfterMs || FRESHNESS_MS) / 4),
  );

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
    status: () => {
      const silentMs = freshness.silentMs(performance.now());
      return {
        ...{ name: config.name, connected: client.connected, connections, stale: freshness.alarmed() },
        silent_s: silentMs === null ? null : Math.round(silentMs / 1000),
      };
    },
    connected: () => client.connected,
    publish: outbound.publish,
    follow: subscribing.follow,
    quiesce: () => {
      quiet = true;
    },
    async close() {
      clearInterval(keepAlive);
      clearInterval(watchdog);
      subscribing.close();
      if (config.presence !== null && client.connected) {
        // Said by ourselves: a broker that gets a DISCONNECT throws the will away.
        const { payload, ...how } = presence(false);
        client.publish(config.presence, payload, how, () => undefined);
      }
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

/** The retained message that tells whether the gateway is there. */
function presence(online: boolean) {
  return { payload: JSON.stringify({ online }), qos: PRESENCE_QOS, retain: true } as const;
}

function versionFiveProperties({ receiveMaximum }: MqttDoor): NonNullable<IClientOptions['properties']> {
  return {
    sessionExpiryInterval: SESSION_EXPIRY_S,
    maximumPacketSize: BROKER_PACKET_BYTES_MAX,
    receiveMaximum: receiveMaximum ?? RECEIVE_MAXIMUM,
  };
}
