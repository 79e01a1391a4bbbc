// Learning curves as columns for the chart: every gateway's error and that of its last value over one time axis. Points
// are thinned to what a screen can show; a pause in the reports stays a gap in the line and is never bridged.
import type { CurvePoint } from './wire.ts';

/** About one point per five pixels of a wide chart: more would only draw noise. */
export const CURVE_BINS_MAX = 160;
/** A silence longer than this many usual intervals is a gap. */
const GAP_INTERVALS = 6;

export interface CurveLine {
  gateway: string;
  role: 'error' | 'baseline';
  /** As the chart wants it: undefined is "no point here", null is "the line breaks here". */
  values: (number | null | undefined)[];
}

export interface CurveColumns {
  /** Epoch seconds, rising. */
  x: number[];
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
  const last = points.at(-1)?.at ?? 0;
  const perGateway = gateways.map((gateway) => {
    const own = points.filter((point) => point.gateway === gateway);
    return withGaps(own.length <= CURVE_BINS_MAX ? own.map(sampleOf) : bin(own, first, Math.max(1, last - first)));
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
  return { x: times.map((at) => at / 1000), lines };
}

/** Newest first, one row per point, for the table that says the same as the chart. */
export function curveRows(points: readonly CurvePoint[], gateways: readonly string[], rowsMax: number): CurvePoint[] {
  const wanted = new Set(gateways);
  return points
    .filter((point) => wanted.has(point.gateway) && point.error !== null)
    .slice(-rowsMax)
    .reverse();
}

/** Upper end of the y axis: holds the recent errors comfortably and lets a wild first minute leave the picture. */
export function curveCeiling(columns: CurveColumns): number {
  const values = columns.lines.flatMap((line) => line.values.filter((value) => typeof value === 'number'));
  if (values.length === 0) return 1;
  const sorted = values.toSorted((a, b) => a - b);
  const high = sorted[Math.floor((sorted.length - 1) * 0.97)] ?? 0;
  const highest = sorted.at(-1) ?? 0;
  const ceiling = Math.min(highest * 1.06, high * 1.4);
  return ceiling > 0 ? ceiling : 1;
}

function sampleOf(point: CurvePoint): Sample {
  return { at: point.at, error: point.error, baseline: point.error_last_value };
}

function bin(points: readonly CurvePoint[], start: number, span: number): Sample[] {
  const bins = new Map<number, CurvePoint[]>();
  for (const point of points) {
    const index = Math.min(CURVE_BINS_MAX - 1, Math.floor(((point.at - start) / span) * CURVE_BINS_MAX));
    const held = bins.get(index);
    if (held === undefined) bins.set(index, [point]);
    else held.push(point);
  }
  return [...bins].map(([index, held]) => ({
    at: Math.round(start + ((index + 0.5) * span) / CURVE_BINS_MAX),
    error: meanOf(held, (point) => point.error),
    baseline: meanOf(held, (point) => point.error_last_value),
  }));
}

function meanOf(points: readonly CurvePoint[], of: (point: CurvePoint) => number | null): number | null {
  const known = points.map(of).filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length;
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
