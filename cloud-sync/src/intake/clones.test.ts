import { systemClock } from '@rivulet/host';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSqlite } from '../drivers/sqlite.ts';
import type { Store } from '../drivers/store.ts';
import { openClones } from './clones.ts';

let store: Store;
beforeEach(() => {
  store = openSqlite(':memory:');
  const gateway = { id: 'g', publicKey: Buffer.alloc(32), about: '', simulated: false };
  store.directory.enrol({ ...gateway, enrolledMs: 0, lastSeenMs: 0, report: null }, 'aa');
});
afterEach(() => store.close());

it('the one that is left is no clone, whoever of the two spoke last', () => {
  const clones = openClones(store, systemClock());
  const spoke = (...incarnations: string[]) => incarnations.map((incarnation) => clones.spoke('g', incarnation));
  expect(spoke('aa', 'bb', 'aa', 'bb', 'aa')).toEqual([false, false, false, false, true]);
  expect(spoke('bb', 'aa', 'bb', 'aa', 'bb')).not.toContain(true);
  store.clones.remove('g');
  expect(spoke('aa', 'aa', 'aa')).not.toContain(true);
  expect(store.clones.since('g')).toBeNull();
  expect(spoke('bb', 'aa', 'bb', 'aa')).toContain(true);
});
