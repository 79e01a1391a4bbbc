import { describe, expect, it } from 'vitest';
import type { GatewayView, TaskView } from '../api/views.ts';
import { fleetSentence } from './sentence.ts';

function task(name: string, error: number | null, baseline: number | null, over: Partial<TaskView> = {}): TaskView {
  return {
    name,
    kind: 'forecast',
    error,
    error_last_value: baseline,
    recent_error: null,
    recent_error_last_value: null,
    predictions: 100,
    matured: error === null ? 0 : 100,
    alarms: 0,
    schema: null,
    release: null,
    panel: [],
    drift: { alarms: 0, newest: [] },
    labels: { conflicting: 0, open: false },
    ...over,
  };
}

function gateway(id: string, up: boolean, tasks: TaskView[] = []): GatewayView {
  return {
    id,
    about: '',
    simulated: false,
    up,
    last_seen: 0,
    messages: 0,
    messages_per_s: 137.3,
    predictions_per_s: 0,
    ledger: { received: 0, used: 0, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 },
    cpu_us_per_message: null,
    rss_mib: null,
    releases_accepted: 0,
    connected: true,
    last_error: null,
    cloned_since: null,
    tasks,
  };
}

describe('the fleet sentence', () => {
  const cases: [string, GatewayView[], string][] = [
    ['says so when nobody is there', [], 'No gateway has enrolled yet.'],
    ['speaks of one gateway in the singular', [gateway('a', true)], '1 of 1 gateway is up; 137 messages/s.'],
    [
      'claims nothing before there are labels',
      [gateway('a', true, [task('t', null, null)])],
      '1 of 1 gateway is up; 137 messages/s; too few labels yet to judge the predictions.',
    ],
    [
      'says what is better, over all gateways',
      [gateway('a', true, [task('t', 0.6, 1)]), gateway('b', true, [task('t', 0.72, 1)])],
      '2 of 2 gateways are up; 275 messages/s; t is 34 % better than last value.',
    ],
    [
      'says what is worse just as plainly',
      [gateway('a', false, [task('t', 1.2, 1)]), gateway('b', true, [task('c', 0.1, 0.1, { kind: 'classification' })])],
      '1 of 2 gateways are up; 137 messages/s; c is no better than last class; t is 20 % worse than last value.',
    ],
    [
      'speaks of now when there are recent labels',
      [gateway('a', true, [task('t', 2, 1, { recent_error: 0.5, recent_error_last_value: 1 })])],
      '1 of 1 gateway is up; 137 messages/s; t is 50 % better than last value.',
    ],
    [
      'does not judge on a handful of labels',
      [gateway('a', true, [task('t', 0.1, 1, { matured: 29 })])],
      '1 of 1 gateway is up; 137 messages/s; too few labels yet to judge the predictions.',
    ],
    [
      'counts the tasks it does not name',
      [
        gateway(
          'a',
          true,
          ['p', 'q', 'r', 's', 't'].map((name, at) => task(name, at === 4 ? 2 : 0.5, 1)),
        ),
      ],
      '1 of 1 gateway is up; 137 messages/s; p is 50 % better than last value; q is 50 % better than last value; r is 50 % better than last value; 1 of 2 other tasks beat theirs.',
    ],
    ['says when all is silent', [gateway('a', false), gateway('b', false)], '0 of 2 gateways are up.'],
  ];
  it.each(cases)('%s', (_, gateways, sentence) => expect(fleetSentence(gateways)).toBe(sentence));
});
