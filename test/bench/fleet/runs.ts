/** Runs of the simulator over seeds, and their figures as one. */
import type { Core } from '@rivulet/host';
import type { Attack } from '../../../cloud-sync/src/simulate/attackers.ts';
import { NO_FAULTS } from '../../../cloud-sync/src/simulate/faults.ts';
import { type FleetResult, runFleet } from '../../../cloud-sync/src/simulate/fleet.ts';
import type { Scenario } from '../../../cloud-sync/src/simulate/scenario.ts';
import { scenarioOf } from '../../../cloud-sync/src/simulate/scenarios.ts';

export interface RunSpec {
  readonly scenario: string;
  readonly gateways: number;
  readonly ticks: number;
  readonly together: boolean;
  readonly attack: Attack | null;
  /** Without an attack too, only those are scored that are honest when there is one. */
  readonly honestOnly?: boolean;
  /** The gateways that would attack are not there at all. */
  readonly absent?: boolean;
  /** Releases hold only what depends on no release. */
  readonly removable?: boolean;
}

const ATTACKERS = 0.2;

export interface RunFigures {
  readonly accuracy: number;
  readonly accuracy_mean_of_gateways: number;
  readonly accuracy_row_by_row: number;
  readonly bytes_per_delta: number;
  readonly bytes_per_release: number;
  readonly releases: number;
  readonly quarantined_honest: number;
  readonly quarantined_attackers: number;
}

/** One run; the accuracies are over the gateways that are no attackers when `attack` is made. */
export function runOnce(core: Core, spec: RunSpec, seed: number, data: string | null): RunFigures {
  const whole = scenarioOf(spec.scenario, { gateways: spec.gateways, ticks: spec.ticks, seed, data });
  const scenario = spec.absent === true ? { ...whole, sites: whole.sites.slice(attackersOf(whole)) } : whole;
  const attack = spec.attack === null ? null : { kind: spec.attack, share: ATTACKERS };
  const { together, removable = false } = spec;
  const result = runFleet({ core, scenario, seed, faults: NO_FAULTS, together, removable, attack });
  return figuresOf(result, attack !== null || spec.honestOnly === true ? honestOf(whole) : null);
}

/** How many of the first sites lie when somebody does. */
function attackersOf({ sites }: Scenario): number {
  return Math.round(ATTACKERS * sites.length);
}

/** Those that are honest in the runs with attackers: the same ones are scored in the runs without. */
function honestOf(scenario: Scenario): ReadonlySet<string> {
  return new Set(scenario.sites.slice(attackersOf(scenario)).map(({ id }) => id));
}

/** `honest`: who counts for the accuracies; null: all. */
function figuresOf({ gateways, ...result }: FleetResult, honest: ReadonlySet<string> | null): RunFigures {
  const scored = gateways.filter(({ id }) => honest?.has(id) ?? true);
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  const rate = (pick: (gateway: FleetResult['gateways'][number]) => { rows: number; sum: number }) =>
    sum(scored.map((gateway) => pick(gateway).sum)) / sum(scored.map((gateway) => pick(gateway).rows));
  const tested = scored.filter(({ frozen }) => frozen.rows > 0);
  const liars = new Set(gateways.filter(({ attacker }) => attacker).map(({ id }) => id));
  return {
    accuracy: rate(({ frozen }) => frozen),
    accuracy_mean_of_gateways: sum(tested.map(({ frozen }) => frozen.sum / frozen.rows)) / tested.length,
    accuracy_row_by_row: rate(({ prequential }) => prequential),
    bytes_per_delta: result.bytesPerDelta,
    bytes_per_release: result.bytesPerRelease,
    releases: result.releases,
    quarantined_honest: result.quarantined.filter((id) => !liars.has(id)).length,
    quarantined_attackers: result.quarantined.filter((id) => liars.has(id)).length,
  };
}

/** Means over seeds. */
export function meanOf(runs: readonly RunFigures[]): RunFigures {
  const mean = (name: keyof RunFigures) => runs.reduce((total, run) => total + run[name], 0) / runs.length;
  return {
    accuracy: mean('accuracy'),
    accuracy_mean_of_gateways: mean('accuracy_mean_of_gateways'),
    accuracy_row_by_row: mean('accuracy_row_by_row'),
    bytes_per_delta: mean('bytes_per_delta'),
    bytes_per_release: mean('bytes_per_release'),
    releases: mean('releases'),
    quarantined_honest: mean('quarantined_honest'),
    quarantined_attackers: mean('quarantined_attackers'),
  };
}

/** Rows of the likeliest class of each gateway: what a constant per gateway scores. */
export function majority(scenario: Scenario): number {
  let [rows, right] = [0, 0];
  for (const site of scenario.sites) {
    const counts = new Map<string | null, number>();
    for (let tick = 0; tick < scenario.ticks; tick++) {
      for (const { label } of site.train(tick)) counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    const [most] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [null];
    for (let tick = 0; tick < scenario.ticks; tick++) {
      for (const { label } of site.test(tick)) {
        rows += 1;
        right += Number(label === most);
      }
    }
  }
  return right / rows;
}
