/**
 * Each expert alone beside the panel. Experts do not learn from each other: what one predicts in the panel is what it
 * would predict alone, so one run scores them all, by the predictions as served. An expert that had no opinion on a row
 * yet answers it like the baseline of its panel, as it does when served.
 */
import type { EvaluationReport } from '@rivulet/host';
import type { Measure } from './curve.ts';

/** The panel, the baseline and each expert over the same rows: those whose label has been learned. */
export interface Comparison {
  /** Labelled rows compared: with late labels, fewer than were scored. */
  rows: number;
  metric: 'accuracy' | 'mae';
  panel: number | null;
  baseline: number | null;
  /** Best first; the weight is that at the end. */
  experts: { expert: string; score: number; weight: number }[];
}

/**
 * @param end the report behind the last row
 * @param same the report when as many rows had been scored as were learned in the end
 */
export function compare(end: EvaluationReport, same: EvaluationReport, measure: Measure): Comparison {
  const learned = end.matured > 0;
  const experts = (learned ? end.panel : []).flatMap(({ expert, error, weight }) => {
    if (error === null) return []; // a stack corrects the others and answers nothing alone
    return [{ expert, score: measure.higherIsBetter ? 1 - error : error, weight }];
  });
  const sign = measure.higherIsBetter ? -1 : 1;
  return {
    rows: end.matured,
    metric: measure.metric,
    panel: learned ? (same.metrics[measure.metric] ?? null) : null,
    baseline: learned ? (same.metrics[measure.baseline] ?? null) : null,
    experts: experts.sort((a, b) => sign * (a.score - b.score) || b.weight - a.weight),
  };
}
