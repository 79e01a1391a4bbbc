import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCore } from '@rivulet/host';
import { afterAll, describe, expect, test } from 'vitest';
import { joinTables } from '../table/joined.ts';
import { openTable } from '../table/table.ts';
import type { EvaluationRequest } from './columns.ts';
import { evaluate } from './evaluation.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-evaluate-'));
afterAll(() => rmSync(directory, { recursive: true }));

const DATA = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
const QUIET = { limit: Number.POSITIVE_INFINITY, positive: undefined, progress: () => {} };
const REQUEST: EvaluationRequest = {
  task: 'regression',
  target: 'y',
  time: undefined,
  key: undefined,
  drop: [],
  horizon: 1,
  labelDelay: 0,
  classes: [],
};

/** y follows x and the wind; the class says which is larger. */
function makeTable(rows: number): string {
  const lines = ['x,wind,y,class'];
  let state = 1;
  for (let row = 0; row < rows; row++) {
    state = (state * 48_271) % 2_147_483_647;
    const x = (state % 1000) / 100;
    const wind = ['N', 'S'][state % 2] as string;
    const y = 3 * x + (wind === 'N' ? 1 : -1);
    lines.push(`${x},${row % 50 === 49 ? 'NA' : wind},${y.toFixed(3)},${x > 5 ? 'large' : 'small'}`);
  }
  const path = join(directory, `made-${rows}.csv`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

async function evaluated(path: string, request: Partial<EvaluationRequest>, build: 'scalar' | 'simd' = 'simd') {
  return evaluate(await loadCore({ build }), await openTable(path), { ...REQUEST, ...request }, QUIET);
}

describe('an evaluation', () => {
  test('scores every row, learns, and gives the digest of the state', async () => {
    const result = await evaluated(makeTable(2000), { drop: ['class'] });
    expect(result.rows).toBe(2000);
    expect(result.metrics.mae ?? 99).toBeLessThan(0.2 * (result.metrics.mae_last_value ?? 0));
    expect(result.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(result.panel.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 6);
  });

  test('gives the same digest and metrics again, and on the other build', async () => {
    const path = makeTable(1500);
    const [one, again, scalar] = await Promise.all([
      evaluated(path, { target: 'class', task: 'classification', drop: ['y'] }),
      evaluated(path, { target: 'class', task: 'classification', drop: ['y'] }),
      evaluated(path, { target: 'class', task: 'classification', drop: ['y'] }, 'scalar'),
    ]);
    expect([again.digest, scalar.digest]).toEqual([one.digest, one.digest]);
    expect(scalar.metrics).toEqual(one.metrics);
    expect(one.metrics.accuracy ?? 0).toBeGreaterThan(0.9);
    expect(one.metrics.f1 ?? 0).toBeGreaterThan(0.85);
  });

  test('takes the first rows only when told so, and counts them', async () => {
    const path = makeTable(2000);
    const settings = { ...QUIET, limit: 700 };
    const result = await evaluate(await loadCore(), await openTable(path), { ...REQUEST, drop: ['class'] }, settings);
    expect(result.rows).toBe(700);
  });

  test('a forecast is of the target some rows later, beside its current value', async () => {
    const path = join(directory, 'wave.csv');
    const rows = Array.from({ length: 3000 }, (_, row) => (10 * Math.sin(row / 8)).toFixed(4));
    writeFileSync(path, `v,other\n${rows.map((value) => `${value},1`).join('\n')}\n`);
    const { metrics } = await evaluated(path, { task: 'forecast', target: 'v', horizon: 4 });
    expect(metrics.mae ?? 99).toBeLessThan(0.5 * (metrics.mae_last_value ?? 0));
  });
});

test('classes known beforehand keep their order: the first one is served before any label', async () => {
  const rows = Array.from({ length: 40 }, (_, row) => `${row % 7},b`);
  const path = join(directory, 'only-b.csv');
  writeFileSync(path, `x,class\n${rows.join('\n')}\n`);
  const request = { task: 'classification', target: 'class', labelDelay: 100 } as const;
  const appearing = await evaluated(path, request);
  const known = await evaluated(path, { ...request, classes: ['a', 'b'] });
  expect([appearing.metrics.accuracy, known.metrics.accuracy]).toEqual([1, 0]);
});

test('files with the same columns are one table; other columns are refused', async () => {
  const [one, two, other] = ['x,y\n1,1\n2,2\n', 'x,y\n3,3\n', 'y,x\n1,1\n'].map((text, place) => {
    const path = join(directory, `part-${place}.csv`);
    writeFileSync(path, text);
    return path;
  }) as [string, string, string];
  const table = joinTables([await openTable(one), await openTable(two)]);
  const { rows } = await evaluate(await loadCore(), table, REQUEST, QUIET);
  expect(rows).toBe(3);
  const wrong = [await openTable(one), await openTable(other)] as const;
  expect(() => joinTables(wrong)).toThrow(/columns y, x.*expected.*x, y/s);
});

test('what is said of certainty is checked: intervals by the labels within, probabilities by right answers', async () => {
  const path = makeTable(2000);
  const numbers = await evaluated(path, { drop: ['class'] });
  expect(numbers.metrics.coverage ?? 0).toBeGreaterThan(0.8);
  expect(numbers.metrics.coverage ?? 2).toBeLessThan(1);
  expect(numbers.metrics.pinball_loss ?? 99).toBeLessThan(numbers.metrics.interval_width ?? 0);
  expect(numbers.reliability).toBeUndefined();
  const classes = await evaluated(path, { target: 'class', task: 'classification', drop: ['y'] });
  const bins = classes.reliability ?? [];
  expect(bins.reduce((sum, { rows }) => sum + rows, 0)).toBe(2000);
  const gap = bins.reduce((sum, bin) => sum + (bin.rows / 2000) * Math.abs(bin.probability - bin.accuracy), 0);
  expect(classes.metrics.calibration_error).toBeCloseTo(gap, 9);
  expect(gap).toBeLessThan(0.1);
  expect(classes.nominal_us_per_row).toBeGreaterThan(1);
});

describe.skipIf(!existsSync(DATA))('on recorded data (skipped where ../shared/data is absent)', () => {
  test('electricity prices: accuracy at least 0.90', async () => {
    const path = join(DATA, 'elec2', 'electricity.csv.gz');
    const result = await evaluated(path, { task: 'classification', target: 'class' });
    expect(result.rows).toBe(45_312);
    expect(result.metrics.accuracy_last_class ?? 0).toBeCloseTo(0.8533, 3);
    expect(result.metrics.accuracy ?? 0).toBeGreaterThanOrEqual(0.9);
  }, 60_000);

  test('approval polls: mean absolute error at most 0.25', async () => {
    const path = join(DATA, 'river', 'trump_approval.csv.gz');
    const result = await evaluated(path, { target: 'five_thirty_eight' });
    expect(result.rows).toBe(1001);
    expect(result.metrics.mae ?? 99).toBeLessThanOrEqual(0.25);
  });

  test('libsvm text: every row of bananas is scored', async () => {
    const path = join(DATA, 'river', 'bananas.txt.gz');
    const result = await evaluated(path, { task: 'classification', target: 'label' });
    expect(result.rows).toBe(5300);
    expect(result.metrics.accuracy_last_class ?? 0).toBeCloseTo(0.5096, 3);
  });
});
