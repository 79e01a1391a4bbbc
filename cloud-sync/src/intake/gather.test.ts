import { describe, expect, it } from 'vitest';
import type { Outcome } from '../drivers/store.ts';
import { openGather } from './gather.ts';

function settle<T>(work: () => T): Outcome<T> {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

describe('what comes together', () => {
  it('is carried out together, and each gets its own answer', async () => {
    const groups: number[] = [];
    const gather = openGather((works) => {
      groups.push(works.length);
      return works.map(settle);
    });
    const answers = await Promise.allSettled([
      gather(() => 1),
      gather(() => {
        throw new Error('not this one');
      }),
      gather(() => 3),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await gather(() => 4)).toBe(4);
    expect(groups).toEqual([3, 1]);
  });

  it('is cut into groups, in the order it came', async () => {
    const groups: number[] = [];
    const done: number[] = [];
    const gather = openGather((works) => {
      groups.push(works.length);
      return works.map(settle);
    });
    await Promise.all(Array.from({ length: 600 }, (_, at) => gather(() => done.push(at))));
    expect(groups).toEqual([256, 256, 88]);
    expect(done).toHaveLength(600);
    expect(done.every((at, place) => at === place)).toBe(true);
  });

  it('fails together when the disk takes none of it', async () => {
    const gather = openGather(() => {
      throw new Error('disk full');
    });
    const answers = await Promise.allSettled([gather(() => 1), gather(() => 2)]);
    expect(answers.every(({ status }) => status === 'rejected')).toBe(true);
  });
});
