import { expect, test } from 'vitest';
import { type Connection, nextConnection, RETRY_WAITS_MS, STALE_AFTER_MS } from './connection.ts';

const live: Connection = { state: 'live', heard_at: 1000 };

test('hearing_makes_live_from_any_state', () => {
  const states: Connection[] = [
    { state: 'loading' },
    live,
    { state: 'stale', heard_at: 1 },
    { state: 'disconnected', heard_at: 1, attempts: 3, retry_at: 9, reason: 'gone' },
  ];
  for (const state of states) {
    expect(nextConnection(state, { event: 'heard', at: 5 })).toEqual({ state: 'live', heard_at: 5 });
  }
});

test('silence_makes_stale_after_its_limit_and_not_before', () => {
  expect(nextConnection(live, { event: 'tick', at: 1000 + STALE_AFTER_MS - 1 })).toBe(live);
  expect(nextConnection(live, { event: 'tick', at: 1000 + STALE_AFTER_MS })).toEqual({
    state: 'stale',
    heard_at: 1000,
  });
});

test('a_failure_remembers_when_the_figures_were_heard', () => {
  expect(nextConnection(live, { event: 'failed', at: 2000, reason: 'gone' })).toEqual({
    state: 'disconnected',
    heard_at: 1000,
    attempts: 1,
    retry_at: 2000 + (RETRY_WAITS_MS[0] ?? 0),
    reason: 'gone',
  });
});

test('attempts_come_ever_less_often_up_to_a_limit', () => {
  let connection: Connection = { state: 'loading' };
  const waits = Array.from({ length: 8 }, () => {
    connection = nextConnection(connection, { event: 'failed', at: 0, reason: 'gone' });
    return connection.state === 'disconnected' ? connection.retry_at : -1;
  });
  expect(waits).toEqual([...RETRY_WAITS_MS, 15_000, 15_000, 15_000]);
});
