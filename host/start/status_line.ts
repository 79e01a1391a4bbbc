/** One line on how the demonstration is: rates, each task beside its baseline, releases, gateways up. Pure. */
import type { GatewayView } from './gateway.ts';

/** Facts for the line. */
export interface LineFacts {
  readonly seconds: number;
  readonly gateways: readonly GatewayView[];
  readonly up: number;
  readonly releases: number;
}

/** The line, without a line break. Errors are of the second half of the run so far, gateways weighed by their labels. */
export function statusLine({ seconds, gateways, up, releases }: LineFacts): string {
  const sum = (of: (view: GatewayView) => number) => gateways.reduce((total, view) => total + of(view), 0);
  const parts = [
    clock(seconds),
    `gateways ${up}/${gateways.length}`,
    `${count(sum((view) => view.messages_per_s))} messages/s`,
    `${count(sum((view) => view.predictions_per_s))} predictions/s`,
    `releases ${releases}`,
    ...taskParts(gateways, seconds), // last: a narrow terminal cuts the line off
  ];
  return parts.join(' · ');
}

function taskParts(gateways: readonly GatewayView[], seconds: number): string[] {
  const tasks = new Map<string, { classes: boolean; matured: number; error: number; baseline: number }>();
  for (const view of gateways) {
    for (const { name, kind } of view.status?.tasks ?? []) {
      const half = view.courses.get(name)?.secondHalf(seconds);
      const total = tasks.get(name) ?? { classes: kind === 'classification', matured: 0, error: 0, baseline: 0 };
      if (half?.error != null && half.error_last_value !== null) {
        total.matured += half.matured;
        total.error += half.error * half.matured;
        total.baseline += half.error_last_value * half.matured;
      }
      tasks.set(name, total);
    }
  }
  return [...tasks].map(([name, { classes, matured, error, baseline }]) => {
    if (matured === 0) return `${name} waits for labels`;
    const show = classes ? percent : figure;
    return `${name} ${show(error / matured)} (last ${classes ? 'class' : 'value'} ${show(baseline / matured)})`;
  });
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function figure(value: number): string {
  return value.toPrecision(3);
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
