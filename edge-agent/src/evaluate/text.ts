/** An evaluation as the terminal shows it: scores, the experts with most weight, or all of them beside the panel. */
import { basename } from 'node:path';
import type { EvaluationSpec } from '@rivulet/host';
import { type Measure, measureOf } from './curve.ts';
import type { EvaluationResult } from './evaluation.ts';
import { comparedLines, percent, scoreText } from './report/report.ts';

/** Experts listed when none are compared, and drift alarms. */
const LISTED = 5;

/** The outcome in lines of two columns. */
export function textOf(result: EvaluationResult, task: EvaluationSpec['kind'], labelDelay: number): string {
  const rows: [string, string][] = [
    ['task', task],
    ['rows', String(result.rows)],
    ['labels late by', `${labelDelay} rows`],
    ...Object.entries(result.metrics).map(([name, value]): [string, string] => [
      name.replaceAll('_', ' '),
      scoreText(value),
    ]),
    ['engine CPU per row', `${result.us_per_row.toFixed(2)} µs`],
    ['nominal, at the end', `${result.nominal_us_per_row.toFixed(2)} µs`],
    ['process CPU per row', `${result.process_us_per_row.toFixed(2)} µs`],
    ['digest', result.digest.slice(0, 16)],
    ...drifts(result),
    ...(result.compare === undefined ? leaders(result) : compared(result.compare, measureOf(task))),
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `${name.padEnd(width)}${value}`.trimEnd()).join('\n');
}

/** Several runs side by side, a line each: what was read, how many rows labels came late, and the scores. */
export function sideBySide(runs: readonly (EvaluationResult & { data: string; label_delay: number })[]): string {
  const names = Object.keys(runs[0]?.metrics ?? {}) as (keyof EvaluationResult['metrics'])[];
  const lines = [
    ['data', 'late by', 'rows', ...names.map((name) => name.replaceAll('_', ' '))],
    ...runs.map(({ data, label_delay, rows, metrics }) => [
      basename(data),
      String(label_delay),
      String(rows),
      ...names.map((name) => scoreText(metrics[name] ?? null)),
    ]),
  ];
  const width = (column: number): number => Math.max(...lines.map((line) => line[column]?.length ?? 0)) + 2;
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(width(column)))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}

function drifts({ drift }: EvaluationResult): [string, string][] {
  if (drift === undefined) return [];
  const listed = drift.rows.slice(0, LISTED).join(', ');
  const at = drift.alarms === 0 ? '' : `: after row ${listed}${drift.alarms > LISTED ? ', …' : ''}`;
  return [[`drift alarms (${drift.detector})`, `${drift.alarms}${at}`]];
}

function leaders({ panel }: EvaluationResult): [string, string][] {
  const experts = [...panel].sort((a, b) => b.weight - a.weight).slice(0, LISTED);
  return [
    ['experts with most weight', ''],
    ...experts.map(({ expert, weight }): [string, string] => [`  ${expert}`, percent(weight)]),
  ];
}

function compared(compare: NonNullable<EvaluationResult['compare']>, measure: Measure): [string, string][] {
  const lines = comparedLines(compare, measure).map(([name, score, weight]): [string, string] => [
    `  ${name}`,
    `${scoreText(score).padEnd(9)}${weight === null ? '' : percent(weight).padStart(8)}`,
  ]);
  return [[`each alone over ${compare.rows} rows`, `${compare.metric.padEnd(9)}  weight`], ...lines];
}
