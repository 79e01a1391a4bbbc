import { describe, expect, it } from 'vitest';
import { createTicks } from './ticks.ts';

const clock = { wallMs: () => Date.now(), monoUs: () => performance.now() * 1000, boot: 0 };
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

  it.each([
    ['forward', 86_400_000],
    ['back', -86_400_000],
  ])('come when they are due though the clock was set %s by a day since the deadline was known', async (_, setMs) => {
    let set = 0;
    const due = Date.now() + 150;
    let ticked = 0;
    const ticks = createTicks(
      { ...clock, wallMs: () => Date.now() + set },
      () => (ticked === 0 ? due : Number.POSITIVE_INFINITY),
      () => {
        ticked += 1;
      },
    );
    ticks.arm();
    set = setMs;
    await pause(20);
    expect(ticked).toBe(0);
    await expect.poll(() => ticked).toBe(1);
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
