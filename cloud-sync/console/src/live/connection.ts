// What the page knows about its coordinator, as one value: a pure transition function, so that every state a person can
// see is a row of a table in the tests. Acting on it (sockets, timers) is live/follow.ts.

/** Silence after which the figures are called stale; the coordinator speaks about once a second when anything changes. */
export const STALE_AFTER_MS = 10_000;
/** Waits between attempts; the last one repeats. */
export const RETRY_WAITS_MS: readonly number[] = [1000, 2000, 4000, 8000, 15_000];

export type Connection =
  | { state: 'loading' }
  | { state: 'live'; heard_at: number }
  | { state: 'stale'; heard_at: number }
  | { state: 'disconnected'; heard_at: number | null; attempts: number; retry_at: number; reason: string };

export type ConnectionEvent =
  | { event: 'heard'; at: number }
  | { event: 'failed'; at: number; reason: string }
  | { event: 'tick'; at: number };

export function nextConnection(connection: Connection, event: ConnectionEvent): Connection {
  switch (event.event) {
    case 'heard':
      return { state: 'live', heard_at: event.at };
    case 'failed': {
      const attempts = connection.state === 'disconnected' ? connection.attempts + 1 : 1;
      const wait = RETRY_WAITS_MS[Math.min(attempts, RETRY_WAITS_MS.length) - 1] ?? 0;
      return {
        state: 'disconnected',
        heard_at: heardAt(connection),
        attempts,
        retry_at: event.at + wait,
        reason: event.reason,
      };
    }
    case 'tick':
      return connection.state === 'live' && event.at - connection.heard_at >= STALE_AFTER_MS
        ? { state: 'stale', heard_at: connection.heard_at }
        : connection;
  }
}

export function heardAt(connection: Connection): number | null {
  return connection.state === 'loading' ? null : connection.heard_at;
}
