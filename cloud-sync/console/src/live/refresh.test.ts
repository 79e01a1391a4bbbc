import { beforeEach, expect, test } from 'vitest';
import { readFleet } from '../model/wire.ts';
import { route } from '../route.ts';
import { keepFresh, REFRESH_EVERY_MS, REFRESH_SOON_MS } from './refresh.ts';
import { connection, curves, releases, takeFleet } from './store.ts';

let now = 0;
let look = (): void => {};
let asked: string[] = [];
let visible = true;

async function at(ms: number): Promise<string[]> {
  asked = [];
  now = ms;
  look();
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  return asked;
}

function start(refused?: string): () => void {
  return keepFresh({
    now: () => now,
    every: (_ms, action) => {
      look = action;
      return () => {};
    },
    get: async (path) => {
      asked.push(path);
      if (path === refused) throw new Error('refused');
      return path.includes('curve') ? { points: [] } : [];
    },
    visible: () => visible,
  });
}

beforeEach(() => {
  visible = true;
  route.value = { page: 'fleet', task: null };
  connection.value = { state: 'live', heard_at: 0 };
  curves.value = new Map();
  releases.value = new Map();
  takeFleet(
    readFleet({
      gateways: [
        { id: 'a/b', tasks: [{ name: 't' }] },
        { id: 'c', tasks: [{ name: 'u' }] },
      ],
    }),
    0,
  );
});

test('it_asks_for_models_and_for_the_curve_and_releases_of_every_task', async () => {
  start();
  expect(await at(0)).toEqual([
    'api/v1/tasks',
    'api/v1/tasks/t/curve',
    'api/v1/releases?task=t',
    'api/v1/tasks/u/curve',
    'api/v1/releases?task=u',
    'api/v1/quarantine?limit=20',
    'api/v1/audit?limit=20',
  ]);
});

test('on_the_page_of_a_gateway_it_asks_for_that_gateway_and_its_tasks_only', async () => {
  route.value = { page: 'gateway', id: 'a/b' };
  start();
  expect(await at(0)).toEqual([
    'api/v1/gateways/a%2Fb',
    'api/v1/tasks',
    'api/v1/tasks/t/curve',
    'api/v1/releases?task=t',
  ]);
});

test('it_asks_again_only_when_it_is_time', async () => {
  start();
  await at(0);
  expect(await at(REFRESH_EVERY_MS - 1)).toEqual([]);
  expect(await at(REFRESH_EVERY_MS)).not.toEqual([]);
});

test('a_burst_of_news_costs_one_early_round', async () => {
  const soon = start();
  await at(0);
  for (let piece = 0; piece < 100; piece += 1) soon();
  expect(await at(REFRESH_SOON_MS - 1)).toEqual([]);
  expect(await at(REFRESH_SOON_MS)).not.toEqual([]);
  expect(await at(REFRESH_SOON_MS + 500)).toEqual([]);
});

test('a_hidden_page_or_a_coordinator_that_is_away_is_left_in_peace', async () => {
  start();
  visible = false;
  expect(await at(0)).toEqual([]);
  visible = true;
  connection.value = { state: 'stale', heard_at: 0 };
  expect(await at(60_000)).toEqual([]);
});

test('one_list_that_is_refused_does_not_keep_the_others_away', async () => {
  start('api/v1/tasks/t/curve');
  await at(0);
  expect(curves.value.has('t')).toBe(false);
  expect(curves.value.has('u')).toBe(true);
  expect(releases.value.has('t')).toBe(true);
});
