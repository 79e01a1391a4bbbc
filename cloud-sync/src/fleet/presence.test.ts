import { describe, expect, it } from 'vitest';
import { heard, isUp, type Presence, reported } from './presence.ts';

function reportsAt(...times: number[]): Presence {
  return times.reduce<Presence | null>((presence, time) => reported(presence, time), null) as Presence;
}

describe('presence', () => {
  it('is down after three of its own intervals of silence', () => {
    const presence = reportsAt(0, 2_000, 4_000);
    expect(isUp(presence, 10_000)).toBe(true);
    expect(isUp(presence, 10_001)).toBe(false);
  });

  it('takes a slow gateway at its own pace', () => {
    expect(isUp(reportsAt(0, 300_000, 600_000), 1_500_000)).toBe(true);
    expect(isUp(reportsAt(0, 300_000, 600_000), 1_500_001)).toBe(false);
  });

  it('gives a fast gateway three seconds all the same', () => {
    expect(isUp(reportsAt(0, 50, 100), 3_050)).toBe(true);
  });

  it('gives one that has reported once the benefit of the doubt for a minute', () => {
    expect(isUp(reportsAt(0), 59_000)).toBe(true);
    expect(isUp(reportsAt(0), 61_000)).toBe(false);
  });

  it('does not take an outage for an interval', () => {
    const presence = reportsAt(0, 1_000, 2_000, 3_600_000, 3_601_000);
    expect(isUp(presence, 3_605_000)).toBe(false);
  });

  it('counts anything signed as a sign of life', () => {
    expect(isUp(heard(reportsAt(0, 1_000), 9_000), 11_000)).toBe(true);
  });

  it('knows nothing of one that never spoke', () => {
    expect(isUp(null, 0)).toBe(false);
  });
});
