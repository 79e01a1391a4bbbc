/**
 * What the columns of a table hold, found by reading it through once: numbers or text, how many different values, in
 * what order they grow. The evaluator takes its column types from this, the CSV feed its guesses.
 */
import { isMissing, numberIn } from './cells.ts';
import type { Table } from './table.ts';

/** Different values remembered per column: above it a column is no set of classes. */
const VALUES_MAX = 256;

/** First cells kept per column, to look at their form. */
const SAMPLES_MAX = 200;

/** What one column holds. */
export interface ColumnProfile {
  readonly name: string;
  /** Cells with a finite number. */
  numbers: number;
  /** Cells with something that is not a number. */
  texts: number;
  missing: number;
  /** Different values in order of first appearance; at most 256 of them. */
  readonly values: Set<string>;
  /** More than 256 different values. */
  manyValues: boolean;
  /** Every number is an integer. */
  integers: boolean;
  /** Every value differs from the one before by exactly 1: a row number. */
  counts: boolean;
  min: number;
  max: number;
  /** The first cells that are not missing. */
  readonly samples: string[];
}

/** The profile of a table's columns, and its number of rows (or `limit`, if it has more). */
export async function profileOf(
  table: Table,
  limit = Number.POSITIVE_INFINITY,
): Promise<{ rows: number; columns: ColumnProfile[] }> {
  const columns = table.columns.map(emptyProfile);
  const previous = new Float64Array(columns.length).fill(Number.NaN);
  let rows = 0;
  for await (const batch of table.rows()) {
    for (const { cells } of batch) {
      if (rows >= limit) return { rows, columns };
      rows++;
      for (const [index, column] of columns.entries()) {
        const cell = cells[index] ?? '';
        previous[index] = note(column, cell, previous[index] ?? Number.NaN);
      }
    }
  }
  return { rows, columns };
}

function emptyProfile(name: string): ColumnProfile {
  return {
    name,
    numbers: 0,
    texts: 0,
    missing: 0,
    values: new Set(),
    manyValues: false,
    integers: true,
    counts: true,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
    samples: [],
  };
}

/** Takes one cell; answers its number, NaN without one. */
function note(column: ColumnProfile, cell: string, previous: number): number {
  const value = numberIn(cell);
  if (Number.isNaN(value) && isMissing(cell)) {
    column.missing++;
    column.counts = false;
    return value;
  }
  if (Number.isNaN(value)) {
    column.texts++;
    column.counts = false;
    column.integers = false;
  } else {
    if (column.numbers > 0 && value !== previous + 1) column.counts = false;
    column.numbers++;
    if (column.integers && !Number.isInteger(value)) column.integers = false;
    if (value < column.min) column.min = value;
    if (value > column.max) column.max = value;
  }
  if (column.samples.length < SAMPLES_MAX) column.samples.push(cell);
  if (!column.manyValues && !column.values.has(cell)) {
    if (column.values.size < VALUES_MAX) column.values.add(cell);
    else column.manyValues = true;
  }
  return value;
}
