/** What a task has noticed, for people: drift that was found, and labels that were not believed. Pure. */
import type { TaskReport } from '@rivulet/host';

/** What became of labels that were not simply learned; nothing where there were none. */
export function labelLines({ expired, unmatched, conflicting, corrected, breaker }: TaskReport): string[] {
  const fates = [
    expired > 0 ? `${expired} did not come in time` : '',
    unmatched > 0 ? `${unmatched} found no prediction` : '',
    conflicting > 0 ? `${conflicting} contradicted, ${corrected} corrected` : '',
  ].filter((fate) => fate !== '');
  const conflicts = fates.length > 0 ? [`labels: ${fates.join(', ')}`] : [];
  if (!breaker?.opened) return conflicts;
  const { open, opened, held, dropped } = breaker;
  const now = open === 1 ? 'open' : 'closed';
  return [...conflicts, `label source: breaker ${now}, opened ${opened} times, ${held} held, ${dropped} not learned`];
}

/** The newest findings of a watch, at most `shown` of them; nothing where nothing was found. */
export function driftLines(drift: TaskReport['drift'], shown: number): string[] {
  const newest = (drift?.evidence ?? []).slice(-shown).reverse();
  if (drift === null || newest.length === 0) return [];
  return [
    `drift: ${drift.alarms} found by ${drift.detector}`,
    ...newest.map(({ of, feature, key, at, before, after, rows }) => {
      const what = feature === '' ? of : `feature ${feature}`;
      const [was, is] = [before, after].map((mean) => Number(mean.toPrecision(3)));
      return `  ${new Date(at).toISOString()} ${what} ${was} → ${is} after ${rows} rows, at ${key}`;
    }),
  ];
}
