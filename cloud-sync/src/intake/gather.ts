/**
 * Group commit at the door: what arrives while the disk is busy with the last group is the next one. Each request waits for
 * the end of its group, so an answer still says that all of it is on disk; one sync serves as many as came.
 */
import type { Outcome } from '../drivers/store.ts';

/** Requests in one group: bounds how long the first of them waits for the last. */
const GROUP_MAX = 256;

interface Waiting {
  readonly work: () => unknown;
  readonly settle: (outcome: Outcome<unknown>) => void;
}

/** @param together runs works in one transaction; throws when it did not get to disk */
export function openGather(together: <T>(works: readonly (() => T)[]) => Outcome<T>[]) {
  let waiting: Waiting[] = [];

  function carryOut(): void {
    const group = waiting.slice(0, GROUP_MAX);
    waiting = waiting.slice(GROUP_MAX);
    if (waiting.length > 0) setImmediate(carryOut);
    let outcomes: Outcome<unknown>[];
    try {
      outcomes = together(group.map(({ work }) => work));
    } catch (error) {
      outcomes = group.map(() => ({ error }));
    }
    for (const [at, { settle }] of group.entries()) settle(outcomes[at] as Outcome<unknown>);
  }

  /** Carries `work` out with whatever else has come by the end of this turn of the event loop. */
  return <T>(work: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const settle = (outcome: Outcome<unknown>) =>
        'error' in outcome ? reject(outcome.error) : resolve(outcome.value as T);
      waiting.push({ work, settle });
      if (waiting.length === 1) setImmediate(carryOut);
    });
}
