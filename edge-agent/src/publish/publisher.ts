/**
 * Sends a feed's messages to a broker with QoS 1: at most so many unacknowledged at a time, over as many connections as it
 * takes. MQTT.js keeps what is unacknowledged and sends it again, with the same packet id, when it is connected again; that
 * it says so (DUP) is seen to here.
 * Owns the connection and the count of what was sent; knows nothing of time.
 */
import { RivuletError } from '@rivulet/host';
import mqtt, { type IStore, type MqttClient, Store } from 'mqtt';
import type { FeedMessage } from './feed.ts';

/** Longest pause between two attempts to connect. */
const RECONNECT_MS_MAX = 2000;
const RECONNECT_MS_MIN = 100;

/** A stop waits this long for room: a slow gateway still takes the step at hand, one that is away does not. */
const ROOM_MS_MAX = 1000;

/** What was sent; every message is in one of the three. */
export interface SendCounts {
  /** Readings, each once: what the gateway must count as used or late, once each. */
  readings: number;
  /** Readings sent a second time on purpose: what it must count as duplicates. */
  repeats: number;
  labels: number;
}

/** A connection that messages are handed to. */
export interface Publisher {
  /**
   * Hands a message over, once there is room for it, which is where a slow gateway slows the feed. False: there was none within
   * a second of the stop.
   */
  send(message: FeedMessage): Promise<boolean>;
  /** Resolves when all that was handed over before is acknowledged. */
  settled(): Promise<void>;
  /** A copy of the counts of messages handed over. */
  counts(): SendCounts;
  readonly unacknowledged: number;
  /** Waits up to `wait_ms` for what is unacknowledged, then closes. Answers how many messages stayed so. */
  close(wait_ms: number): Promise<number>;
}

/** Where and how to send. */
export interface PublisherOptions {
  url: string;
  user: string | undefined;
  password: string | undefined;
  /** The session's name; the same after a restart. */
  clientId: string;
  /** Most unacknowledged messages: bounds memory and what a crash repeats. */
  inFlightMax: number;
  /** What was sent in earlier runs. */
  sent: SendCounts | undefined;
  /** Aborted: nothing waits for room much longer. */
  stop: AbortSignal;
  /** Called with a sentence when the connection is lost or refused, and when it is there again. */
  notice(sentence: string): void;
}

/** Connects in the background: messages wait until the broker is there. */
export function createPublisher(options: PublisherOptions): Publisher {
  const counts: SendCounts = { ...(options.sent ?? { readings: 0, repeats: 0, labels: 0 }) };
  const client = connect(options);
  const inFlight = new Set<Promise<void>>();
  let roomFor: (() => void) | null = null;
  let closed = false;
  let givenUp = false;
  options.stop.addEventListener('abort', () => setTimeout(giveUp, ROOM_MS_MAX).unref(), { once: true });

  function giveUp(): void {
    givenUp = true;
    roomFor?.();
  }

  async function send(message: FeedMessage): Promise<boolean> {
    while (inFlight.size >= options.inFlightMax && !closed) {
      if (givenUp) return false;
      await new Promise<void>((resolve) => {
        roomFor = resolve;
      });
    }
    if (closed) throw new RivuletError('RIV_INTERNAL', 'a message was handed to a closed publisher');
    const acknowledged = new Promise<void>((resolve) => {
      client.publish(message.topic, message.payload, { qos: 1 }, () => {
        if (closed) return;
        inFlight.delete(acknowledged);
        resolve();
        roomFor?.();
        roomFor = null;
      });
    });
    inFlight.add(acknowledged);
    count(counts, message);
    return true;
  }

  async function settled(): Promise<void> {
    await Promise.all(inFlight);
  }

  return {
    send,
    settled,
    counts: () => ({ ...counts }),
    get unacknowledged() {
      return inFlight.size;
    },
    async close(wait_ms) {
      let timer: NodeJS.Timeout | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, wait_ms);
      });
      await Promise.race([settled(), timeout]);
      clearTimeout(timer);
      closed = true;
      const left = inFlight.size;
      await new Promise<void>((resolve) => client.end(true, {}, () => resolve()));
      return left;
    },
  };
}

function count(counts: SendCounts, message: FeedMessage): void {
  if (message.kind === 'reading') counts.readings++;
  else if (message.kind === 'repeat') counts.repeats++;
  else counts.labels++;
}

/**
 * What MQTT.js keeps to send again, marked as sent before: MQTT.js leaves DUP at 0, against MQTT 3.1.1 section 3.3.1.1, and a
 * receiver that had the message cannot know the repeat from a new one. What was kept before it was ever sent is marked too,
 * which costs nothing: a receiver that does not know it counts it as new.
 */
function createRedeliveryStore(): IStore {
  const store = new Store();
  const keep = store.put.bind(store);
  store.put = (packet, done) => keep(packet.cmd === 'publish' ? { ...packet, dup: true } : packet, done);
  return store;
}

function connect(options: PublisherOptions): MqttClient {
  const client = mqtt.connect(options.url, {
    clientId: options.clientId,
    clean: false,
    protocolVersion: 4, // the embedded broker speaks 3.1.1
    reconnectPeriod: RECONNECT_MS_MIN,
    connectTimeout: 5000,
    keepalive: 30,
    reconnectOnConnackError: true,
    outgoingStore: createRedeliveryStore(),
    ...(options.user === undefined ? {} : { username: options.user }),
    ...(options.password === undefined ? {} : { password: options.password }),
  });
  let failing = false;
  client.on('connect', () => {
    client.options.reconnectPeriod = RECONNECT_MS_MIN;
    if (failing) options.notice(`connected to ${options.url} again`);
    failing = false;
  });
  client.on('close', () => {
    const next = (client.options.reconnectPeriod ?? RECONNECT_MS_MIN) * 1.6;
    client.options.reconnectPeriod = Math.min(RECONNECT_MS_MAX, Math.round(next));
  });
  client.on('error', (error) => {
    if (!failing)
      options.notice(`${options.url}: ${error.message || (error as NodeJS.ErrnoException).code}; trying on`);
    failing = true;
  });
  return client;
}
