import { expect, test } from 'vitest';
import { decisionInWords } from './records.ts';
import { readDecisions, readModels, readRefused } from './wire.ts';

const told = (action: string, detail: object) =>
  decisionInWords({ at: 1, action, subject: 's', detail: detail as Record<string, unknown> });

test('a_decision_says_what_it_did', () => {
  const hash = '0123456789abcdef';
  expect(told('pin', { champion: hash, before: null })).toBe('gateways are told 0123456789 instead of none');
  expect(told('forget', { models: [1], not_removable: [] })).toBe('taken out of 1 model');
  expect(told('forget', { models: [1, 2], not_removable: ['a'] })).toBe(
    'taken out of 2 models; 1 earlier release was made with it',
  );
  expect(told('allow_return', {})).toBe('its deltas are taken again');
});

test('a_decision_of_a_later_version_has_no_words_and_does_no_harm', () => {
  expect(told('quorum', {})).toBe('');
  expect(told('forget', { models: 7 })).toBe('taken out of 0 models');
});

test('records_are_read_bare_and_absent_fields_are_absent', () => {
  expect(readDecisions([{ at: 5, action: 'pin', subject: 't' }])).toEqual([
    { at: 5, action: 'pin', subject: 't', detail: {} },
  ]);
  expect(readRefused([{ code: 'RIV_X', gateway: null }])).toEqual([
    { at: null, gateway: null, code: 'RIV_X', reason: '' },
  ]);
  const suspects = [{ gateway: 'g', distance: 9.5, limit: 4 }];
  expect(readModels([{ task: 't', head: 'ab', pinned: true, suspects }])[0]).toMatchObject({
    head: 'ab',
    pinned: true,
    previous: null,
    suspects: [{ gateway: 'g', since: null, distance: 9.5, limit: 4 }],
  });
});
