/**
 * The recorded stations as a fleet: PM2.5 one hour ahead, every row scored as served. Together against each alone; and a
 * station that joins a year late against itself as a veteran on the same days.
 */
import type { Core } from '@rivulet/host';
import { NO_FAULTS } from '../../../cloud-sync/src/simulate/faults.ts';
import { type FleetResult, runFleet } from '../../../cloud-sync/src/simulate/fleet.ts';
import { LATE_DAYS, scenarioOf } from '../../../cloud-sync/src/simulate/scenarios.ts';

const STATIONS = 12;
/** Days that a station which joins late is looked at. */
const DAYS = 14;

export interface StationsOptions {
  readonly core: Core;
  readonly data: string;
  /** Days of the recording, from its first. */
  readonly days: number;
}

interface Sum {
  readonly rows: number;
  readonly sum: number;
}

/** Mean absolute errors, and by how much a station is worse than alone at most. */
export function stationsTogether({ core, data, days }: StationsOptions) {
  const of = (together: boolean) => {
    const scenario = scenarioOf('stations', { gateways: STATIONS, ticks: days, seed: 0, data });
    return runFleet({ core, scenario, seed: 0, faults: NO_FAULTS, together, attack: null });
  };
  const [together, alone] = [of(true), of(false)];
  const worse = together.gateways.map(({ prequential }, at) => {
    const own = alone.gateways[at]?.prequential as Sum;
    return prequential.sum / prequential.rows / (own.sum / own.rows) - 1;
  });
  const last = together.gateways.map(({ prequential: { rows, baseline } }) => ({ rows, sum: baseline }));
  return {
    days,
    mae: mean(together.gateways.map(({ prequential }) => prequential)),
    mae_last_value: mean(last),
    alone: { mae: mean(alone.gateways.map(({ prequential }) => prequential)) },
    worst_over_alone: Math.max(...worse),
    releases: together.releases,
    bytes_per_delta: together.bytesPerDelta,
  };
}

/** The same with what the others measure in the same hour as a feature: mean absolute errors. */
export function stationsWithReadings({ core, data, days }: StationsOptions) {
  const scenario = scenarioOf('stations-readings', { gateways: STATIONS, ticks: days, seed: 0, data });
  const { gateways } = runFleet({ core, scenario, seed: 0, faults: NO_FAULTS, together: true, attack: null });
  const last = gateways.map(({ prequential: { rows, baseline } }) => ({ rows, sum: baseline }));
  return { days, mae: mean(gateways.map(({ prequential }) => prequential)), mae_last_value: mean(last) };
}

/** Errors of the station that joins late over those of the same station as a veteran: with the fleet, and alone. */
export function stationLate({ core, data }: StationsOptions, stations: readonly number[]) {
  const ticks = LATE_DAYS + DAYS;
  const run = (name: string, together: boolean, station: number): FleetResult => {
    const scenario = scenarioOf(name, { gateways: STATIONS, ticks, seed: station, data });
    return runFleet({ core, scenario, seed: station, faults: NO_FAULTS, together, attack: null });
  };
  const veterans = run('stations', false, 0);
  const figures = { veteran: [[], []] as Sum[][], late: [[], []] as Sum[][], alone: [[], []] as Sum[][] };
  for (const station of stations) {
    collect(figures.veteran, veterans, station);
    collect(figures.late, run('stations-late', true, station), station);
    collect(figures.alone, run('stations-late', false, station), station);
  }
  const over = (sums: Sum[][], part: number) => mean(sums[part] ?? []) / mean(figures.veteran[part] ?? []) - 1;
  return {
    stations: stations.length,
    day_1: over(figures.late, 0),
    days_2_to_14: over(figures.late, 1),
    alone: { day_1: over(figures.alone, 0), days_2_to_14: over(figures.alone, 1) },
  };
}

function collect(into: Sum[][], { gateways }: FleetResult, station: number): void {
  const days = gateways[station]?.ticks.slice(LATE_DAYS, LATE_DAYS + DAYS) ?? [];
  into[0]?.push(...days.slice(0, 1));
  into[1]?.push(...days.slice(1));
}

function mean(sums: readonly Sum[]): number {
  return sums.reduce((all, { sum }) => all + sum, 0) / sums.reduce((all, { rows }) => all + rows, 0);
}
