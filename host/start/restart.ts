/** What to do when a process of the demonstration ends: a pure decision, so that its table can be tested. */

const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 10_000;

/** A process that ran this long was well: the next pause is short again. */
const WELL_AFTER_MS = 20_000;

/** Codes that another attempt cannot mend. */
const HOPELESS =
  /^RIV_(STATE_LOCKED|STATE_UNUSABLE|USAGE|UNIT|CONFIG_\w+|DATA|FILE_UNREADABLE|NODE_TOO_OLD|CORE_ABSENT|IDENTITY|LOG_CORRUPT|CHECKPOINT_LOST)\b/;

/** Facts about an end. */
export interface Ended {
  /** We asked it to. */
  readonly asked: boolean;
  readonly code: number | null;
  readonly lastLine: string;
  readonly aliveMs: number;
  /** Ends in a row, this one not counted, after none of which it ran well. */
  readonly failures: number;
}

/** The decision: it is done, it cannot be helped, or it is started again after a pause. */
export type Verdict = { kind: 'done' } | { kind: 'hopeless' } | { kind: 'again'; pauseMs: number; failures: number };

export function verdictOn(ended: Ended): Verdict {
  if (ended.asked || ended.code === 0) return { kind: 'done' };
  if (ended.code !== null && HOPELESS.test(ended.lastLine)) return { kind: 'hopeless' };
  const failures = ended.aliveMs >= WELL_AFTER_MS ? 0 : ended.failures;
  return { kind: 'again', pauseMs: Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** failures), failures: failures + 1 };
}
