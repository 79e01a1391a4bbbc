// The fleet turned by task: which gateways work on it, how far their errors lie under the last-value baseline, and how
// their panels are weighed beside each other.
import type { Fleet, Gateway, Task } from './wire.ts';

export interface TaskOfGateway {
  gateway: Gateway;
  task: Task;
}

export interface TaskOfFleet {
  name: string;
  kind: string;
  members: TaskOfGateway[];
}

/** Errors to show: recent ones where there are any, else those since the start. */
export interface Standing {
  error: number | null;
  baseline: number | null;
  /** 1 − error / baseline; null while either is absent or the baseline is 0. */
  improvement: number | null;
  recent: boolean;
}

/** Kinds in the order of the page; within a kind, tasks of more gateways first, then by name. */
const KIND_ORDER = ['forecast', 'regression', 'classification', 'anomaly'];

export function tasksOf(fleet: Fleet): TaskOfFleet[] {
  const byName = new Map<string, TaskOfFleet>();
  for (const gateway of fleet.gateways) {
    for (const task of gateway.tasks) {
      const entry = byName.get(task.name) ?? { name: task.name, kind: task.kind, members: [] };
      entry.members.push({ gateway, task });
      byName.set(task.name, entry);
    }
  }
  return [...byName.values()].sort(
    (a, b) =>
      KIND_ORDER.indexOf(a.kind) - KIND_ORDER.indexOf(b.kind) ||
      b.members.length - a.members.length ||
      a.name.localeCompare(b.name),
  );
}

export function standingOf(task: Task): Standing {
  const recent = task.recent_error !== null && task.recent_error_last_value !== null;
  const error = recent ? task.recent_error : task.error;
  const baseline = recent ? task.recent_error_last_value : task.error_last_value;
  return { error, baseline, improvement: improvement(error, baseline), recent };
}

/** Plain mean over the gateways that have both figures. */
export function standingOfAll(members: readonly TaskOfGateway[]): Standing {
  const standings = members
    .map((member) => standingOf(member.task))
    .filter((s) => s.error !== null && s.baseline !== null);
  if (standings.length === 0) return { error: null, baseline: null, improvement: null, recent: false };
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const error = mean(standings.map((standing) => standing.error ?? 0));
  const baseline = mean(standings.map((standing) => standing.baseline ?? 0));
  return { error, baseline, improvement: improvement(error, baseline), recent: standings.every((s) => s.recent) };
}

export function improvement(error: number | null, baseline: number | null): number | null {
  return error === null || baseline === null || baseline <= 0 ? null : 1 - error / baseline;
}

/** What the baseline is called for this kind of task. */
export function baselineName(kind: string): string {
  return kind === 'classification' ? 'last class' : 'last value';
}

/** "31 % under the last value", in words that also hold when it is worse. */
export function improvementInWords(share: number | null, kind: string): string {
  if (share === null) return `no comparison with the ${baselineName(kind)} yet`;
  const percent = Math.round(Math.abs(share) * 100);
  if (percent === 0) return `level with the ${baselineName(kind)}`;
  return `${percent} % ${share > 0 ? 'under' : 'over'} the ${baselineName(kind)}`;
}

/** Whether the words say "over" the baseline: level is not worse. */
export function isWorse(share: number | null): boolean {
  return share !== null && share < 0 && Math.round(-share * 100) > 0;
}

export interface PanelRow {
  expert: string;
  isRelease: boolean;
  /** One per column; null where that panel has no such expert. */
  weights: (number | null)[];
  errors: (number | null)[];
  mean: number;
}

/** Experts down, panels across; heaviest first. An expert that came with a release is marked. */
export function panelRows(panels: readonly Task[]): PanelRow[] {
  const names = [...new Set(panels.flatMap((task) => task.panel.map((expert) => expert.expert)))];
  return names
    .map((name) => {
      const experts = panels.map((task) => task.panel.find((expert) => expert.expert === name));
      const weights = experts.map((expert) => expert?.weight ?? null);
      return {
        expert: name,
        isRelease: isRelease(name),
        weights,
        errors: experts.map((expert) => expert?.error ?? null),
        mean: weights.reduce<number>((sum, weight) => sum + (weight ?? 0), 0) / Math.max(1, panels.length),
      };
    })
    .sort((a, b) => b.mean - a.mean || a.expert.localeCompare(b.expert));
}

export function isRelease(expert: string): boolean {
  return /^release\b/.test(expert);
}
