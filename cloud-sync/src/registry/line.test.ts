import { describe, expect, it } from 'vitest';
import { continuesLine, membersChanged } from './line.ts';

const entry = (gateway: string, seq: number, incarnation = 'aa') => ({ gateway, incarnation, seq });
const PARENT = [entry('a', 3), entry('b', 7)];

describe('a line of releases', () => {
  it.each([
    ['goes on with later deltas', [entry('a', 4), entry('b', 7)], true, false],
    ['goes on when a gateway joins', [entry('a', 3), entry('b', 8), entry('c', 1)], true, true],
    ['ends when a gateway leaves', [entry('a', 9)], false, true],
    ['ends when a gateway begins anew', [entry('a', 3, 'bb'), entry('b', 7)], false, true],
    ['ends when a gateway steps back', [entry('a', 2), entry('b', 7)], false, true],
  ] as const)('%s', (_, later, continues, changed) => {
    expect(continuesLine(PARENT, later)).toBe(continues);
    expect(membersChanged(PARENT, later)).toBe(changed);
  });
});
