import { describe, expect, it } from 'vitest';
import { type ReleaseDecision, type ReleaseFacts, releaseDecision } from './due.ts';

const FACTS: ReleaseFacts = { offset: 5, doneOffset: 3, lastMonoMs: 1_000, nowMonoMs: 9_000, everyMs: 5_000 };

describe('a release', () => {
  const cases: [string, Partial<ReleaseFacts>, ReleaseDecision][] = [
    ['is due when its time has passed and something is new', {}, { kind: 'release' }],
    ['is not made when nothing is new', { doneOffset: 5 }, { kind: 'nothing_new' }],
    ['waits for its turn', { nowMonoMs: 2_000 }, { kind: 'wait', ms: 4_000 }],
    ['is due at once after a start', { lastMonoMs: null, nowMonoMs: 0 }, { kind: 'release' }],
    ['is due at the very moment', { nowMonoMs: 6_000 }, { kind: 'release' }],
  ];
  it.each(cases)('%s', (_, facts, decision) => expect(releaseDecision({ ...FACTS, ...facts })).toEqual(decision));
});
