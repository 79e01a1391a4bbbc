/**
 * Simulated time: a queue of what is to happen, in order of time and then of arrival. Nothing waits for a real clock, so
 * weeks pass in seconds and every run with the same seed is the same run.
 */
import type { Clock } from '@rivulet/host';

export interface Timeline {
  nowMs(): number;
  /** Calls `work` at a time; not before now. */
  at(timeMs: number, work: () => void): () => void;
  after(ms: number, work: () => void): () => void;
  /** Lets everything happen that is due until then, and moves to that time. */
  runUntil(timeMs: number): void;
  /** The clock that a process in this world reads. `skewMs` is what its owner does not know. */
  clock(skewMs?: () => number): Clock;
}

interface Due {
  readonly timeMs: number;
  readonly order: number;
  work: (() => void) | null;
}

export function openTimeline(startMs: number): Timeline {
  let nowMs = startMs;
  let order = 0;
  const heap: Due[] = [];

  const before = (a: Due, b: Due) => a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);

  function push(due: Due): void {
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  function pop(): Due {
    const first = heap[0] as Due;
    const last = heap.pop() as Due;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (!before(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  function at(timeMs: number, work: () => void): () => void {
    const due: Due = { timeMs: Math.max(timeMs, nowMs), order: order++, work };
    push(due);
    return () => {
      due.work = null;
    };
  }

  return {
    nowMs: () => nowMs,
    at,
    after: (ms, work) => at(nowMs + ms, work),
    runUntil(timeMs) {
      while (heap.length > 0 && (heap[0] as Due).timeMs <= timeMs) {
        const due = pop();
        nowMs = due.timeMs;
        due.work?.();
      }
      nowMs = Math.max(nowMs, timeMs);
    },
    clock: (skewMs = () => 0) => ({
      wallMs: () => Math.round(nowMs + skewMs()),
      monoUs: () => Math.round((nowMs - startMs) * 1000),
      boot: 1,
    }),
  };
}
