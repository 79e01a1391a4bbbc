import { describe, expect, test } from 'vitest';
import type { ColumnProfile } from '../table/profile.ts';
import { columnsFor, type EvaluationRequest } from './columns.ts';
import { encodeRows } from './rows.ts';
import { f1Of } from './scores.ts';

function profile(name: string, texts = 0, values: string[] = []): ColumnProfile {
  return {
    name,
    numbers: 3 - texts,
    texts,
    missing: 0,
    values: new Set(values),
    manyValues: false,
    integers: false,
    counts: false,
    min: 0,
    max: 1,
    samples: values,
  };
}

const REQUEST: EvaluationRequest = {
  task: 'classification',
  target: 'class',
  time: undefined,
  key: undefined,
  drop: [],
  horizon: 1,
  labelDelay: 0,
  classes: [],
};
const PROFILES = [profile('at'), profile('wind', 3), profile('class', 3, ['UP', 'DOWN']), profile('load')];

describe('the columns of an evaluation', () => {
  test('are all but the target, in file order, text as categories', () => {
    expect(columnsFor('f', PROFILES, REQUEST).spec).toMatchObject({
      columns: [
        { name: 'at', type: 'number' },
        { name: 'wind', type: 'category' },
        { name: 'load', type: 'number' },
      ],
      target: 'class',
      classes: 2,
    });
  });

  test('leave out time, key and what is dropped', () => {
    const { spec } = columnsFor('f', PROFILES, { ...REQUEST, time: 'at', key: 'wind', drop: ['load'] });
    expect(spec.columns).toEqual([]);
  });

  test('an unknown column is refused with the names there are', () => {
    expect(() => columnsFor('f', PROFILES, { ...REQUEST, target: 'klass' })).toThrow(/no column "klass".*at, wind/);
  });

  test('a text target is refused for regression', () => {
    expect(() => columnsFor('f', PROFILES, { ...REQUEST, task: 'regression' })).toThrow(/text in 3 cells/);
  });
});

test('rows are encoded as FORMATS section 3 says, categories and classes by first appearance', () => {
  const columns = columnsFor('f', PROFILES, REQUEST);
  const bytes = encodeRows(columns, [
    { line: 2, cells: ['0.5', 'N', 'DOWN', ''] },
    { line: 3, cells: ['1.5', 'S', 'UP', '7'] },
    { line: 4, cells: ['NA', 'N', '', '8'] },
  ]);
  const view = new DataView(bytes.buffer);
  expect([view.getUint32(0, true), view.getUint32(4, true), bytes.length]).toEqual([3, 3, 8 + 3 * 36]);
  const row = (n: number) => [0, 1, 2, 3].map((place) => view.getFloat64(8 + n * 36 + 4 + 8 * place, true));
  expect([row(0), row(1), row(2)]).toEqual([
    [0, 0.5, 0, Number.NaN],
    [1, 1.5, 1, 7],
    [Number.NaN, Number.NaN, 0, 8],
  ]);
});

test('F1 is of the rarer of two classes unless one is named', () => {
  const confusion = [
    [6, 2],
    [1, 3],
  ];
  expect(f1Of(confusion, ['a', 'b'], undefined)).toBeCloseTo((2 * 3) / (4 + 5));
  expect(f1Of(confusion, ['a', 'b'], 'a')).toBeCloseTo((2 * 6) / (8 + 7));
  expect(f1Of([...confusion, [0, 0]], ['a', 'b', 'c'], undefined)).toBeNull();
  expect(() => f1Of(confusion, ['a', 'b'], 'z')).toThrow(/no class "z"/);
});
