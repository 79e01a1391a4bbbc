import { describe, expect, it } from 'vitest';
import { createTicks } from './ticks.ts';

const clock = { wallMs: () => Date.now(), monoUs: () => 0, boot: 0 };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('ticks', () => {
  it('come when the deadline is due, and not before', async () => {
    let due = Date.now() + 60;
    let ticked = 0;
    const ticks = createTicks(
      clock,
      () => due,
      () => {
        ticked += 1;
        due = Number.POSITIVE_INFINITY;
      },
    );
    ticks.arm();
    await pause(20);
    expect(ticked).toBe(0);
    await pause(100);
    expect(ticked).toBe(1);
    ticks.arm();
    await pause(50);
    expect(ticked).toBe(1);
    ticks.stop();
  });

  it('come at most once a second, even when the deadline stays in the past', async () => {
    let ticked = 0;
    const ticks = createTicks(
      clock,
      () => 0,
      () => {
        ticked += 1;
        setImmediate(() => ticks.arm());
      },
    );
    ticks.arm();
    await pause(400);
    expect(ticked).toBe(1);
    ticks.stop();
  });
});
