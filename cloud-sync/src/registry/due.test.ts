import { describe, expect, it } from 'vitest';
import { AGE_MAX_MS, type ReleaseChange, type ReleaseDecision, type ReleaseFacts, releaseDecision } from './due.ts';

const GROWN: ReleaseChange = { rowsReleased: 1_000, rowsNow: 2_000, membersChanged: false, ageMs: 8_000 };
const FACTS: ReleaseFacts = {
  offset: 5,
  doneOffset: 3,
  lastMonoMs: 1_000,
  nowMonoMs: 9_000,
  everyMs: 5_000,
  change: () => GROWN,
};

const changed = (change: Partial<ReleaseChange>) => ({ change: () => ({ ...GROWN, ...change }) });

describe('a release', () => {
  const cases: [string, Partial<ReleaseFacts>, ReleaseDecision][] = [
    ['is due when its time has passed and something is new', {}, { kind: 'release' }],
    ['is not made when nothing is new', { doneOffset: 5 }, { kind: 'nothing_new' }],
    ['waits for its turn', { nowMonoMs: 2_000 }, { kind: 'wait', ms: 4_000 }],
    ['is due at once after a start', { lastMonoMs: null, nowMonoMs: 0 }, { kind: 'release' }],
    ['is due at the very moment', { nowMonoMs: 6_000 }, { kind: 'release' }],
    ['is due when it is the first', { change: () => null }, { kind: 'release' }],
    ['is due at 5 % more rows', changed({ rowsNow: 1_050 }), { kind: 'release' }],
    ['is due when rows were lost', changed({ rowsNow: 900 }), { kind: 'release' }],
    ['is not worth it for less', changed({ rowsNow: 1_049 }), { kind: 'little_new', ms: AGE_MAX_MS - 8_000 }],
    ['is due when a gateway joined or left', changed({ rowsNow: 1_000, membersChanged: true }), { kind: 'release' }],
    ['is due after an hour for anything', changed({ rowsNow: 1_001, ageMs: AGE_MAX_MS }), { kind: 'release' }],
    [
      'is not hurried by a clock that was set back',
      changed({ rowsNow: 1_001, ageMs: -9_000_000 }),
      { kind: 'little_new', ms: AGE_MAX_MS },
    ],
    [
      'keeps to its turn whatever has changed',
      { nowMonoMs: 2_000, ...changed({ membersChanged: true }) },
      { kind: 'wait', ms: 4_000 },
    ],
  ];
  it.each(cases)('%s', (_, facts, decision) => expect(releaseDecision({ ...FACTS, ...facts })).toEqual(decision));
});
