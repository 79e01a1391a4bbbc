// The statistics of a window by name, as the core reads them (wasm-core/engine/src/window/statistic.rs): a parameter stands
// behind an underscore, and a decimal point in it is an underscore too.

import type { WindowResult } from './outputs.ts';

/** Statistics that every window has: what a window says when its configuration does not. */
export const BASIC_STATISTICS = ['count', 'sum', 'mean', 'min', 'max', 'std', 'last'] as const;

const PLAIN = [
  ...BASIC_STATISTICS,
  ...['range', 'variance', 'first', 'delta', 'rate', 'skew', 'kurtosis', 'median', 'entropy', 'distinct', 'mode'],
  ...['slope', 'integral', 'time_mean', 'changes'],
] as const;

const DECIMAL = String.raw`-?\d{1,8}(?:_\d{1,6})?`;
const WITH_PARAMETER: readonly { pattern: RegExp; fits(...numbers: number[]): boolean; form: string }[] = [
  { pattern: /^p(\d{1,3}(?:_\d{1,6})?)$/, fits: (percent) => percent <= 100, form: 'p90, p99_9' },
  { pattern: /^ewma_([1-9]\d{0,5})(?:ms|s|m|h|d)$/, fits: () => true, form: 'ewma_5m (half-life)' },
  { pattern: new RegExp(`^duration_(${DECIMAL})$`), fits: () => true, form: 'duration_1 (time at a value)' },
  { pattern: /^autocorrelation_([1-9]\d?)$/, fits: (lag) => lag <= 64, form: 'autocorrelation_4' },
  {
    pattern: /^energy_(\d{1,8}(?:_\d{1,6})?)_to_(\d{1,8}(?:_\d{1,6})?)$/,
    fits: (from, to) => from < to,
    form: 'energy_10_to_50 (Hz)',
  },
  { pattern: /^state_([1-9]\d?)$/, fits: (back) => back <= 16, form: 'state_1 (the latest)' },
  { pattern: /^states_([1-9]\d?)$/, fits: (states) => states <= 16, form: 'states_5' },
  { pattern: /^top_([1-9]\d?)$/, fits: (listed) => listed <= 16, form: 'top_3' },
];

/** What a statistic may be called, for messages. */
export const STATISTICS_EXPECTED = `one of ${[...PLAIN, ...WITH_PARAMETER.map(({ form }) => form)].join(', ')}`;

/** True for a name that the core knows. */
export function isStatistic(name: string): boolean {
  if ((PLAIN as readonly string[]).includes(name)) return true;
  return WITH_PARAMETER.some(({ pattern, fits }) => {
    const found = pattern.exec(name);
    return found !== null && fits(...found.slice(1).map((text) => Number(text.replace('_', '.'))));
  });
}

/** What a result says, by name: numbers, lists of pairs, null for what is not defined. Empty for one that is withdrawn. */
export function windowStatistics(
  names: readonly string[],
  { values, lists }: Pick<WindowResult, 'values' | 'lists'>,
): Record<string, number | null | [number, number][]> {
  const [value, list] = [values.values(), lists.values()];
  const said: Record<string, number | null | [number, number][]> = {};
  for (const name of names) {
    const next = isListStatistic(name) ? list.next() : value.next();
    if (next.done) continue;
    // JSON has no NaN.
    said[name] = typeof next.value === 'number' && !Number.isFinite(next.value) ? null : next.value;
  }
  return said;
}

/** True for one whose answer is a list of pairs: `top_3` (value, count), `states_5` (value, since when). */
export function isListStatistic(name: string): boolean {
  return /^(?:top|states)_/.test(name);
}
