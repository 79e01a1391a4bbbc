import { describe, expect, test } from 'vitest';
import { CURVE_BINS_MAX, CURVE_MEAN_SHARE, curveCeiling, curveColumns, curveRows } from './curve.ts';
import type { CurvePoint } from './wire.ts';

const point = (gateway: string, at: number, error: number | null = 1): CurvePoint => ({
  gateway,
  at,
  matured: at,
  error,
  error_last_value: 2,
});

const run = (gateway: string, count: number, from = 0): CurvePoint[] =>
  Array.from({ length: count }, (_, index) => point(gateway, 1000 * (from + index + 1)));

describe('curveColumns', () => {
  test('two_gateways_share_one_rising_time_axis', () => {
    const columns = curveColumns([point('a', 1000), point('b', 2000), point('a', 3000)], ['a', 'b']);
    expect(columns.x).toEqual([1, 2, 3]);
    expect(columns.lines.map((line) => `${line.gateway} ${line.role}`)).toEqual([
      'a error',
      'a baseline',
      'b error',
      'b baseline',
    ]);
    expect(columns.lines[0]?.values).toEqual([1, undefined, 1]);
    expect(columns.lines[3]?.values).toEqual([undefined, 2, undefined]);
  });

  test('only_the_gateways_asked_for_are_drawn', () => {
    expect(curveColumns([point('a', 1000), point('b', 2000)], ['b']).x).toEqual([2]);
  });

  test('a_long_silence_breaks_the_line', () => {
    const columns = curveColumns([...run('a', 5), ...run('a', 5, 60)], ['a']);
    expect(columns.x).toHaveLength(11);
    expect(columns.lines[0]?.values[5]).toBeNull();
    expect(columns.lines[0]?.values.filter((value) => value === null)).toHaveLength(1);
  });

  test('each_point_is_the_mean_of_the_stretch_before_it_weighed_by_labels', () => {
    const points = [
      { ...point('a', 1000, 9), matured: 10 },
      { ...point('a', 99_000, 4), matured: 20 },
      { ...point('a', 100_000, 1), matured: 50 },
    ];
    const columns = curveColumns(points, ['a']);
    expect(columns.mean_ms).toBeCloseTo(99_000 * CURVE_MEAN_SHARE);
    expect(columns.lines[0]?.values.filter((value) => typeof value === 'number')).toEqual([
      9,
      4,
      (4 * 10 + 1 * 30) / 40,
    ]);
  });

  test('many_points_are_thinned_and_keep_their_mean', () => {
    const columns = curveColumns(run('a', 5000), ['a']);
    expect(columns.x.length).toBeLessThanOrEqual(CURVE_BINS_MAX);
    expect(columns.x).toEqual(columns.x.toSorted((a, b) => a - b));
    expect(new Set(columns.lines[0]?.values)).toEqual(new Set([1]));
  });

  test('no_points_give_empty_columns', () => {
    expect(curveColumns([], ['a'])).toEqual({
      x: [],
      mean_ms: 0.12,
      lines: [
        { gateway: 'a', role: 'error', values: [] },
        { gateway: 'a', role: 'baseline', values: [] },
      ],
    });
  });
});

test('a_wild_beginning_may_leave_the_picture_and_a_bad_end_may_not', () => {
  const wild = point('a', 500, 1e6);
  expect(curveCeiling(curveColumns([wild, ...run('a', 100)], ['a']))).toBeLessThan(4);
  expect(curveCeiling(curveColumns([...run('a', 100), point('a', 101_000, 1e6)], ['a']))).toBeGreaterThan(1e4);
});

test('the_ceiling_of_an_empty_or_perfect_curve_is_positive', () => {
  expect(curveCeiling({ x: [], mean_ms: 0, lines: [] })).toBe(1);
  expect(curveCeiling({ x: [1], mean_ms: 0, lines: [{ gateway: 'a', role: 'error', values: [0] }] })).toBe(1);
});

test('the_table_shows_the_newest_rows_first_and_skips_those_without_an_error', () => {
  const rows = curveRows([...run('a', 4), point('a', 9000, null), point('b', 9500)], ['a'], 2);
  expect(rows.map((row) => row.at)).toEqual([4000, 3000]);
});
