/**
 * Learning curves: a point per report and task, in cumulative sums, bounded by halving.
 *
 * Because a point holds sums since the gateway's beginning, leaving points out loses resolution and nothing else.
 */
import type { CurvePointView } from '../api/views.ts';
import type { CurvePoint, Store } from '../drivers/store.ts';
import type { TaskReport } from './report.ts';

/** Points kept per gateway and task; at this number every second one goes, and from then on every second report counts. */
export const CURVE_POINTS_MAX = 2_000;

/** Curves of one gateway, over all tasks it ever had: what comes beyond is not drawn. */
const CURVES_PER_GATEWAY_MAX = 256;

export interface Curves {
  /** Adds what a report says of a task, if there are new labels and its turn has come. */
  add(gateway: string, task: TaskReport, atMs: number): void;
}

interface Progress {
  points: number;
  /** One point per this many reports. */
  stride: number;
  reports: number;
  matured: number;
}

export function openCurves({ directory, whenWritten }: Pick<Store, 'directory' | 'whenWritten'>): Curves {
  const gateways = new Map<string, Map<string, Progress>>();

  function progressOf(gateway: string, task: string, points: number): Progress | null {
    const tasks = gateways.get(gateway) ?? new Map<string, Progress>();
    gateways.set(gateway, tasks);
    const known = tasks.get(task);
    if (known !== undefined || tasks.size >= CURVES_PER_GATEWAY_MAX) return known ?? null;
    const fresh = { points, stride: 1, reports: 0, matured: 0 };
    tasks.set(task, fresh);
    return fresh;
  }

  for (const { gateway, task, points } of directory.curves()) progressOf(gateway, task, points);
  return {
    add(gateway, task, atMs) {
      if (task.matured === 0) return;
      const state = progressOf(gateway, task.name, 0);
      if (state === null || task.matured === state.matured) return;
      const before = { ...state };
      whenWritten((kept) => {
        if (!kept) Object.assign(state, before);
      });
      if (state.reports++ % state.stride !== 0) return;
      const { matured, errorSum, baselineSum } = task;
      directory.addCurvePoint(gateway, task.name, { atMs, matured, errorSum, baselineSum });
      state.matured = matured;
      state.points++;
      if (state.points >= CURVE_POINTS_MAX) {
        state.points = directory.halveCurve(gateway, task.name);
        state.stride *= 2;
      }
    },
  };
}

/**
 * The points as the API shows them: the error over the labels between two points. At most `max` points: neighbours
 * are joined evenly. A gateway that began anew (fewer labels than before) begins a new stretch.
 */
export function curveView(gateway: string, points: readonly CurvePoint[], max: number): CurvePointView[] {
  const step = Math.max(1, Math.ceil(points.length / max));
  const kept = points.filter((_, place) => (points.length - 1 - place) % step === 0);
  const view: CurvePointView[] = [];
  let before: CurvePoint = { atMs: 0, matured: 0, errorSum: 0, baselineSum: 0 };
  for (const point of kept) {
    if (point.matured < before.matured) before = { atMs: 0, matured: 0, errorSum: 0, baselineSum: 0 };
    const labels = point.matured - before.matured;
    if (labels > 0) {
      view.push({
        gateway,
        at: point.atMs,
        matured: point.matured,
        error: (point.errorSum - before.errorSum) / labels,
        error_last_value: (point.baselineSum - before.baselineSum) / labels,
      });
    }
    before = point;
  }
  return view;
}
