/**
 * The seven tasks of `TASKS.md` (beside the data), prepared as it says: order of rows, columns, classes, missing values.
 * Each becomes one CSV file in the cache, so that the engine and the peers read the same rows and anyone can repeat a
 * line of the table with `rivulet evaluate`. Numbers are copied as text, never through a conversion.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTable, type Table } from '../../../edge-agent/src/table/table.ts';
import { beijingRows } from './beijing.ts';

/** Name of the last column of a prepared file. */
export const LABEL = 'label';

/** A task whose rows lie in a prepared file. */
export interface BenchTask {
  readonly name: string;
  readonly kind: 'classification' | 'regression';
  /** Classes are the numbers below this; 0 for regression. */
  readonly classes: number;
  readonly path: string;
  /** The column that is the label's own current value, where there is one: to answer with it is the baseline to beat. */
  readonly current?: string;
  /** SHA-256 of the prepared file, hex: results kept from an earlier run count only for the same rows. */
  readonly hash: string;
}

interface Recipe {
  readonly kind: BenchTask['kind'];
  readonly classes: number;
  readonly current?: string;
  rows(data: string): Promise<string[][]>;
}

const OFFICE = ['Temperature', 'Humidity', 'Light', 'CO2', 'HumidityRatio'];
const MARKET = ['date', 'day', 'period', 'nswprice', 'nswdemand', 'vicprice', 'vicdemand', 'transfer'];
const POLLS = ['ordinal_date', 'gallup', 'ipsos', 'morning_consult', 'rasmussen', 'you_gov'];

const RECIPES: Readonly<Record<string, Recipe>> = {
  elec2: classes((data) =>
    taken([join(data, 'elec2/electricity.csv.gz')], MARKET, 'class', (text) => (text === 'UP' ? '1' : '0')),
  ),
  phishing: classes((data) => taken([join(data, 'river/phishing.csv.gz')], 'all others', 'is_phishing')),
  bananas: classes((data) =>
    taken([join(data, 'river/bananas.txt.gz')], ['1', '2'], LABEL, (text) => (text === '1' ? '1' : '0')),
  ),
  occupancy: classes((data) => {
    const parts = ['datatest', 'datatraining', 'datatest2'].map((part) => join(data, `occupancy/${part}.csv.gz`));
    return taken(parts, OFFICE, 'Occupancy');
  }),
  trump: numbers((data) => taken([join(data, 'river/trump_approval.csv.gz')], POLLS, 'five_thirty_eight')),
  chick: numbers((data) => taken([join(data, 'river/chick-weights.csv.gz')], ['time', 'chick', 'diet'], 'weight')),
  beijing: {
    ...numbers(async (data) =>
      beijingRows(await openTable(join(data, 'beijing-air-quality/aotizhongxin.csv.gz')), LABEL),
    ),
    current: 'PM2.5',
  },
};

/** Names of the seven, in the order of TASKS.md. */
export const SEVEN: readonly string[] = Object.keys(RECIPES);

/** Prepares one of the seven in `directory`. */
export async function prepare(name: string, data: string, directory: string): Promise<BenchTask> {
  const recipe = RECIPES[name];
  if (recipe === undefined) throw new Error(`no task ${name}`);
  const { rows: make, ...about } = recipe;
  const path = join(directory, `${name}.csv`);
  if (!existsSync(path)) {
    const rows = await make(data);
    await mkdir(directory, { recursive: true });
    await writeFile(path, `${rows.map((row) => row.join(',')).join('\n')}\n`);
  }
  return { name, ...about, path, hash: await hashOf(path) };
}

export async function hashOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

function classes(rows: Recipe['rows']): Recipe {
  return { kind: 'classification', classes: 2, rows };
}

function numbers(rows: Recipe['rows']): Recipe {
  return { kind: 'regression', classes: 0, rows };
}

/** The columns asked for, in that order, and the label; files one behind the other. */
async function taken(
  paths: readonly string[],
  columns: readonly string[] | 'all others',
  label: string,
  coded = (text: string) => text,
): Promise<string[][]> {
  const rows: string[][] = [];
  for (const path of paths) {
    const table = await openTable(path);
    const names = columns === 'all others' ? table.columns.filter((name) => name !== label) : columns;
    const places = names.map((name) => placeOf(table, name));
    const labelPlace = placeOf(table, label);
    if (rows.length === 0) rows.push([...names, LABEL]);
    for await (const batch of table.rows()) {
      for (const { cells } of batch) {
        rows.push([...places.map((place) => cells[place] ?? ''), coded(cells[labelPlace] ?? '')]);
      }
    }
  }
  return rows;
}

/** Place of a column in a table. */
export function placeOf(table: Table, name: string): number {
  const place = table.columns.indexOf(name);
  if (place < 0) throw new Error(`${table.path} has no column ${name}`);
  return place;
}
