import { describe, expect, it } from 'vitest';
import { decideRecovery, type RecoveryFacts } from './recovery.ts';

const slot = { nextSequence: 50, sameKernel: true };

describe('the decision where the fold begins', () => {
  const findings = { present: false, why: 'a.rvcp: not there' };
  type Facts = Omit<RecoveryFacts, 'findings'> & { findings?: Partial<RecoveryFacts['findings']> };
  const table: [string, Facts, object][] = [
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
      'checkpoints that this core does not open are passed over when the log is whole',
      { slot: null, oldestSequence: 0, nextSequence: 60, findings: { why: 'b.rvcp: of next year' } },
      { kind: 'refold', why: 'there is no checkpoint that opens (b.rvcp: of next year)' },
    ],
    [
      'a log that ends before a checkpoint which does not open has lost data as well',
      { slot, oldestSequence: 0, nextSequence: 60, findings: { furthestSequence: 61 } },
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
    const furthestSequence = facts.slot?.nextSequence ?? 0;
    const found = { ...findings, furthestSequence, ...facts.findings };
    expect(decideRecovery({ ...facts, findings: found })).toMatchObject(expected);
  });
});
