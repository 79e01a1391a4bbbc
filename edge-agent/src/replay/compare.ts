/** Two replays side by side: what happened, and what would have happened under another configuration. Pure. */
import type { EngineReport, Ledger, TaskReport } from '@rivulet/host';

/** How a task did from one report to a later one; error and baseline are means, null without a matured prediction. */
export interface TaskFigures {
  name: string;
  kind: string;
  predictions: number;
  matured: number;
  alarms: number;
  error: number | null;
  baseline: number | null;
}

export interface SideFigures {
  ledger: Ledger;
  tasks: TaskFigures[];
}

const FATES = ['received', 'used', 'late', 'duplicate', 'retained', 'filtered', 'quarantined'] as const;

/** What happened between two reports; `before` null: since the beginning. */
export function figures(before: EngineReport | null, after: EngineReport): SideFigures {
  const sum = (report: EngineReport | null, fate: keyof Ledger): number =>
    (report?.sources ?? []).reduce((total, source) => total + source[fate], 0);
  const ledger = Object.fromEntries(FATES.map((fate) => [fate, sum(after, fate) - sum(before, fate)]));
  const tasks = after.tasks.map((task) => {
    const earlier = before?.tasks.find(({ name, kind }) => name === task.name && kind === task.kind);
    return taskFigures(earlier, task);
  });
  return { ledger: ledger as unknown as Ledger, tasks };
}

function taskFigures(before: TaskReport | undefined, after: TaskReport): TaskFigures {
  const matured = after.matured - (before?.matured ?? 0);
  const mean = (sum: number): number | null => (matured > 0 ? sum / matured : null);
  return {
    ...{ name: after.name, kind: after.kind, matured },
    predictions: after.predictions - (before?.predictions ?? 0),
    alarms: after.alarms - (before?.alarms ?? 0),
    error: mean(after.error_sum - (before?.error_sum ?? 0)),
    baseline: mean(after.baseline_sum - (before?.baseline_sum ?? 0)),
  };
}

/** The two as a table for people. */
export function sideBySide(then: SideFigures, other: SideFigures): string {
  const rows: [string, string, string][] = [['', 'as it was', 'other config']];
  for (const fate of FATES) {
    rows.push([fate, String(then.ledger[fate]), String(other.ledger[fate])]);
  }
  const names = new Set([...then.tasks, ...other.tasks].map(({ name }) => name));
  for (const name of names) {
    const sides = [then, other].map(({ tasks }) => tasks.find((task) => task.name === name));
    for (const figure of ['predictions', 'matured', 'error', 'baseline'] as const) {
      const [left = '', right = ''] = sides.map((task) => shown(task?.[figure]));
      rows.push([`${name}: ${figure}`, left, right]);
    }
  }
  const width = (column: 0 | 1 | 2): number => Math.max(...rows.map((row) => row[column].length));
  const line = ([label, left, right]: [string, string, string]): string =>
    `${label.padEnd(width(0))}  ${left.padStart(width(1))}  ${right.padStart(width(2))}`;
  return rows.map(line).join('\n');
}

function shown(figure: number | null | undefined): string {
  if (figure === undefined || figure === null) {
    return '-';
  }
  return Number.isInteger(figure) ? String(figure) : figure.toPrecision(4);
}
