import { describe, expect, test } from 'vitest';
import { createWritePace } from './write_pace.ts';

/** A pace after these writes, each `[how many, ms]`. */
function after(...writes: [number, number][]) {
  const pace = createWritePace();
  for (const [count, ms] of writes) for (let n = 0; n < count; n++) pace.took(ms);
  return pace;
}

describe('where a durable write is done', () => {
  test.each<[string, [number, number][], boolean]>([
    ['a disk that is not known yet', [[63, 0.2]], false],
    ['a disk that answers at once', [[64, 0.2]], true],
    [
      'a disk that seldom takes its time',
      [
        [500, 0.2],
        [1, 5],
        [1, 0.2],
      ],
      true,
    ],
    [
      'a disk that is slow again and again',
      [
        [500, 0.2],
        [40, 5],
      ],
      false,
    ],
    [
      'a disk that was slow and is quick again',
      [
        [500, 5],
        [100, 0.2],
      ],
      true,
    ],
    [
      'a disk that has just stalled',
      [
        [500, 0.2],
        [1, 30],
        [63, 0.2],
      ],
      false,
    ],
    [
      'a disk that has stalled once',
      [
        [500, 0.2],
        [1, 30],
        [64, 0.2],
      ],
      true,
    ],
    [
      'a disk that stalls again and again',
      [[500, 0.2], ...Array.from({ length: 10 }, (): [number, number] => [1, 30]), [4095, 0.2]],
      false,
    ],
    [
      'a disk whose stalls are long ago',
      [[500, 0.2], ...Array.from({ length: 10 }, (): [number, number] => [1, 30]), [4096, 0.2]],
      true,
    ],
    [
      'a disk that stalls once more long after',
      [[500, 0.2], ...Array.from({ length: 10 }, (): [number, number] => [1, 30]), [4096, 0.2], [1, 30], [64, 0.2]],
      true,
    ],
  ])('%s', (_, writes, atOnce) => {
    expect(after(...writes).atOnce(20_000)).toBe(atOnce);
  });

  test('a large write is done elsewhere', () => {
    expect(after([64, 0.2]).atOnce(65_537)).toBe(false);
  });
});
