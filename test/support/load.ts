/**
 * Fifty devices with small MQTT clients of their own, so that 5,000 messages a second cost little: each numbers its messages, keeps
 * what is unacknowledged, and after a lost connection sends it again, with DUP, as MQTT 3.1.1 wants it (section 4.4). What each
 * counted as acknowledged is what a gateway must have counted once.
 */
import { connect, type Socket } from 'node:net';
import { createFramer } from '../../edge-agent/src/ingest/framer.ts';

/** Messages of one device that may be unacknowledged: more than a second's worth. */
const IN_FLIGHT_MAX = 200;
const TICK_MS = 20;
const RECONNECT_MS = 30;

export interface Load {
  sent(): number;
  acked(): number;
  /** Connections that were made again. */
  reconnects(): number;
  /** Sends no more; resolves when all is acknowledged. */
  finish(): Promise<void>;
  stop(): void;
}

/**
 * @param perSecond messages of all devices together; topics are `b/DEVICE/temp`, payloads have `value`, `ts` and `n`
 * @param full asked again and again with what was sent so far: true while the devices should wait
 */
export function startLoad(
  port: number,
  devices: number,
  perSecond: number,
  full: (sent: number) => boolean = () => false,
): Load {
  const each = Array.from({ length: devices }, (_, index) => startDevice(port, `d${index}`));
  let due = 0;
  let last = performance.now();
  let turn = 0;
  let finishing = false;
  const timer = setInterval(() => {
    const now = performance.now();
    due += finishing ? 0 : ((now - last) * perSecond) / 1000;
    last = now;
    // A stalled gateway makes the devices wait; they do not catch up in one burst.
    due = finishing || full(sum('sent')) ? 0 : Math.min(due, perSecond / 5);
    for (let misses = 0; due >= 1 && misses < devices; turn++) {
      if (each[turn % devices]?.send() === true) {
        due -= 1;
        misses = 0;
      } else {
        misses += 1;
      }
    }
    for (const device of each) {
      device.flush();
    }
  }, TICK_MS);
  const sum = (what: 'sent' | 'acked' | 'reconnects'): number =>
    each.reduce((total, device) => total + device[what](), 0);
  return {
    sent: () => sum('sent'),
    acked: () => sum('acked'),
    reconnects: () => sum('reconnects'),
    async finish() {
      finishing = true;
      // As long as anything is acknowledged at all: a broker that was left behind has much to do.
      for (let [waited, before] = [0, sum('acked')]; sum('acked') < sum('sent'); waited += 20) {
        if (sum('acked') > before) {
          [waited, before] = [0, sum('acked')];
        }
        if (waited > 30_000) {
          throw new Error(`${sum('sent') - sum('acked')} messages are not acknowledged`);
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    stop() {
      clearInterval(timer);
      for (const device of each) {
        device.stop();
      }
    },
  };
}

function startDevice(port: number, name: string) {
  const topic = Buffer.from(`b/${name}/temp`);
  const startMs = Date.now() - 6 * 3_600_000;
  /** By packet id, oldest first. */
  const unacked = new Map<number, Buffer>();
  let socket: Socket | null = null;
  let connected = false;
  let stopped = false;
  let sent = 0;
  let acked = 0;
  let reconnects = -1;
  let lastId = 0;
  let waiting: Buffer[] = [];

  function open(): void {
    if (stopped) {
      return;
    }
    const opened = connect({ host: '127.0.0.1', port, noDelay: true });
    socket = opened;
    const framer = createFramer(
      {
        packet(bytes, start, body) {
          const type = (bytes[start] as number) >> 4;
          if (type === 2 && bytes[body + 1] === 0) {
            reconnects += 1;
            connected = true;
            // What has no answer goes first, in its order; what was not sent yet stands in it as well.
            waiting = [...unacked.values()];
            flush();
          } else if (type === 4 && unacked.delete(bytes.readUInt16BE(body))) {
            acked += 1;
          }
        },
        oversized: () => undefined,
      },
      1 << 20,
    );
    opened.on('data', (bytes) => framer.push(bytes));
    opened.on('error', () => undefined);
    opened.on('close', () => {
      connected = false;
      waiting = [];
      for (const packet of unacked.values()) {
        packet[0] = 0x3a; // DUP
      }
      setTimeout(open, RECONNECT_MS);
    });
    const id = Buffer.from(name);
    // 3.1.1, no clean session, keepalive 60 s.
    opened.write(
      Buffer.concat([Buffer.from([0x10, 12 + id.length, 0, 4, 77, 81, 84, 84, 4, 0, 0, 60, 0, id.length]), id]),
    );
  }
  open();

  function flush(): void {
    if (connected && waiting.length > 0 && socket !== null && !socket.writableNeedDrain) {
      socket.write(Buffer.concat(waiting));
      waiting = [];
    }
  }

  return {
    sent: () => sent,
    acked: () => acked,
    reconnects: () => Math.max(reconnects, 0),
    /** False when it has too much without an answer. */
    send(): boolean {
      if (unacked.size >= IN_FLIGHT_MAX) {
        return false;
      }
      do {
        lastId = (lastId % 65_535) + 1;
      } while (unacked.has(lastId));
      sent += 1;
      const payload = JSON.stringify({ value: 20 + (sent % 100) / 10, ts: startMs + sent * 10, n: sent });
      const length = 4 + topic.length + payload.length;
      const packet = Buffer.concat([
        Buffer.from([0x32, (length & 0x7f) | 0x80, length >> 7, 0, topic.length]),
        topic,
        Buffer.from([lastId >> 8, lastId & 0xff]),
        Buffer.from(payload),
      ]);
      unacked.set(lastId, packet);
      if (connected) {
        waiting.push(packet);
      }
      return true;
    },
    flush,
    stop(): void {
      stopped = true;
      socket?.destroy();
    },
  };
}
