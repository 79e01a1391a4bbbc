/**
 * The course of a gateway's errors over a run, so that the error of the second half can be told: samples of the cumulative sums
 * that its status carries. A bounded number of samples whatever the length of the run.
 */
import type { TaskStatus } from '../src/status.ts';

/** Samples kept per task; when there are more, every second one is dropped and later ones come half as often. */
const SAMPLES_MAX = 512;

interface Sample {
  at_s: number;
  matured: number;
  error_sum: number;
  baseline_sum: number;
}

/** Mean errors over a stretch; null when nothing matured in it. */
export interface Errors {
  error: number | null;
  error_last_value: number | null;
}

/** The course of one task on one gateway. */
export interface Course {
  /** Notes the sums at a time since the start of the run. */
  note(at_s: number, task: TaskStatus): void;
  /** Errors of what matured after the first half of `seconds`; of the whole run when nothing did. */
  secondHalf(seconds: number): Errors & { matured: number };
}

export function createCourse(): Course {
  let kept: Sample[] = [];
  let spacing_s = 0;
  let last: Sample | undefined;
  return {
    note(at_s, { matured, error_sum, baseline_sum }) {
      if (last !== undefined && matured < last.matured) kept = []; // the gateway began anew
      last = { at_s, matured, error_sum, baseline_sum };
      if (at_s - (kept.at(-1)?.at_s ?? Number.NEGATIVE_INFINITY) < spacing_s) return;
      kept.push(last);
      if (kept.length <= SAMPLES_MAX) return;
      kept = kept.filter((_, index) => index % 2 === 0);
      spacing_s = at_s / kept.length;
    },
    secondHalf(seconds) {
      if (last === undefined) return { error: null, error_last_value: null, matured: 0 };
      const before = kept.findLast((sample) => sample.at_s <= seconds / 2);
      const half = between(before, last);
      return half.matured > 0 ? half : between(undefined, last);
    },
  };
}

function between(before: Sample | undefined, last: Sample): Errors & { matured: number } {
  const from = before ?? { matured: 0, error_sum: 0, baseline_sum: 0 };
  const matured = last.matured - from.matured;
  if (matured <= 0) return { error: null, error_last_value: null, matured: 0 };
  return {
    matured,
    error: (last.error_sum - from.error_sum) / matured,
    error_last_value: (last.baseline_sum - from.baseline_sum) / matured,
  };
}
