/**
 * Learning curves: how the scores stood after so many rows, taken from the engine's report between batches. A score over
 * the rows since the point before follows from two points, since every score is a mean over rows.
 */
import type { EvaluationReport } from '@rivulet/host';

/** Points of a curve: more would not show on a screen. */
const POINTS_MAX = 120;

/** The score that a task is drawn and compared by, and its baseline (metrics of the engine's report). */
export interface Measure {
  readonly metric: 'accuracy' | 'mae';
  readonly baseline: 'accuracy_last_class' | 'mae_last_value';
  /** Baseline in words. */
  readonly baselineName: 'last class' | 'last value';
  readonly higherIsBetter: boolean;
}

/** What a task is drawn and compared by. */
export function measureOf(task: 'classification' | 'regression' | 'forecast'): Measure {
  return task === 'classification'
    ? {
        metric: 'accuracy',
        baseline: 'accuracy_last_class',
        baselineName: 'last class',
        higherIsBetter: true,
      }
    : { metric: 'mae', baseline: 'mae_last_value', baselineName: 'last value', higherIsBetter: false };
}

/** The scores after `rows` scored rows: over all of them, and over those since the point before. Null: nothing to say. */
export interface CurvePoint {
  rows: number;
  score: number | null;
  recent: number | null;
  baseline: number | null;
  baseline_recent: number | null;
}

/** Rows between two points of a curve over so many rows. */
export function curveStep(rows: number): number {
  return Math.max(1, Math.ceil(rows / POINTS_MAX));
}

/** Adds the point that a report makes; none while no further row was scored. */
export function addPoint(curve: CurvePoint[], report: EvaluationReport, { metric, baseline }: Measure): void {
  const before = curve.at(-1);
  if (report.rows <= (before?.rows ?? 0)) return;
  const score = report.metrics[metric] ?? null;
  const base = report.metrics[baseline] ?? null;
  const since = (now: number | null, then: number | null): number | null => {
    if (before === undefined) return now;
    if (now === null || then === null) return null;
    return (now * report.rows - then * before.rows) / (report.rows - before.rows);
  };
  curve.push({
    rows: report.rows,
    score,
    recent: since(score, before?.score ?? null),
    baseline: base,
    baseline_recent: since(base, before?.baseline ?? null),
  });
}
