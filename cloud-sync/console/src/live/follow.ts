// Follows one coordinator: server-sent events for what changes, a plain request when they fall silent, and a new attempt
// after a failure. It acts; what to make of things is decided in live/connection.ts. Everything it touches is passed in.
import { type Fleet, readFleet } from '../model/wire.ts';
import { type Connection, nextConnection } from './connection.ts';

/** A request that takes longer has failed; the coordinator answers from memory. */
export const REQUEST_TIMEOUT_MS = 6000;
/** While the events are silent the fleet is asked for this often. */
const ASK_EVERY_MS = 10_000;
const TICK_MS = 1000;

/** The part of EventSource that is used. */
export interface EventStream {
  addEventListener(type: string, listener: (event: { data?: unknown }) => void): void;
  close(): void;
}

export interface FollowCapabilities {
  now(): number;
  every(ms: number, action: () => void): () => void;
  open(path: string): EventStream;
  get(path: string): Promise<unknown>;
}

export interface FollowListener {
  fleet(fleet: Fleet, at: number): void;
  connection(connection: Connection): void;
  /** A release or a gateway is new; lists that show them should be asked for again. */
  news(what: 'release' | 'gateway'): void;
}

export interface Following {
  /** Tries again at once. */
  retry(): void;
  stop(): void;
}

export function follow(can: FollowCapabilities, tell: FollowListener): Following {
  let connection: Connection = { state: 'loading' };
  let stream: EventStream | null = null;
  let asking = false;
  let askedAt = 0;

  const become = (next: Connection): void => {
    if (next === connection) return;
    connection = next;
    tell.connection(next);
  };

  const take = (body: unknown): void => {
    const fleet = readFleet(body);
    become(nextConnection(connection, { event: 'heard', at: can.now() }));
    tell.fleet(fleet, can.now());
  };

  const fail = (reason: string): void => {
    stream?.close();
    stream = null;
    become(nextConnection(connection, { event: 'failed', at: can.now(), reason }));
  };

  const ask = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    askedAt = can.now();
    try {
      take(await can.get('api/v1/fleet'));
      if (stream === null) listen();
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
    } finally {
      asking = false;
    }
  };

  const listen = (): void => {
    const own = can.open('api/v1/events');
    stream = own;
    own.addEventListener('fleet', (event) => {
      if (stream !== own) return;
      try {
        take(JSON.parse(String(event.data)));
      } catch (error) {
        fail(error instanceof Error ? error.message : String(error));
      }
    });
    own.addEventListener('release', () => tell.news('release'));
    own.addEventListener('gateway', () => tell.news('gateway'));
    own.addEventListener('error', () => {
      if (stream === own) fail('the connection was closed');
    });
  };

  const stopTicking = can.every(TICK_MS, () => {
    const now = can.now();
    become(nextConnection(connection, { event: 'tick', at: now }));
    if (connection.state === 'disconnected' && now >= connection.retry_at) void ask();
    if (connection.state === 'stale' && now - askedAt >= ASK_EVERY_MS) void ask();
  });

  void ask();
  return {
    retry: () => void ask(),
    stop: () => {
      stopTicking();
      stream?.close();
      stream = null;
    },
  };
}
