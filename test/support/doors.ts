/** What the tests of the front doors stand on: a beat over a log held in memory, whose writes can be held back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type BlockDraft,
  type BrokerDoor,
  type MqttDoor,
  type RivuletError,
  systemClock,
} from '@rivulet/host';
import { connectAsync, type MqttClient } from 'mqtt';
import { type Beat, createBeat } from '../../edge-agent/src/ingest/beat.ts';
import type { DoorContext } from '../../edge-agent/src/ingest/door.ts';
import { createFramer } from '../../edge-agent/src/ingest/framer.ts';

/** A log in memory whose writes can be held back; else every other one is done at once, as on a disk that answers quickly. */
function memoryLog() {
  const written: BlockDraft[] = [];
  let gate: Promise<void> = Promise.resolve();
  let open: () => void = () => undefined;
  let held = false;
  let appends = 0;
  return {
    written,
    hold() {
      held = true;
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    release() {
      held = false;
      open();
    },
    append(drafts: readonly BlockDraft[]) {
      // Payloads are copied: a door may reuse its buffers once the log has taken them.
      const copies = drafts.map((draft) => ({
        ...draft,
        payload: Buffer.concat([draft.payload].flat() as Uint8Array[]),
      }));
      const size = copies.reduce((sum, { payload }) => sum + BLOCK_HEADER_BYTES + payload.length, 0);
      const bytes = Buffer.alloc(size);
      const firstOffsets = drafts.map(() => 0);
      const done = !held && appends++ % 2 === 0;
      if (done) {
        written.push(...copies);
        return { bytes, firstOffsets, durable: Promise.resolve(), done };
      }
      const durable = gate.then(() => {
        written.push(...copies);
      });
      return { bytes, firstOffsets, durable, done };
    },
    /** The PUBLISH packets that are durable. */
    messages(): { topic: string; payload: string; qos: number; dup: boolean; retain: boolean; epoch: number }[] {
      return written.filter(({ kind }) => kind <= BLOCK_KIND.messagesV5).flatMap(publishesOf);
    },
  };
}

function publishesOf({ payload, kind, epoch }: BlockDraft) {
  const found: { topic: string; payload: string; qos: number; dup: boolean; retain: boolean; epoch: number }[] = [];
  const framer = createFramer(
    {
      packet(bytes, start, body, end) {
        const first = bytes[start] as number;
        if (first >> 4 !== 3) {
          return;
        }
        const qos = (first >> 1) & 3;
        const topicEnd = body + 2 + bytes.readUInt16BE(body);
        let at = topicEnd + (qos > 0 ? 2 : 0);
        at += kind === BLOCK_KIND.messagesV5 ? 1 + (bytes[at] as number) : 0;
        found.push({
          topic: bytes.toString('utf8', body + 2, topicEnd),
          payload: bytes.toString('utf8', at, end),
          ...{ qos, dup: (first & 8) !== 0, retain: (first & 1) !== 0, epoch },
        });
      },
      oversized: () => undefined,
    },
    1 << 24,
  );
  framer.push(payload as Buffer);
  return found;
}

/** A configuration of the broker door, and a file for its sessions that goes with the test. */
export async function brokerDoor(own: Partial<BrokerDoor> = {}): Promise<{ config: BrokerDoor; path: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-broker-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  const limits = { clients: 1000, clientsPerUser: 1000, messagesPerSecond: null, queue: 1000 };
  const config: BrokerDoor = {
    ...{ kind: 'broker', door: 1, name: 'broker', listen: 0, host: '127.0.0.1', tls: null, users: [] },
    ...{ anonymous: true, limits },
    ...own,
  };
  return { config, path: join(directory, 'broker.jsonl') };
}

/** A configuration of the client door. */
export function mqttDoor(own: Partial<MqttDoor>): MqttDoor {
  return {
    ...{ kind: 'mqtt', door: 1, name: 'mqtt', url: '', clientId: null, user: null, password: null, tls: null },
    ...{ qos: 2, protocol: null, receiveMaximum: null, presence: null, staleAfterMs: null },
    ...own,
  };
}

function memorySubscriptions() {
  const known = new Map<string, readonly string[]>();
  return {
    of: (session: string) => known.get(session) ?? [],
    remember: async (session: string, filters: readonly string[]) => void known.set(session, filters),
  };
}

/** A beat over that log, and what a door is lent. */
export function setUp() {
  const log = memoryLog();
  const notices: RivuletError[] = [];
  const failures: unknown[] = [];
  const beat: Beat = createBeat({
    log,
    fold: () => () => undefined,
    commit: { beatMs: 5, fewMs: 5 },
    failed: (error) => failures.push(error),
  });
  let epoch = 0;
  const context: DoorContext = {
    gateway: `t${process.pid}${Math.floor(Math.random() * 1e6)}`,
    put: beat.put,
    clock: systemClock(),
    random: Math.random,
    nextEpoch: () => ++epoch,
    payloadBytesMax: 100_000,
    full: () => false,
    notice: (error) => notices.push(error),
    well: () => undefined,
    subscriptions: memorySubscriptions(),
  };
  return { log, beat, context, notices, failures };
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; waited < 8000; waited += 10) {
    if (condition()) {
      return;
    }
    await pause(10);
  }
  throw new Error(`not within 8 s: ${what}`);
}
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a test opened, closed after it, the last first. */
export const closing: (() => Promise<unknown>)[] = [];
export async function closeAll(): Promise<void> {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
}

/** A client that is not ours: a device, or a reader of outputs. */
export async function client(url: string, options: object = {}): Promise<MqttClient> {
  const connected = await connectAsync(url, { reconnectPeriod: 100, ...options });
  connected.on('error', () => undefined);
  closing.push(() => connected.endAsync(true));
  return connected;
}
