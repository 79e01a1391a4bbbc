/**
 * Publishes outputs through a door: a bounded queue in front of a bounded window of messages that wait for the broker.
 * While the door is away the queue fills; when it is full the oldest message goes (drop_oldest), since the newest
 * prediction is the one that is worth something. Drops are counted.
 */
import type { DeliveryConfig } from '@rivulet/host';
import type { OutboundMessage } from './document.ts';

/** Messages kept while nobody takes them; at some 300 bytes each a few megabytes. */
const QUEUE_MESSAGES_MAX = 10_000;
/** Messages handed on and not answered yet: enough to fill a fast link, few enough to lose nothing else by. */
const WINDOW_MESSAGES_MAX = 256;
/** How often a door that was away is looked at again. */
const RETRY_MS = 250;

/** Bytes of a PUBLISH beside topic and payload: its type, a length of two bytes, the topic's length, a packet id. */
const PACKET_HEAD_BYTES = 7;

/** What the publisher needs of a door. */
export interface OutboundDoor {
  connected(): boolean;
  publish(
    topic: string,
    payload: string | Buffer,
    done: (error?: Error | null) => void,
    delivery?: DeliveryConfig,
  ): void;
}

export interface Publisher {
  send(message: OutboundMessage): void;
  /** Resolves when the queue is empty or the time is over. */
  flushed(withinMs: number): Promise<void>;
  stop(): void;
  /** Messages that left, their bytes as packets, and messages dropped because the queue was full or the door refused them. */
  counters(): { published: number; publishedBytes: number; dropped: number };
}

export function createPublisher(door: OutboundDoor, queueMessagesMax = QUEUE_MESSAGES_MAX): Publisher {
  let queue: OutboundMessage[] = [];
  /** The queue's head: taking from an array's front one by one would cost its length each time. */
  let head = 0;
  let waiting = 0;
  let published = 0;
  let publishedBytes = 0;
  let dropped = 0;
  let retry: NodeJS.Timeout | null = null;
  let stopped = false;

  const length = (): number => queue.length - head;

  function send(message: OutboundMessage): void {
    if (stopped) {
      return;
    }
    queue.push(message);
    if (length() > queueMessagesMax) {
      take();
      dropped += 1;
    }
    pump();
  }

  function take(): OutboundMessage {
    const message = queue[head] as OutboundMessage;
    head += 1;
    if (head === queue.length) {
      // What has left is let go of at once: a thousand messages held until the queue is cut would be copied by collections.
      queue = [];
      head = 0;
    } else if (head >= 1024 && head * 2 > queue.length) {
      queue = queue.slice(head);
      head = 0;
    }
    return message;
  }

  function pump(): void {
    if (stopped) {
      return;
    }
    if (!door.connected()) {
      retry ??= setTimeout(() => {
        retry = null;
        pump();
      }, RETRY_MS);
      return;
    }
    while (length() > 0 && waiting < WINDOW_MESSAGES_MAX) {
      const { topic, payload, qos = 1, retain = false } = take();
      waiting += 1;
      const done = (error?: Error | null): void => {
        waiting -= 1;
        if (error) {
          dropped += 1;
        } else {
          published += 1;
          publishedBytes += PACKET_HEAD_BYTES + Buffer.byteLength(topic) + Buffer.byteLength(payload);
        }
        if (length() > 0) {
          pump();
        }
      };
      door.publish(topic, payload, done, { qos, retain });
    }
  }

  return {
    send,
    async flushed(withinMs) {
      const deadline = performance.now() + withinMs;
      while ((length() > 0 || waiting > 0) && door.connected() && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    stop() {
      stopped = true;
      if (retry !== null) {
        clearTimeout(retry);
      }
    },
    counters: () => ({ published, publishedBytes, dropped }),
  };
}
