import { expect, test } from 'vitest';
import { addsUp, reasonsOf, sumOfLedgers } from './ledger.ts';
import type { Ledger } from './wire.ts';

const ledger: Ledger = { received: 21, used: 1, late: 2, duplicate: 3, retained: 4, filtered: 5, quarantined: 6 };

test('a_ledger_adds_up_when_the_six_classes_make_what_was_received', () => {
  expect(addsUp(ledger)).toBe(true);
  expect(addsUp({ ...ledger, late: 1 })).toBe(false);
});

test('the_sum_of_ledgers_that_add_up_adds_up', () => {
  const sum = sumOfLedgers([ledger, ledger]);
  expect(sum.received).toBe(42);
  expect(addsUp(sum)).toBe(true);
});

test('reasons_are_told_with_their_counts', () => {
  expect(reasonsOf({ quarantined_by: { RIV_CORE_STUCK: 3 }, violations: { stuck: 3, range: 1200 } })).toEqual([
    '3 quarantined: RIV_CORE_STUCK',
    '3 readings stuck',
    '1,200 readings out of range',
  ]);
  expect(reasonsOf({ quarantined_by: {}, violations: {} })).toEqual([]);
});
