import { describe, expect, it } from 'vitest';
import { disagreement, isWorthTelling, openAllowance } from './talk.ts';

describe('what was learned goes out by time', () => {
  it.each([
    ['at first', 100, undefined, true],
    ['when a hundredth is new', 101, { rows: 100, monoMs: 0 }, true],
    ['not when it is less', 1009, { rows: 1000, monoMs: 0 }, false],
    ['after an hour whatever it is', 1001, { rows: 1000, monoMs: -3_600_000 }, true],
    ['when the task began anew', 10, { rows: 1000, monoMs: 0 }, true],
  ])('%s', (_, rows, told, worth) => {
    expect(isWorthTelling(rows, told, 0)).toBe(worth);
  });
});

describe('a release', () => {
  const expert = (name: string, error: number | null, labels = 100) => ({ expert: name, weight: 0, error, labels });
  it.each([
    [
      'that does clearly worse than the own experts is disagreed with',
      [expert('sgd', 1), expert('release lda', 1.3)],
      'r',
    ],
    ['whose best part does well is not', [expert('sgd', 1), expert('release lda', 9), expert('release fork', 1)], null],
    ['that nothing is known of is not', [expert('sgd', 1), expert('release lda', 9, 10)], null],
    ['beside own experts that know nothing is not', [expert('sgd', null), expert('release lda', 9)], null],
  ])('%s', (_, panel, found) => {
    expect(disagreement({ release: 'r', panel })).toBe(found);
    expect(disagreement({ release: null, panel })).toBe(null);
  });
});

describe('a budget of bytes per day', () => {
  it('fills evenly, keeps an hour, may be overdrawn by one call, and holds over a day', () => {
    let nowMs = 0;
    const perDay = 240_000;
    const allowance = openAllowance(perDay, () => nowMs);
    expect(allowance.left()).toBeCloseTo(10_000);
    allowance.spend(25_000);
    expect(allowance.left()).toBeCloseTo(-15_000);
    expect(allowance.waitMs()).toBe(1.5 * 3_600_000);
    nowMs += allowance.waitMs() + 1;
    expect(allowance.waitMs()).toBe(0);
    let spent = 0;
    const until = nowMs + 86_400_000;
    while (nowMs < until) {
      allowance.spend(3_000);
      spent += 3_000;
      nowMs += Math.max(1_000, allowance.waitMs());
    }
    expect(spent).toBeGreaterThan(0.9 * perDay);
    expect(spent).toBeLessThan(perDay + 3_000 + 10_000);
    nowMs += 100 * 86_400_000;
    expect(allowance.left()).toBeCloseTo(10_000);
  });

  it('leaves half of it to deltas and releases', () => {
    expect(openAllowance(864_000, () => 0).intervalMs(1_000)).toBe(200_000);
    const none = openAllowance(null, () => 0);
    expect([none.left(), none.waitMs(), none.intervalMs(5)]).toEqual([null, 0, 0]);
  });
});
