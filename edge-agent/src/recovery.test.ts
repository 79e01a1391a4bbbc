import { describe, expect, it } from 'vitest';
import { decideRecovery, type RecoveryFacts } from './recovery.ts';

const slot = { nextSequence: 50, sameKernel: true, refusal: null };

describe('the decision where the fold begins', () => {
  const findings = { present: false, why: 'a.rvcp: not there' };
  const table: [string, Omit<RecoveryFacts, 'findings'> & Partial<RecoveryFacts>, object][] = [
    ['an empty log begins', { slot: null, oldestSequence: 0, nextSequence: 0 }, { kind: 'begin' }],
    [
      'a checkpoint is resumed from',
      { slot, oldestSequence: 0, nextSequence: 60 },
      { kind: 'resume', fromSequence: 50 },
    ],
    [
      'a checkpoint at the very end is resumed from',
      { slot, oldestSequence: 20, nextSequence: 50 },
      { kind: 'resume', fromSequence: 50 },
    ],
    [
      'a whole log without a checkpoint is folded again',
      { slot: null, oldestSequence: 0, nextSequence: 60 },
      { kind: 'refold' },
    ],
    [
      'another core folds a whole log again',
      { slot: { ...slot, sameKernel: false }, oldestSequence: 0, nextSequence: 60 },
      { kind: 'refold' },
    ],
    [
      'another core resumes when the log no longer reaches back',
      { slot: { ...slot, sameKernel: false }, oldestSequence: 20, nextSequence: 60 },
      { kind: 'resume', fromSequence: 50, why: 'older core' },
    ],
    [
      'a checkpoint ahead of the log is refused: acknowledged data is gone',
      { slot, oldestSequence: 0, nextSequence: 40 },
      { kind: 'refuse' },
    ],
    [
      'a lost checkpoint and a cut log are refused',
      { slot: null, oldestSequence: 20, nextSequence: 60 },
      { kind: 'refuse' },
    ],
    [
      'a checkpoint that this core does not open is passed over when the log is whole',
      { slot: { ...slot, refusal: 'RIV_CORE_TOO_NEW' }, oldestSequence: 0, nextSequence: 60 },
      { kind: 'refold', why: 'this core does not open the checkpoint (RIV_CORE_TOO_NEW)' },
    ],
    [
      'and refused when it is not: nothing is left out silently',
      { slot: { ...slot, refusal: 'RIV_CORE_TOO_NEW' }, oldestSequence: 20, nextSequence: 60 },
      { kind: 'refuse' },
    ],
    [
      'an empty log beside checkpoints that do not open is refused: there was one',
      { slot: null, oldestSequence: 0, nextSequence: 0, findings: { present: true, why: 'a.rvcp: damaged' } },
      { kind: 'refuse' },
    ],
    ['a gap between checkpoint and log is refused', { slot, oldestSequence: 55, nextSequence: 60 }, { kind: 'refuse' }],
  ];
  it.each(table)('%s', (_, facts, expected) => {
    expect(decideRecovery({ findings, ...facts })).toMatchObject(expected);
  });
});
