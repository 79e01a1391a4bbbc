/** What each scenario is to reach, and the published or measured figures that it stands against. */

export interface Goal {
  /** A path in the scenario's figures. */
  readonly figure: string;
  readonly least?: number;
  readonly most?: number;
}

export const GOALS: Readonly<Record<string, readonly Goal[]>> = {
  'synthetic(1,1)': [
    { figure: 'accuracy', least: 0.953 },
    { figure: 'accuracy_mean_of_gateways', least: 0.9 },
    { figure: 'below_alone', most: 0.003 },
  ],
  'synthetic-iid': [
    { figure: 'accuracy', least: 0.93 },
    { figure: 'below_alone', most: 0.003 },
  ],
  'sine-2': [
    { figure: 'accuracy', least: 0.815 },
    { figure: 'accuracy_row_by_row', least: 0.953 },
    { figure: 'below_alone', most: 0.003 },
  ],
  'circle-2': [
    { figure: 'accuracy_row_by_row', least: 0.905 },
    { figure: 'below_alone', most: 0.003 },
  ],
  'synthetic-iid-removable': [{ figure: 'accuracy', least: 0.91 }],
  beijing: [
    { figure: 'mae', most: 10 },
    { figure: 'worst_over_alone', most: 0.001 },
  ],
  'synthetic-iid-fresh': [{ figure: 'behind', most: 0 }],
  'beijing-readings': [{ figure: 'mae', most: 9.6 }],
  'beijing-late': [
    { figure: 'day_1', most: 0.03 },
    { figure: 'days_2_to_14', most: 0.02 },
  ],
  bytes: [
    { figure: 'payload', most: 60 },
    { figure: 'lost', most: 0.003 },
    { figure: 'lost_served', most: 0.003 },
  ],
  costs: [
    { figure: 'intake.cpu_us_per_delta', most: 150 },
    { figure: 'intake.deltas_per_s_durable', least: 10_000 },
    { figure: 'merge.one_change_us', most: 50 },
    { figure: 'merge.full_rebuild_s', most: 0.1 },
    { figure: 'merge.memory_mib', most: 250 },
  ],
  'attackers-iid-scale': [{ figure: 'below_honest', most: 0.01 }],
  'attackers-iid-flip': [{ figure: 'below_honest', most: 0.01 }],
  'attackers(1,1)-scale': [{ figure: 'below_honest', most: 0.003 }],
  'attackers(1,1)-flip': [{ figure: 'below_honest', most: 0.003 }],
};
