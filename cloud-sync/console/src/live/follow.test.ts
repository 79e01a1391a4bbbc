import { beforeEach, expect, test } from 'vitest';
import { type Connection, STALE_AFTER_MS } from './connection.ts';
import { type EventStream, type Following, follow } from './follow.ts';

/** A coordinator and a clock in memory. */
function world() {
  let now = 0;
  let tick = (): void => {};
  const streams: { closed: boolean; send: (type: string, data?: string) => void }[] = [];
  const asked: string[] = [];
  const states: string[] = [];
  const sentences: string[] = [];
  const news: string[] = [];
  const self = {
    streams,
    asked,
    states,
    sentences,
    news,
    answers: true,
    following: undefined as Following | undefined,
    async pass(seconds: number) {
      for (let second = 0; second < seconds; second += 1) {
        now += 1000;
        tick();
        for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
      }
    },
    start() {
      self.following = follow(
        {
          now: () => now,
          every: (_ms, action) => {
            tick = action;
            return () => {
              tick = () => {};
            };
          },
          open: () => {
            const listeners = new Map<string, (event: { data?: unknown }) => void>();
            const stream = {
              closed: false,
              send: (type: string, data?: string) => listeners.get(type)?.(data === undefined ? {} : { data }),
            };
            streams.push(stream);
            return {
              addEventListener: (type, listener) => void listeners.set(type, listener),
              close: () => {
                stream.closed = true;
              },
            } satisfies EventStream;
          },
          get: async (path) => {
            asked.push(path);
            if (!self.answers) throw new Error('refused');
            return { sentence: `asked ${asked.length}`, gateways: [] };
          },
        },
        {
          fleet: (fleet) => sentences.push(fleet.sentence),
          connection: (connection: Connection) => states.push(connection.state),
          news: (what) => news.push(what),
        },
      );
    },
  };
  return self;
}

let it: ReturnType<typeof world>;
beforeEach(async () => {
  it = world();
  it.start();
  await it.pass(1);
});

test('it_asks_once_then_listens', () => {
  expect(it.states).toEqual(['live']);
  expect(it.streams).toHaveLength(1);
  it.streams[0]?.send('fleet', JSON.stringify({ sentence: 'by event', gateways: [] }));
  expect(it.sentences).toEqual(['asked 1', 'by event']);
});

test('a_closed_stream_is_a_failure_and_the_next_attempt_listens_again', async () => {
  it.streams[0]?.send('error');
  expect(it.states.at(-1)).toBe('disconnected');
  expect(it.streams[0]?.closed).toBe(true);
  await it.pass(2);
  expect(it.states.at(-1)).toBe('live');
  expect(it.streams).toHaveLength(2);
});

test('a_coordinator_that_is_away_is_asked_less_and_less_and_found_again', async () => {
  it.answers = false;
  it.streams[0]?.send('error');
  await it.pass(60);
  expect(it.asked.length).toBeLessThan(9);
  it.answers = true;
  await it.pass(16);
  expect(it.states.at(-1)).toBe('live');
});

test('a_silent_stream_makes_stale_and_one_question_tells_whether_it_is_true', async () => {
  await it.pass(STALE_AFTER_MS / 1000);
  expect(it.states).toEqual(['live', 'stale', 'live']);
  expect(it.streams).toHaveLength(1);
});

test('a_body_that_cannot_be_read_is_a_failure_and_never_shown', () => {
  it.streams[0]?.send('fleet', '{"gateways":');
  expect(it.states.at(-1)).toBe('disconnected');
  expect(it.sentences).toEqual(['asked 1']);
});

test('a_retry_by_hand_does_not_wait', async () => {
  it.answers = false;
  it.streams[0]?.send('error');
  await it.pass(20);
  it.answers = true;
  it.following?.retry();
  await it.pass(1);
  expect(it.states.at(-1)).toBe('live');
});

test('news_is_handed_on', () => {
  it.streams[0]?.send('release');
  it.streams[0]?.send('gateway');
  expect(it.news).toEqual(['release', 'gateway']);
});

test('after_a_stop_nothing_is_asked_any_more', async () => {
  it.following?.stop();
  await it.pass(60);
  expect(it.asked).toHaveLength(1);
  expect(it.streams[0]?.closed).toBe(true);
});
