import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { isMissing, numberIn } from './cells.ts';
import { profileOf } from './profile.ts';
import { openTable, type Table } from './table.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-table-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function cellsOf(table: Table): Promise<string[][]> {
  const all = [];
  for await (const rows of table.rows()) all.push(...rows.map((row) => [...row.cells]));
  return all;
}

describe('a table', () => {
  test('is read alike plain and compressed, with a byte order mark or without', async () => {
    const text = '\ufeffname,value\nx,1\n';
    for (const path of [file('plain.csv', text), file('packed.csv.gz', gzipSync(text))]) {
      const table = await openTable(path);
      expect(table.columns).toEqual(['name', 'value']);
      expect(await cellsOf(table)).toEqual([['x', '1']]);
    }
  });

  test('fills short rows with missing cells and refuses long ones with their line', async () => {
    expect(await cellsOf(await openTable(file('short.csv', 'a,b,c\n1,2\n')))).toEqual([['1', '2', '']]);
    const long = await openTable(file('long.csv', 'a,b\n1,2\n1,2,3,4\n'));
    await expect(cellsOf(long)).rejects.toThrow(/long\.csv:3: 4 cells; expected at most the 2 columns/);
  });

  test('leaves out row names that have no header', async () => {
    const table = await openTable(file('r.csv', '"t","u"\n"1",5,6\n"2",7,8\n'));
    expect(table.columns).toEqual(['t', 'u']);
    expect(await cellsOf(table)).toEqual([
      ['5', '6'],
      ['7', '8'],
    ]);
  });

  test('names columns apart', async () => {
    expect((await openTable(file('names.csv', 'a,,a\n1,2,3\n'))).columns).toEqual(['a', 'column_2', 'a_2']);
  });

  test('takes libsvm text: first token the label, what is left out zero', async () => {
    const table = await openTable(file('data.txt', '-1 1:0.5 3:2 \n+1 2:7\n'));
    expect(table.columns).toEqual(['label', '1', '2', '3']);
    expect(await cellsOf(table)).toEqual([
      ['-1', '0.5', '0', '2'],
      ['+1', '0', '7', '0'],
    ]);
  });

  test('an empty or absent file is named in the error', async () => {
    await expect(openTable(file('empty.csv', ''))).rejects.toThrow(/empty\.csv: the file is empty/);
    await expect(openTable(join(directory, 'absent.csv'))).rejects.toThrow(/absent\.csv: ENOENT/);
  });
});

test('cells: numbers, missing values and text are told apart', () => {
  expect(['1', '-2.5', '.5', '1e3', '+4'].map(numberIn)).toEqual([1, -2.5, 0.5, 1000, 4]);
  expect(['', 'x', '0x10', '1 2', 'NaN', 'Infinity', '1e999'].map(numberIn).every(Number.isNaN)).toBe(true);
  expect(['', '  ', 'NA', 'nan', 'NULL', '-inf'].every(isMissing)).toBe(true);
  expect(['0', 'no', 'N'].some(isMissing)).toBe(false);
});

test('a profile tells numbers, text, row numbers and few values', async () => {
  const { rows, columns } = await profileOf(await openTable(file('p.csv', 'No,v,w,c\n1,0.5,N,0\n2,NA,S,1\n3,2,N,0\n')));
  expect(rows).toBe(3);
  expect(columns.map((c) => [c.numbers, c.texts, c.missing, c.values.size, c.counts, c.integers])).toEqual([
    [3, 0, 0, 3, true, true],
    [2, 0, 1, 2, false, false],
    [0, 3, 0, 2, false, false],
    [3, 0, 0, 2, false, true],
  ]);
});
