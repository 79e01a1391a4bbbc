/**
 * What the embedded broker owes: the retained messages, the filters of persistent sessions, and per session the messages
 * that wait. Plain maps with their bounds, and the records by which a journal brings them back; no I/O.
 */

/** Retained topics; MQTT sets no bound, a mistaken device could make one for each message. */
const RETAINED_MAX = 20_000;
/** Payloads (base64) of all waiting and retained messages together. */
const CHARACTERS_MAX = 64 * 1024 * 1024;

/** A message as it is kept. */
export interface Kept {
  topic: string;
  /** Base64. */
  payload: string;
  qos: 0 | 1 | 2;
}

export type Filters = ReadonlyMap<string, 0 | 1 | 2>;

/** A line of the journal. */
export type StoreRecord =
  | { retained: string; message: Kept | null }
  | { session: string; filters: Record<string, 0 | 1 | 2> }
  | { queue: string[]; key: number; message: Kept }
  | { done: string; key: number };

export interface Counts {
  /** Messages that a subscriber did not get since its queue was full. */
  dropped: number;
  /** Retained messages that were not kept. */
  unretained: number;
}

export function createQueues(queueMax: number) {
  const retained = new Map<string, Kept>();
  const sessions = new Map<string, Filters>();
  const queues = new Map<string, Map<number, Kept>>();
  const counts: Counts = { dropped: 0, unretained: 0 };
  let characters = 0;
  let lastKey = 0;

  /** Keeps a retained message, or forgets the one of its topic when it is empty. Answers the record, or null: as before. */
  function retain(message: Kept): StoreRecord | null {
    const { topic } = message;
    const before = retained.get(topic);
    characters -= before?.payload.length ?? 0;
    retained.delete(topic);
    const full = retained.size >= RETAINED_MAX || characters + message.payload.length > CHARACTERS_MAX;
    if (message.payload !== '' && full) {
      counts.unretained += 1;
    } else if (message.payload !== '') {
      retained.set(topic, message);
      characters += message.payload.length;
      return { retained: topic, message };
    }
    return before === undefined ? null : { retained: topic, message: null };
  }

  /** Puts a message into the queues that have room. */
  function enqueue(clients: readonly string[], message: Kept, key: number = lastKey + 1): string[] {
    lastKey = Math.max(lastKey, key);
    return clients.filter((client) => {
      const queue = queues.get(client) ?? new Map<number, Kept>();
      if (queue.size >= queueMax || characters + message.payload.length > CHARACTERS_MAX) {
        counts.dropped += 1;
        return false;
      }
      queues.set(client, queue.set(key, message));
      characters += message.payload.length;
      return true;
    });
  }

  function dequeue(client: string, key: number): boolean {
    const queue = queues.get(client);
    const message = queue?.get(key);
    if (queue === undefined || message === undefined) {
      return false;
    }
    queue.delete(key);
    characters -= message.payload.length;
    if (queue.size === 0) {
      queues.delete(client);
    }
    return true;
  }

  /** Filters of a session; none: it is forgotten, with what waits for it. */
  function subscribe(client: string, filters: Filters): StoreRecord {
    if (filters.size > 0) {
      sessions.set(client, filters);
    } else {
      for (const key of [...(queues.get(client)?.keys() ?? [])]) {
        dequeue(client, key);
      }
      sessions.delete(client);
    }
    return { session: client, filters: Object.fromEntries(filters) };
  }

  /** Takes a record of a journal; one of another form is passed over. */
  function restore(record: StoreRecord): void {
    if ('retained' in record) {
      retain(record.message ?? { topic: record.retained, payload: '', qos: 0 });
    } else if ('session' in record) {
      subscribe(record.session, new Map(Object.entries(record.filters)));
    } else if ('queue' in record) {
      enqueue(record.queue, record.message, record.key);
    } else if ('done' in record) {
      dequeue(record.done, record.key);
    }
  }

  /** All records that are true now. */
  function snapshot(): StoreRecord[] {
    return [
      ...[...retained].map(([topic, message]) => ({ retained: topic, message })),
      ...[...sessions].map(([session, filters]) => ({ session, filters: Object.fromEntries(filters) })),
      ...[...queues].flatMap(([client, queue]) =>
        [...queue].map(([key, message]) => ({ queue: [client], key, message })),
      ),
    ];
  }

  return {
    ...{ retained, sessions, queues, counts, retain, enqueue, dequeue, subscribe, restore, snapshot },
    lastKey: () => lastKey,
  };
}
