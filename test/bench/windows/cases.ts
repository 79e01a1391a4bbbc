/** What is measured: each kind of window with ten of them over every key, and each statistic's part by itself. */

export interface Case {
  name: string;
  /** Keys of a window beside its name, without `stats`. */
  window: string;
  stats: string;
}

/** How many windows of the kind every reading goes into. */
export const WINDOWS = 10;

const MOMENTS = 'count, mean, min, max, std';

export const KINDS: readonly Case[] = [
  { name: 'tumbling 1m', window: 'every: 1m, lateness: 0s', stats: MOMENTS },
  { name: 'tumbling 1m, corrected for 1m', window: 'every: 1m, lateness: 0s, allowed_lateness: 1m', stats: MOMENTS },
  { name: 'sliding 5m every 1m', window: 'size: 5m, every: 1m, lateness: 0s', stats: MOMENTS },
  { name: 'session, gap 30s', window: 'gap: 30s, lateness: 0s', stats: MOMENTS },
  { name: 'count 10', window: 'count: 10', stats: MOMENTS },
  { name: 'count 10 step 2', window: 'count: 10, step: 2', stats: MOMENTS },
  { name: 'global, every 10 readings', window: 'lateness: 0s, trigger: { count: 10 }', stats: MOMENTS },
];

/** One part each, in tumbling windows. */
export const PARTS: readonly Case[] = [
  'p90',
  'distinct',
  'top_3',
  'skew',
  'slope',
  'first',
  'ewma_1m',
  'integral',
  'changes',
  'autocorrelation_1',
  'energy_0_1_to_1',
].map((stats) => ({ name: stats, window: 'every: 1m, lateness: 0s', stats }));

/** Lengths at which the cost of a reading should be the same; a result with every reading. */
export const LENGTHS = ['1m', '10m', '1h', '6h', '24h'] as const;
