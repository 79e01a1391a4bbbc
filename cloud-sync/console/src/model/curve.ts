// Learning curves as columns for the chart: every gateway's error and that of its last value over one time axis. What a
// single interval says swings with the hour of the day; the line is the mean over a stretch of time before each point,
// weighed by labels, so that learning shows. Points are thinned to what a screen can show; a pause in the reports stays a
// gap in the line and is never bridged.
import type { CurvePoint } from './wire.ts';

/** About one point per five pixels of a wide chart: more would only draw noise. */
export const CURVE_BINS_MAX = 160;
/** A silence longer than this many usual intervals is a gap. */
const GAP_INTERVALS = 6;

/** Share of the time shown that each point is the mean of. */
export const CURVE_MEAN_SHARE = 0.12;

/** Share of the time shown that counts as the beginning. */
const CURVE_BEGINNING_SHARE = 0.2;

export interface CurveLine {
  gateway: string;
  role: 'error' | 'baseline';
  /** As the chart wants it: undefined is "no point here", null is "the line breaks here". */
  values: (number | null | undefined)[];
}

export interface CurveColumns {
  /** Epoch seconds, rising. */
  x: number[];
  /** The stretch of time that each point is the mean of. */
  mean_ms: number;
  lines: CurveLine[];
}

interface Sample {
  at: number;
  error: number | null;
  baseline: number | null;
}

/** @param points rising in time; @param gateways those to draw, in the order of their lines. */
export function curveColumns(points: readonly CurvePoint[], gateways: readonly string[]): CurveColumns {
  const first = points[0]?.at ?? 0;
  const span = Math.max(1, (points.at(-1)?.at ?? 0) - first);
  const mean_ms = span * CURVE_MEAN_SHARE;
  const perGateway = gateways.map((gateway) => {
    const own = points.filter((point) => point.gateway === gateway);
    const smooth = runningMeans(own, mean_ms);
    return withGaps(smooth.length <= CURVE_BINS_MAX ? smooth : thinned(smooth, first, span));
  });
  const times = [...new Set(perGateway.flat().map((sample) => sample.at))].sort((a, b) => a - b);
  const place = new Map(times.map((at, index) => [at, index]));
  const lines = perGateway.flatMap((samples, index): CurveLine[] => {
    const gateway = gateways[index] ?? '';
    const error: CurveLine = { gateway, role: 'error', values: new Array(times.length).fill(undefined) };
    const baseline: CurveLine = { gateway, role: 'baseline', values: new Array(times.length).fill(undefined) };
    for (const sample of samples) {
      const at = place.get(sample.at) ?? 0;
      error.values[at] = sample.error;
      baseline.values[at] = sample.baseline;
    }
    return [error, baseline];
  });
  return { x: times.map((at) => at / 1000), mean_ms, lines };
}

/** Newest first, one row per point, for the table that says the same as the chart. */
export function curveRows(points: readonly CurvePoint[], gateways: readonly string[], rowsMax: number): CurvePoint[] {
  const wanted = new Set(gateways);
  return points
    .filter((point) => wanted.has(point.gateway) && point.error !== null)
    .slice(-rowsMax)
    .reverse();
}

/** Upper end of the y axis: holds all but the beginning, whose wild first errors may leave the picture. */
export function curveCeiling(columns: CurveColumns): number {
  const { x, lines } = columns;
  const settled = (x[0] ?? 0) + ((x.at(-1) ?? 0) - (x[0] ?? 0)) * CURVE_BEGINNING_SHARE;
  let highest = 0;
  for (const { values } of lines) {
    values.forEach((value, index) => {
      if (typeof value === 'number' && (x[index] ?? 0) >= settled) highest = Math.max(highest, value);
    });
  }
  return highest > 0 ? highest * 1.08 : 1;
}

/** For each point the mean over the `ms` before it, weighed by the labels that came in each interval. */
function runningMeans(points: readonly CurvePoint[], ms: number): Sample[] {
  const weights = points.map((point, index) => {
    const before = points[index - 1]?.matured ?? 0;
    if (point.matured === null) return 1;
    // Fewer labels than before: the gateway began anew.
    return Math.max(1, point.matured >= before ? point.matured - before : point.matured);
  });
  let from = 0;
  return points.map((point, index) => {
    while ((points[from]?.at ?? 0) < point.at - ms) from += 1;
    const stretch = { error: 0, baseline: 0, weight: 0 };
    for (let at = from; at <= index; at += 1) {
      const { error, error_last_value: baseline } = points[at] as CurvePoint;
      if (error === null || baseline === null) continue;
      const weight = weights[at] ?? 1;
      stretch.error += error * weight;
      stretch.baseline += baseline * weight;
      stretch.weight += weight;
    }
    const known = stretch.weight > 0;
    return {
      at: point.at,
      error: known ? stretch.error / stretch.weight : null,
      baseline: known ? stretch.baseline / stretch.weight : null,
    };
  });
}

/** The last sample of every bin of the time axis. */
function thinned(samples: readonly Sample[], start: number, span: number): Sample[] {
  const bins = new Map<number, Sample>();
  for (const sample of samples) {
    const index = Math.min(CURVE_BINS_MAX - 1, Math.floor(((sample.at - start) / span) * CURVE_BINS_MAX));
    // All gateways share the places of the bins, so that their lines share one axis.
    bins.set(index, { ...sample, at: Math.round(start + ((index + 1) * span) / CURVE_BINS_MAX) });
  }
  return [...bins.values()];
}

/** Puts an empty sample into the middle of every long silence. */
function withGaps(samples: readonly Sample[]): Sample[] {
  const steps = samples.slice(1).map((sample, index) => sample.at - (samples[index]?.at ?? 0));
  const usual = steps.toSorted((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  return samples.flatMap((sample, index) => {
    const step = steps[index] ?? 0;
    return step > usual * GAP_INTERVALS
      ? [sample, { at: Math.round(sample.at + step / 2), error: null, baseline: null }]
      : [sample];
  });
}
