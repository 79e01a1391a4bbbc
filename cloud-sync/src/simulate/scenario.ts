/**
 * What a scenario is: a task, and for each gateway the rows that come to it, tick by tick. Rows are drawn when they are
 * asked for, so that thousands of gateways cost no memory; the same seed gives the same rows whoever asks when.
 */

/** One example. */
export interface Row {
  /** One number per field; NaN: the sensor said nothing. */
  readonly x: Float64Array;
  /** The class, or the number to come; null: the row is predicted, its label never comes. */
  readonly label: string | null;
}

export interface SiteRows {
  readonly id: string;
  /** Rows that are learned in this tick, in order. */
  train(tick: number): readonly Row[];
  /** Rows that a frozen panel is scored on after this tick; none: it is not scored then. */
  test(tick: number): readonly Row[];
  /** It is part of the fleet from this tick on. */
  readonly from: number;
}

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** The names of the fields, in the order of the rows. */
  readonly fields: readonly string[];
  readonly task:
    | { readonly kind: 'classify'; readonly labels: readonly string[] }
    | { readonly kind: 'forecast'; readonly target: string };
  /** Time from row to row; a forecast looks one row ahead. */
  readonly rowMs: number;
  readonly ticks: number;
  readonly tickMs: number;
  readonly sites: readonly SiteRows[];
  /** Readings of the fleet, if there are any: a field that each site tells before the row it belongs to, as `FIELD_now`. */
  readonly readings?: {
    readonly field: string;
    /** As a configuration has it: `mean: FIELD_now, of: neighbours`. */
    readonly wanted: string;
    /** Features beside the fields. */
    readonly features: readonly string[];
  };
}
