/**
 * Readings of the fleet: aggregates over what gateways tell of their measurements with each report, for gateways that ask for
 * them (FORMATS.md section 12). Each gateway counts once. Nothing is kept: all of it stands in the newest reports.
 *
 * Cost: a look at every gateway for each reading that is asked for, some 20 ns each.
 */
import type { FleetReadingView } from '../api/views.ts';
import type { Report } from './report.ts';
import type { FleetWant } from './report_fleet.ts';

/** What a gateway's clock may be ahead of ours: what is later was not measured, and would make all others look old. */
const AHEAD_MAX_MS = 24 * 3_600_000;

/** A gateway whose readings count. */
export interface Telling {
  readonly id: string;
  readonly report: Pick<Report, 'fleet'> | null;
}

/** What each of `wants` comes to for the gateway `own`; what nobody has measured is left out. */
export function fleetReadings(
  own: string,
  wants: readonly FleetWant[],
  gateways: readonly Telling[],
  nowMs: number,
): FleetReadingView[] {
  return wants.flatMap(({ name, statistic, field, of, maxAgeMs }) => {
    const named = typeof of === 'string' ? null : new Set(of);
    const counts = (id: string) => (named === null ? of === 'fleet' || id !== own : named.has(id));
    const told = gateways.flatMap(({ id, report }) => {
      const reading = report?.fleet.readings.get(field);
      return reading !== undefined && counts(id) && reading.at <= nowMs + AHEAD_MAX_MS ? [reading] : [];
    });
    const at = told.reduce((newest, reading) => Math.max(newest, reading.at), Number.NEGATIVE_INFINITY);
    const values = told.filter((reading) => reading.at >= at - maxAgeMs).map(({ value }) => value);
    if (values.length === 0) return [];
    const value = aggregate(statistic, values);
    return Number.isFinite(value) ? [{ name, at, age_ms: nowMs - at, gateways: values.length, value }] : [];
  });
}

function aggregate(statistic: FleetWant['statistic'], values: readonly number[]): number {
  switch (statistic) {
    case 'mean':
      return values.reduce((sum, value) => sum + value / values.length, 0);
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0);
    case 'min':
      return values.reduce((least, value) => Math.min(least, value));
    case 'max':
      return values.reduce((most, value) => Math.max(most, value));
    case 'count':
      return values.length;
    case 'median': {
      const sorted = values.toSorted((a, b) => a - b);
      const [below, above] = [(sorted.length - 1) >> 1, sorted.length >> 1];
      return ((sorted[below] as number) + (sorted[above] as number)) / 2;
    }
  }
}
