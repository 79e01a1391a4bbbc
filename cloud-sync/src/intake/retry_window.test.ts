import { describe, expect, it } from 'vitest';
import { CALLS_PER_S, retryWindow } from './retry_window.ts';

describe('the retry window', () => {
  it.each([
    ['no gateway', 0, false, { from: 0, to: 0 }],
    ['a fleet that one second serves', CALLS_PER_S, false, { from: 0.5, to: 1.5 }],
    ['a hundred times as many', 100 * CALLS_PER_S, false, { from: 50, to: 150 }],
    ['a small fleet at a busy coordinator', 3, true, { from: 1, to: 5 }],
    ['a large one', 100 * CALLS_PER_S, true, { from: 50, to: 150 }],
  ])('of %s', (_, gateways, busy, window) => {
    expect(retryWindow(gateways, busy)).toEqual(window);
  });
});
