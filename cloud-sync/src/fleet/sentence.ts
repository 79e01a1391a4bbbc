/**
 * The fleet in one sentence a human can rely on: what is up, what flows, and how each task does against its baseline,
 * good or bad. Nothing is claimed before there is evidence.
 */
import type { GatewayView } from '../api/views.ts';

/** Tasks named in the sentence: those with the most evidence; the rest are counted. */
const TASKS_NAMED = 3;
/** Labels a task needs before it is spoken of: below it, the figure is noise. */
const LABELS_MIN = 30;

export function fleetSentence(gateways: readonly GatewayView[]): string {
  if (gateways.length === 0) return 'No gateway has enrolled yet.';
  const up = gateways.filter((gateway) => gateway.up);
  const parts = [
    `${up.length} of ${gateways.length} ${plural(gateways.length, 'gateway')} ${up.length === 1 && gateways.length === 1 ? 'is' : 'are'} up`,
  ];
  if (up.length > 0) parts.push(`${rateText(up.reduce((sum, gateway) => sum + gateway.messages_per_s, 0))} messages/s`);
  const tasks = standings(gateways);
  const named = tasks.slice(0, TASKS_NAMED).map(({ name, gain, noun }) => `${name} is ${gainText(gain)} ${noun}`);
  if (named.length > 0) parts.push(...named);
  else if (gateways.some((gateway) => gateway.tasks.length > 0))
    parts.push('too few labels yet to judge the predictions');
  if (tasks.length > TASKS_NAMED) {
    const rest = tasks.slice(TASKS_NAMED);
    parts.push(`${rest.filter(({ gain }) => gain > 0).length} of ${rest.length} other tasks beat theirs`);
  }
  return `${parts.join('; ')}.`;
}

interface Standing {
  readonly name: string;
  /** 1 − error ÷ error of the baseline: above 0 is better. */
  readonly gain: number;
  readonly noun: string;
  readonly matured: number;
}

/** Every judged task over all its gateways, weighted by labels; those with the most labels first. */
function standings(gateways: readonly GatewayView[]): Standing[] {
  const sums = new Map<string, { kind: string; error: number; baseline: number; matured: number }>();
  for (const task of gateways.flatMap((gateway) => gateway.tasks)) {
    if (task.error === null || task.error_last_value === null || task.kind === 'anomaly') continue;
    const sum = sums.get(task.name) ?? { kind: task.kind, error: 0, baseline: 0, matured: 0 };
    // what is recent says how the task does now; without recent labels, the whole run speaks
    sum.error += (task.recent_error ?? task.error) * task.matured;
    sum.baseline += (task.recent_error_last_value ?? task.error_last_value) * task.matured;
    sum.matured += task.matured;
    sums.set(task.name, sum);
  }
  return [...sums]
    .filter(([, sum]) => sum.matured >= LABELS_MIN && sum.baseline > 0)
    .map(([name, sum]) => ({
      name,
      gain: 1 - sum.error / sum.baseline,
      noun: sum.kind === 'classification' ? 'last class' : 'last value',
      matured: sum.matured,
    }))
    .sort((a, b) => b.matured - a.matured || (a.name < b.name ? -1 : 1));
}

function gainText(gain: number): string {
  const percent = Math.round(Math.abs(gain) * 100);
  if (percent === 0) return 'no better than';
  return `${percent} % ${gain > 0 ? 'better' : 'worse'} than`;
}

function rateText(rate: number): string {
  return rate >= 10 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1);
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
