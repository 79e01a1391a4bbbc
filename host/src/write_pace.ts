// Which durable writes are done on the thread that asks for them. Handing a small write to another thread and hearing of its end
// wakes two threads, which costs half as much as the write itself; but a disk that takes its time must not hold up the rest
// (keepalives, status, signals). So it is done at once while the disk answers at once, and a stall ends that for a while: a short
// one after the first, since a neighbour on the processor looks like a slow disk, and twice as long after each that follows.

/** Larger writes go to another thread: the core has as much to fold meanwhile. */
const BYTES_MAX = 65_536;
/** The disk answers at once while its last writes took no longer than this on average. */
const AVERAGE_MS_MAX = 2;
/** How many writes that average looks back, roughly. */
const AVERAGE_OVER = 32;
/** A write that takes longer than this is a stall. */
const STALL_MS = 25;
/** Writes that go to another thread before a new file's disk is known and after a first stall, and at most after many. */
const ELSEWHERE_MIN = 64;
const ELSEWHERE_MAX = 4096;

/** What a file's durable writes took, and what follows from it. */
export interface WritePace {
  /** True: a write of so many bytes is to be done on this thread. */
  atOnce(bytes: number): boolean;
  /** A write took so long, on whatever thread. */
  took(ms: number): void;
}

export function createWritePace(): WritePace {
  let elsewhere = ELSEWHERE_MIN;
  let afterStall = ELSEWHERE_MIN;
  let sinceStall = 0;
  let averageMs = 0;
  return {
    atOnce: (bytes) => elsewhere === 0 && averageMs <= AVERAGE_MS_MAX && bytes <= BYTES_MAX,
    took(ms) {
      averageMs += (ms - averageMs) / AVERAGE_OVER;
      if (ms > STALL_MS) {
        elsewhere = afterStall;
        afterStall = Math.min(afterStall * 2, ELSEWHERE_MAX);
        sinceStall = 0;
        return;
      }
      elsewhere = Math.max(elsewhere - 1, 0);
      sinceStall += 1;
      if (sinceStall === ELSEWHERE_MAX) afterStall = ELSEWHERE_MIN;
    },
  };
}
