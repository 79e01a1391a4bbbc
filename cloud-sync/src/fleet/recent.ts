/**
 * The last minutes of one gateway: samples of its counters, from which rates and recent errors are taken.
 *
 * Bounded: at most one sample per five seconds over five minutes, and a handful over the last seconds for the rates.
 */
import type { Report } from './report.ts';

/** How far back "recent" goes. */
const RECENT_MS = 5 * 60_000;
/** Least distance between two kept samples: 60 of them at most. */
const SPACING_MS = 5_000;
/** How far back a rate looks: long enough to be steady, short enough to be now. */
const RATE_MS = 15_000;
/** Samples for the rate: with more frequent reports the span is shorter. */
const RATE_SAMPLES_MAX = 16;

interface Sample {
  /** Monotonic time of arrival. */
  readonly monoMs: number;
  readonly messages: number;
  readonly predictions: number;
  readonly tasks: ReadonlyMap<string, { matured: number; errorSum: number; baselineSum: number }>;
}

export interface RecentError {
  readonly error: number;
  readonly baseline: number;
  readonly matured: number;
}

export interface Recent {
  add(monoMs: number, report: Report): void;
  messagesPerS(): number;
  predictionsPerS(): number;
  /** Mean errors over the labels of the last five minutes; null when there were none. */
  error(task: string): RecentError | null;
}

export function newRecent(): Recent {
  let kept: Sample[] = [];
  let fast: Sample[] = [];
  let last: Sample | null = null;

  function rate(of: 'messages' | 'predictions'): number {
    const first = fast[0];
    if (last === null || first === undefined || last.monoMs <= first.monoMs) return 0;
    return ((last[of] - first[of]) * 1000) / (last.monoMs - first.monoMs);
  }

  return {
    add(monoMs, report) {
      const sample = sampleOf(monoMs, report);
      if (last !== null && sample.messages < last.messages) {
        kept = []; // the gateway began anew: differences to before mean nothing
        fast = [];
      }
      last = sample;
      fast = [...fast, sample].filter((one) => monoMs - one.monoMs <= RATE_MS).slice(-RATE_SAMPLES_MAX);
      const newest = kept.at(-1);
      if (newest === undefined || monoMs - newest.monoMs >= SPACING_MS) kept.push(sample);
      while (kept.length > 1 && monoMs - (kept[0] as Sample).monoMs > RECENT_MS) kept.shift();
    },
    messagesPerS: () => rate('messages'),
    predictionsPerS: () => rate('predictions'),
    error(task) {
      const before = kept[0]?.tasks.get(task) ?? { matured: 0, errorSum: 0, baselineSum: 0 };
      const now = last?.tasks.get(task);
      const matured = (now?.matured ?? 0) - before.matured;
      if (now === undefined || matured <= 0) return null;
      return {
        error: (now.errorSum - before.errorSum) / matured,
        baseline: (now.baselineSum - before.baselineSum) / matured,
        matured,
      };
    },
  };
}

function sampleOf(monoMs: number, report: Report): Sample {
  return {
    monoMs,
    messages: report.messages,
    predictions: report.tasks.reduce((sum, task) => sum + task.predictions, 0),
    tasks: new Map(
      report.tasks.map(({ name, matured, errorSum, baselineSum }) => [name, { matured, errorSum, baselineSum }]),
    ),
  };
}
