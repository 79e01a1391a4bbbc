/** What a run came to, in a few figures. Attackers are part of no mean: only honest gateways matter. */
import type { FleetResult, GatewayResult } from './fleet.ts';
import type { Scenario } from './scenario.ts';

export interface Summary {
  readonly gateways: number;
  /** Share of right answers on rows that were never learned; all rows together. Null: a number was predicted. */
  readonly accuracy: number | null;
  /** The same, each gateway counting once. */
  readonly accuracy_mean_of_gateways: number | null;
  readonly accuracy_row_by_row: number | null;
  /** Mean absolute error, row by row, and that of the last value. */
  readonly mae: number | null;
  readonly mae_last_value: number | null;
  readonly digest: string | null;
  readonly releases: number;
  readonly deltas: number;
  readonly duplicates: number;
  readonly quarantined: readonly string[];
  readonly bytes_per_delta: number;
  readonly bytes_per_release: number;
  readonly restarts: FleetResult['restarts'];
}

export function summaryOf(result: FleetResult, { task }: Scenario): Summary {
  const honest = result.gateways.filter(({ attacker }) => !attacker);
  const classes = task.kind === 'classify';
  const row = (pick: (gateway: GatewayResult) => { rows: number; sum: number }) => ratio(honest.map(pick));
  const each = honest.filter(({ frozen }) => frozen.rows > 0).map(({ frozen }) => frozen.sum / frozen.rows);
  return {
    gateways: result.gateways.length,
    accuracy: classes ? row(({ frozen }) => frozen) : null,
    accuracy_mean_of_gateways:
      classes && each.length > 0 ? each.reduce((sum, one) => sum + one, 0) / each.length : null,
    accuracy_row_by_row: classes ? row(({ prequential }) => prequential) : null,
    mae: classes ? null : row(({ prequential }) => prequential),
    mae_last_value: classes ? null : row(({ prequential }) => ({ rows: prequential.rows, sum: prequential.baseline })),
    digest: result.digest,
    releases: result.releases,
    deltas: result.deltas,
    duplicates: result.duplicates,
    quarantined: result.quarantined,
    bytes_per_delta: Math.round(result.bytesPerDelta),
    bytes_per_release: Math.round(result.bytesPerRelease),
    restarts: result.restarts,
  };
}

/** Null where nothing was scored. */
function ratio(scores: readonly { rows: number; sum: number }[]): number | null {
  const rows = scores.reduce((sum, score) => sum + score.rows, 0);
  return rows === 0 ? null : scores.reduce((sum, score) => sum + score.sum, 0) / rows;
}
