/** Names in a payload are the sender's: where a bad value stands may be as long as a payload. */
import { expect, it } from 'vitest';
import { foldMessages } from '../support/fold.ts';

const SOURCE =
  '  - { name: site, topic: "site/{device}", key: "{device}", fields: { level: { path: "*.level", range: [0, 10] } } }';

it.each([
  ['a short name', 'k', 3, '/kkk/level'],
  ['a name above 64 KiB', 'k', 70_000, `/${'k'.repeat(1022)}…`],
  ['a name that doubles as a pointer', '~', 120_000, `/${'~0'.repeat(511)}…`],
])('a bad value under %s is quarantined with its place', (_what, character, length, place) => {
  const payload = JSON.stringify({ [character.repeat(length)]: { level: 99 } });
  const { outputs } = foldMessages(SOURCE, [{ topic: 'site/a', payload }]);
  expect(outputs.filter(({ kind }) => kind === 'quarantine')).toMatchObject([{ path: place }]);
});
