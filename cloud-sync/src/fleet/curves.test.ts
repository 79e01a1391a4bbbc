import { describe, expect, it } from 'vitest';
import { openSqlite } from '../drivers/sqlite.ts';
import { CURVE_POINTS_MAX, curveView, openCurves } from './curves.ts';
import type { TaskReport } from './report.ts';

function task(matured: number): TaskReport {
  const sums = { errorSum: matured * 0.5, baselineSum: matured };
  return {
    name: 't',
    kind: 'forecast',
    predictions: matured,
    matured,
    alarms: 0,
    ...sums,
    schema: null,
    release: null,
    panel: [],
    drift: { alarms: 0, newest: [] },
    labels: { conflicting: 0, open: false },
  };
}

describe('learning curves', () => {
  it('stays within its bound and still spans everything, evenly', () => {
    const store = openSqlite(':memory:');
    const curves = openCurves(store);
    store.atomically(() => {
      for (let n = 1; n <= 5 * CURVE_POINTS_MAX; n++) curves.add('g', task(n), n);
    });
    const points = store.directory.curve('g', 't');
    expect(points.length).toBeLessThan(CURVE_POINTS_MAX);
    expect(points.length).toBeGreaterThan(CURVE_POINTS_MAX / 4);
    const gaps = points.slice(1).map((point, at) => point.matured - (points[at]?.matured ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(2 * Math.min(...gaps));
    store.close();
  });

  it('draws no more curves of a gateway than it can keep, and goes on with those', () => {
    const store = openSqlite(':memory:');
    const curves = openCurves(store);
    store.atomically(() => {
      for (let n = 0; n < 300; n++) curves.add('g', { ...task(1), name: `t${n}` }, 1);
      curves.add('g', { ...task(2), name: 't0' }, 2);
      curves.add('h', task(1), 1);
    });
    expect(store.directory.curves().length).toBe(257);
    expect(store.directory.curve('g', 't0').length).toBe(2);
    store.close();
  });

  it('adds no point without new labels', () => {
    const store = openSqlite(':memory:');
    const curves = openCurves(store);
    for (const matured of [0, 4, 4, 4, 5]) curves.add('g', task(matured), 1);
    expect(store.directory.curve('g', 't').map(({ matured }) => matured)).toEqual([4, 5]);
    store.close();
  });

  it('shows the error between two points, not the mean since the beginning', () => {
    const points = [
      { atMs: 1, matured: 10, errorSum: 10, baselineSum: 20 },
      { atMs: 2, matured: 30, errorSum: 14, baselineSum: 60 },
    ];
    expect(curveView('g', points, 100)).toEqual([
      { gateway: 'g', at: 1, matured: 10, error: 1, error_last_value: 2 },
      { gateway: 'g', at: 2, matured: 30, error: 0.2, error_last_value: 2 },
    ]);
  });

  it('joins neighbours when fewer points are asked for, and keeps the last', () => {
    const points = Array.from({ length: 10 }, (_, n) => ({
      atMs: n,
      matured: n + 1,
      errorSum: (n + 1) * 0.5,
      baselineSum: n + 1,
    }));
    const view = curveView('g', points, 3);
    expect(view.map(({ matured }) => matured)).toEqual([2, 6, 10]);
    expect(view.every(({ error }) => error === 0.5)).toBe(true);
  });

  it('begins anew when the gateway counts from zero again', () => {
    const points = [
      { atMs: 1, matured: 100, errorSum: 50, baselineSum: 100 },
      { atMs: 2, matured: 10, errorSum: 2, baselineSum: 10 },
    ];
    expect(curveView('g', points, 100).at(-1)).toMatchObject({ matured: 10, error: 0.2 });
  });
});
