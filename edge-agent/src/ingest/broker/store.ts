/**
 * The embedded broker's memory, over a restart: aedes' own holds what is delivered; beside it stand the queues with their
 * bounds (queues.ts), written to a journal.
 *
 * A publisher's PUBACK means that its message is in the log. It also means that what the message is for here, a subscriber
 * that is away or the next one to come, is on disk; aedes acknowledges before it stores, so `admit` stores first.
 *
 * Over a restart waiting messages come at least once: what a subscriber acknowledged just before may come again.
 */
import type { Readable } from 'node:stream';
import type { Aedes, AedesPublishPacket } from 'aedes';
import createMemory from 'aedes-persistence';
import { openJournal } from './journal.ts';
import { type Counts, createQueues, type Kept, type StoreRecord } from './queues.ts';

/** Persistent sessions; the ones that subscribed first and are not connected make room. */
const SESSIONS_MAX = 5000;
const FILTERS_PER_SESSION_MAX = 256;

/** What is known of a client here. */
interface Named {
  id: string;
}
interface Subscribed {
  topic: string;
  qos: 0 | 1 | 2;
}
/** A packet as aedes hands it to its store: a PUBLISH, or the PUBREL of one. */
interface Stored {
  cmd: string;
  topic: string;
  payload: Buffer;
  qos: 0 | 1 | 2;
  retain: boolean;
  brokerId: string;
  brokerCounter: number;
  messageId?: number;
}
/** The part of aedes' memory that is used or changed here; its types still speak of callbacks. */
interface Memory {
  setup(broker: Aedes): Promise<void>;
  storeRetained(packet: Stored): Promise<void>;
  addSubscriptions(client: Named, subscriptions: Subscribed[]): Promise<void>;
  removeSubscriptions(client: Named, topics: string[]): Promise<void>;
  cleanSubscriptions(client: Named): Promise<void>;
  subscriptionsByTopic(topic: string): Promise<{ clientId: string }[]>;
  outgoingEnqueue(subscriber: { clientId: string }, packet: Stored): Promise<void>;
  outgoingEnqueueCombi(subscribers: { clientId: string }[], packet: Stored): Promise<void>;
  outgoingUpdate(client: Named, packet: Stored): Promise<void>;
  outgoingClearMessageId(client: Named, packet: Stored): Promise<Stored | undefined>;
  outgoingStream(client: Named): Readable;
}

export interface Store {
  /** What aedes is given. */
  persistence: unknown;
  /**
   * Stores what a message is for, before it is acknowledged; resolves when that is on disk. Null when it is for nobody.
   */
  admit(packet: AedesPublishPacket): Promise<void> | null;
  counts: Counts;
  /** Lines of the file that were damaged and are left out. */
  damaged: number;
  close(): Promise<void>;
}

/**
 * @param queueMax messages that wait for one session
 * @param failed the disk does not take the journal; everything goes on in memory
 * @throws RIV_STATE_UNUSABLE, RIV_TOO_NEW
 */
export async function openStore(path: string, queueMax: number, failed: (error: unknown) => void): Promise<Store> {
  const memory = (createMemory as unknown as () => Memory)();
  const own = createQueues(queueMax);
  const { journal, damaged } = await openJournal(path, (record) => own.restore(record as StoreRecord), own.snapshot);
  const note = (record: StoreRecord): Promise<void> => journal.append(record).catch(failed);
  /** By its payload's buffer, which aedes passes on as it is: what was stored of a message before aedes had it. */
  const admitted = new WeakMap<Buffer, { key: number; clients: string[] }>();
  /** Keys of what waits for a session, by aedes' number of the message (`of`: back) and, once sent, by its packet id. */
  const keys = new Map<string, { counters: Map<number, number>; ids: Map<number, number>; of: Map<number, number> }>();
  let broker: Aedes;

  function kept({ topic, payload, qos }: Pick<Stored, 'topic' | 'payload' | 'qos'>): Kept {
    return { topic, payload: payload.toString('base64'), qos };
  }

  function keysOf(client: string) {
    const known = keys.get(client) ?? { counters: new Map(), ids: new Map(), of: new Map() };
    keys.set(client, known);
    return known;
  }

  async function forget(client: Named): Promise<void> {
    await memory.cleanSubscriptions(client);
    for await (const packet of memory.outgoingStream(client)) {
      await memory.outgoingClearMessageId(client, packet);
    }
    keys.delete(client.id);
    if (own.sessions.has(client.id) || own.queues.has(client.id)) {
      await note(own.subscribe(client.id, new Map()));
    }
  }

  /** Gives the queue's place of a message to aedes' memory, under aedes' number. */
  async function hand(clients: readonly string[], key: number, packet: Stored): Promise<void> {
    for (const client of clients) {
      keysOf(client).counters.set(packet.brokerCounter, key);
      keysOf(client).of.set(key, packet.brokerCounter);
    }
    await memory.outgoingEnqueueCombi(
      clients.map((clientId) => ({ clientId })),
      packet,
    );
  }

  const changed = {
    async setup(of: Aedes) {
      broker = of;
      await memory.setup(of);
      for (const [id, filters] of own.sessions) {
        await memory.addSubscriptions(
          { id },
          [...filters].map(([topic, qos]) => ({ topic, qos })),
        );
      }
      for (const message of own.retained.values()) {
        await memory.storeRetained(packetOf(message, true, of));
      }
      for (const [client, queue] of own.queues) {
        for (const [key, message] of queue) {
          await hand([client], key, packetOf(message, false, of));
        }
      }
    },
    async storeRetained(packet: Stored) {
      if (!admitted.has(packet.payload)) {
        const record = own.retain(kept(packet));
        if (record !== null) {
          await note(record);
        }
      }
      const takes = own.retained.has(packet.topic);
      await memory.storeRetained(takes ? packet : { ...packet, payload: Buffer.alloc(0) });
    },
    async addSubscriptions(client: Named, subscriptions: Subscribed[]) {
      const filters = new Map(own.sessions.get(client.id));
      if (filters.size === 0 && own.sessions.size >= SESSIONS_MAX) {
        const { clients } = broker as unknown as { clients: Record<string, unknown> };
        const oldest = [...own.sessions.keys()].find((id) => clients[id] === undefined);
        if (oldest !== undefined) {
          await forget({ id: oldest });
        }
      }
      const taken = subscriptions.filter(({ topic }) => filters.has(topic) || filters.size < FILTERS_PER_SESSION_MAX);
      for (const { topic, qos } of taken) {
        filters.set(topic, qos);
      }
      await memory.addSubscriptions(client, taken);
      await note(own.subscribe(client.id, filters));
    },
    async removeSubscriptions(client: Named, topics: string[]) {
      await memory.removeSubscriptions(client, topics);
      const filters = new Map(own.sessions.get(client.id));
      if (topics.filter((topic) => filters.delete(topic)).length > 0) {
        await note(own.subscribe(client.id, filters));
      }
    },
    cleanSubscriptions: forget,
    outgoingEnqueue: ({ clientId }: { clientId: string }, packet: Stored) =>
      changed.outgoingEnqueueCombi([{ clientId }], packet),
    async outgoingEnqueueCombi(subscribers: { clientId: string }[], packet: Stored) {
      const before = admitted.get(packet.payload);
      if (before !== undefined) {
        await hand(before.clients, before.key, packet);
        return;
      }
      const message = kept(packet);
      const clients = own.enqueue([...new Set(subscribers.map(({ clientId }) => clientId))], message);
      const key = own.lastKey();
      await hand(clients, key, packet);
      if (clients.length > 0) {
        await note({ queue: clients, key, message });
      }
    },
    async outgoingUpdate(client: Named, packet: Stored) {
      const { counters, ids } = keysOf(client.id);
      const key = counters.get(packet.brokerCounter);
      if (packet.cmd !== 'publish') {
        await memory.outgoingUpdate(client, packet);
      } else if (key !== undefined) {
        ids.set(packet.messageId as number, key);
        await memory.outgoingUpdate(client, packet);
      } // else its queue was full: delivered like one of a clean session.
    },
    async outgoingClearMessageId(client: Named, packet: Stored) {
      const cleared = await memory.outgoingClearMessageId(client, packet);
      const { counters, ids, of } = keysOf(client.id);
      const key = ids.get(packet.messageId as number);
      if (cleared !== undefined && key !== undefined) {
        ids.delete(packet.messageId as number);
        counters.delete(of.get(key) as number);
        of.delete(key);
        if (own.dequeue(client.id, key)) {
          void note({ done: client.id, key }); // Not waited for: forgotten, it would come once more after a crash.
        }
      }
      return cleared;
    },
  };

  async function store(packet: AedesPublishPacket): Promise<void> {
    const payload = Buffer.from(packet.payload).subarray(); // A buffer of its own, to know the message by.
    packet.payload = payload;
    const message = kept({ ...packet, payload });
    const record = packet.retain ? own.retain(message) : null;
    const subscribers = packet.qos > 0 ? await memory.subscriptionsByTopic(packet.topic) : [];
    const clients = own.enqueue([...new Set(subscribers.map(({ clientId }) => clientId))], message);
    const key = own.lastKey();
    admitted.set(payload, { key, clients });
    const records: (StoreRecord | null)[] = [record, clients.length > 0 ? { queue: clients, key, message } : null];
    await Promise.all(records.filter((each) => each !== null).map(note));
  }

  return {
    persistence: new Proxy(memory, {
      get: (target, name) => {
        const found = Reflect.get(name in changed ? changed : target, name);
        return typeof found === 'function' && !(name in changed) ? found.bind(target) : found;
      },
    }),
    admit: (packet) => (packet.retain || (packet.qos > 0 && own.sessions.size > 0) ? store(packet) : null),
    counts: own.counts,
    damaged,
    close: () => journal.close(),
  };
}

function packetOf({ topic, payload, qos }: Kept, retain: boolean, broker: Aedes): Stored {
  const numbered = broker as unknown as { id: string; counter: number };
  numbered.counter += 1;
  return {
    ...{ cmd: 'publish', topic, qos, retain, payload: Buffer.from(payload, 'base64') },
    ...{ brokerId: numbered.id, brokerCounter: numbered.counter },
  };
}
