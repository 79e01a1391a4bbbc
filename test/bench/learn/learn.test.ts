import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openTable } from '../../../edge-agent/src/table/table.ts';
import { beijingRows } from './beijing.ts';
import { readColumn, scoreClasses, scoreLastLabel, scoreNumbers } from './scores.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-bench-learn-'));
afterAll(() => rmSync(directory, { recursive: true }));

function written(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

describe('scores', () => {
  test('classes: a sure and wrong answer costs the log of the least probability, not infinity', () => {
    const labels = Float64Array.from([0, 1, 1, 0]);
    const predictions = Float64Array.from([0, 0.75, 0.25, 1, 0.5, 0.5, 0, 1, 0, 0, 1, 0]);
    const { accuracy, kappa, log_loss } = scoreClasses(labels, predictions, 2);
    expect([accuracy, kappa]).toEqual([0.75, 0.5]);
    expect(log_loss).toBeCloseTo((-Math.log(0.75) - Math.log(0.5) - Math.log(1e-15)) / 4, 12);
  });

  test('numbers: mean absolute error and root mean square', () => {
    const { mae, rmse } = scoreNumbers(Float64Array.from([1, 2]), Float64Array.from([2, -1]));
    expect([mae, rmse]).toEqual([2, Math.sqrt(5)]);
  });

  test('the last label is the one that had arrived: with a delay of D, that of D + 1 rows ago', () => {
    const labels = Float64Array.from([5, 6, 8, 11]);
    expect(scoreLastLabel(labels, 0, 0).mae).toBe((5 + 1 + 2 + 3) / 4);
    expect(scoreLastLabel(labels, 1, 0).mae).toBe((5 + 6 + 3 + 5) / 4);
    expect(scoreLastLabel(Float64Array.from([1, 1, 0]), 1, 2).accuracy).toBe(0);
  });

  test('a column of a prepared file is found by name, the label without one', async () => {
    const path = written('prepared.csv', 'a,b,label\n1,2,3\n4,5,6\n');
    expect([...(await readColumn(path))]).toEqual([3, 6]);
    expect([...(await readColumn(path, 'b'))]).toEqual([2, 5]);
  });
});

test('beijing: the label is the next hour, hours without one are left out, gaps keep the last value', async () => {
  const names = 'month hour PM2.5 PM10 SO2 NO2 CO O3 TEMP PRES DEWP RAIN WSPM wd'.split(' ');
  const hour = (pm: string, so2: string, wind: string) =>
    ['3', '0', pm, '7', so2, ...Array(8).fill('1'), wind].join(',');
  const rows = [hour('4', 'NA', 'E'), hour('NA', '9', 'NA'), hour('6', 'NA', 'N'), hour('8', '2', 'S')];
  const table = await openTable(written('station.csv', `${names.join(',')}\n${rows.join('\n')}\n`));
  const [header, ...prepared] = await beijingRows(table, 'label');
  const at = (column: string) => prepared.map((row) => row[header?.indexOf(column) ?? -1]);
  expect(at('label')).toEqual(['6', '8']);
  expect(at('PM2.5')).toEqual(['4', '6']);
  expect(at('SO2')).toEqual(['9', '9']);
  expect([at('wd_sin'), at('wd_cos')]).toEqual([
    ['1', '0'],
    ['0', '1'],
  ]);
});
