/**
 * Our own publishes over a client door, at QoS 1. MQTT.js could send them, but keeps a copy, a timer's worth of work and
 * three parsers busy for each; hundreds of predictions a second then cost more than the messages they were made from.
 *
 * Packet ids: the upper half is ours, MQTT.js has the lower half for its subscriptions. What is unanswered when a
 * connection ends is sent again on the next one, in its order (MQTT 3.1.1 section 4.4).
 */
import type { DeliveryConfig } from '@rivulet/host';
import type { IClientOptions } from 'mqtt';
import { encodeOwnPublish } from './packet.ts';

/** The lowest of our packet ids. */
const OWN_ID_MIN = 0x8000;
const ID_MAX = 0xffff;
/** From here on a reason code of MQTT 5 means that the broker did not take the message. */
const REFUSED = 0x80;

/** How we are connected, as the broker's CONNACK told. */
export interface OutboundConnection {
  protocol: 4 | 5;
  /** The broker remembers us: what is sent again carries DUP. */
  sessionPresent: boolean;
  /** Messages that the broker takes before it answers one. */
  receiveMaximum: number;
  write(bytes: Buffer): void;
}

export interface Outbound {
  /**
   * `done` is called once: when the broker answered, or with an error when it refused or the door closed. QoS 0 has no answer:
   * it is done when it is written, and given up when there is no connection.
   */
  publish(
    topic: string,
    payload: string | Buffer,
    done: (error?: Error | null) => void,
    delivery?: DeliveryConfig,
  ): void;
  connected(connection: OutboundConnection): void;
  disconnected(): void;
  /** A PUBACK came; false when the id is not one of ours. `reason` is 0 where none was said. */
  acknowledged(packetId: number, reason: number): boolean;
  /** Gives up what is unanswered. */
  close(): void;
}

interface Message {
  topic: string;
  payload: string | Buffer;
  retain: boolean;
  done: (error?: Error | null) => void;
}

export function createOutbound(): Outbound {
  /** Unanswered messages, oldest first; the first `sent` of them are with the broker. */
  const unanswered = new Map<number, Message>();
  const waiting: number[] = [];
  let connection: OutboundConnection | null = null;
  let inFlight = 0;
  let lastId = ID_MAX;

  function nextId(): number {
    do {
      lastId = lastId === ID_MAX ? OWN_ID_MIN : lastId + 1;
    } while (unanswered.has(lastId));
    return lastId;
  }

  function send(id: number, dup: boolean): void {
    const { topic, payload, retain } = unanswered.get(id) as Message;
    const { protocol, write } = connection as OutboundConnection;
    inFlight += 1;
    write(encodeOwnPublish({ id, topic, payload, retain, protocol, dup }));
  }

  function pump(): void {
    while (connection !== null && waiting.length > 0 && inFlight < connection.receiveMaximum) {
      send(waiting.shift() as number, false);
    }
  }

  return {
    publish(topic, payload, done, { qos, retain } = { qos: 1, retain: false }) {
      if (qos === 0) {
        const { protocol, write } = connection ?? {};
        if (protocol === undefined || write === undefined) {
          done(new Error('there is no connection'));
          return;
        }
        write(encodeOwnPublish({ id: null, topic, payload, retain, protocol, dup: false }));
        done(null);
        return;
      }
      if (unanswered.size > ID_MAX - OWN_ID_MIN) {
        done(new Error('too many publishes are unanswered'));
        return;
      }
      const id = nextId();
      unanswered.set(id, { topic, payload, retain, done });
      waiting.push(id);
      pump();
    },
    connected(now) {
      connection = now;
      inFlight = 0;
      const unsent = new Set(waiting);
      waiting.length = 0;
      for (const id of unanswered.keys()) {
        if (unsent.has(id) || inFlight >= now.receiveMaximum) {
          waiting.push(id);
        } else {
          send(id, now.sessionPresent);
        }
      }
      pump();
    },
    disconnected() {
      connection = null;
    },
    acknowledged(packetId, reason) {
      if (packetId < OWN_ID_MIN) {
        return false;
      }
      const message = unanswered.get(packetId);
      if (message !== undefined) {
        unanswered.delete(packetId);
        inFlight -= 1;
        message.done(reason >= REFUSED ? new Error(`the broker refused it (reason ${reason})`) : null);
        pump();
      }
      return true;
    },
    close() {
      connection = null;
      waiting.length = 0;
      const given = [...unanswered.values()];
      unanswered.clear();
      for (const { done } of given) {
        done(new Error('the connection was closed'));
      }
    },
  };
}

/** Packet ids for MQTT.js: the lower half, one after the other; it has a few subscriptions under way, never thousands. */
export function lowerPacketIds(): NonNullable<IClientOptions['messageIdProvider']> {
  let last = 0;
  return {
    allocate() {
      last = last === OWN_ID_MIN - 1 ? 1 : last + 1;
      return last;
    },
    getLastAllocated: () => (last === 0 ? null : last),
    register: () => true,
    deallocate() {},
    clear() {},
  };
}
