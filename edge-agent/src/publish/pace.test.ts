import { describe, expect, test } from 'vitest';
import { createPace } from './pace.ts';

describe('the pace of a feed', () => {
  test('event time passes at the speed', () => {
    const pace = createPace(3600);
    expect([pace.waitFor(0, 500), pace.waitFor(3_600_000, 500), pace.waitFor(7_200_000, 1500)]).toEqual([
      0, 1000, 1000,
    ]);
  });

  test('a delay of a timer is caught up, a slow gateway moves everything later', () => {
    const pace = createPace(1);
    pace.waitFor(0, 0);
    expect(pace.waitFor(1000, 1100)).toBe(0);
    expect(pace.waitFor(2000, 1200)).toBe(800);
    expect(pace.waitFor(3000, 9000)).toBe(0);
    expect(pace.waitFor(4000, 9000)).toBe(1000);
    expect(pace.slowed_ms).toBe(6000);
  });

  test('without a limit nothing waits', () => {
    const pace = createPace(Number.POSITIVE_INFINITY);
    expect([pace.waitFor(0, 0), pace.waitFor(1e12, 1)]).toEqual([0, 0]);
  });
});
