/**
 * A file of rows with named columns, whatever its outside: CSV with a header row, or libsvm text (`label 1:0.5 7:2`).
 * Can be read as often as needed; each reading streams.
 */
import { type CsvRow, createCsvParser, RivuletError, separatorOf } from '@rivulet/host';
import { textOf } from './text.ts';

/** One row: a cell per column of {@link Table.columns}; a missing cell is ''. */
export interface TableRow {
  readonly line: number;
  readonly cells: readonly string[];
}

/** A table on disk. */
export interface Table {
  readonly path: string;
  /** Column names in file order, all different. A column of row names without a header is left out. */
  readonly columns: readonly string[];
  /** The rows, many at a time. */
  rows(): AsyncGenerator<TableRow[]>;
}

/** Name of the first token of a libsvm line. */
export const LIBSVM_LABEL = 'label';

/** Highest feature index taken from libsvm text: it becomes a dense column. */
const LIBSVM_INDEX_MAX = 4096;

/** A character that stands in no text file: a libsvm line is taken as one cell. */
const NO_SEPARATOR = '\0';

const LIBSVM_LINE = /^[^\s,;:]+(\s+\d+:[^\s,;:]+)+\s*$/;

/** Opens a file far enough to know its columns. Errors name the file and the line. */
export async function openTable(path: string): Promise<Table> {
  const firstLine = await firstLineOf(path);
  return LIBSVM_LINE.test(firstLine) ? openLibsvm(path) : openCsv(path, firstLine);
}

async function firstLineOf(path: string): Promise<string> {
  let text = '';
  for await (const chunk of textOf(path)) {
    text += chunk;
    const line = text
      .trimStart()
      .split('\n', 1)
      .find((part) => part.length < text.trimStart().length);
    if (line !== undefined) return line;
  }
  if (text.trim() === '')
    throw new RivuletError('RIV_DATA', { where: path, found: 'the file is empty', expected: 'a header row and rows' });
  return text.trim();
}

async function* csvRows(path: string, separator: string): AsyncGenerator<CsvRow[]> {
  const parser = createCsvParser(separator, path);
  for await (const chunk of textOf(path)) {
    const rows = parser.push(chunk);
    if (rows.length > 0) yield rows;
  }
  const last = parser.end();
  if (last.length > 0) yield last;
}

async function openCsv(path: string, firstLine: string): Promise<Table> {
  const separator = separatorOf(firstLine);
  const head: CsvRow[] = [];
  for await (const rows of csvRows(path, separator)) {
    head.push(...rows.slice(0, 2 - head.length));
    if (head.length >= 2) break;
  }
  const header = head[0]?.cells ?? [];
  // R writes row names without a header for them: the rows are one cell wider than the header.
  const rowNames = (head[1]?.cells.length ?? 0) === header.length + 1;
  const skip = rowNames ? 1 : 0;
  const columns = distinctNames(header);

  async function* rows(): AsyncGenerator<TableRow[]> {
    let first = true;
    for await (const batch of csvRows(path, separator)) {
      const taken = first ? batch.slice(1) : batch;
      first = false;
      yield taken.map(({ line, cells }) => {
        if (cells.length > columns.length + skip) {
          throw new RivuletError('RIV_DATA', {
            where: `${path}:${line}`,
            found: `${cells.length} cells`,
            expected: `at most the ${columns.length} columns that the header names`,
          });
        }
        const kept = skip === 0 ? cells : cells.slice(skip);
        while (kept.length < columns.length) kept.push('');
        return { line, cells: kept };
      });
    }
  }
  return { path, columns, rows };
}

function distinctNames(header: readonly string[]): string[] {
  const taken = new Set<string>();
  return header.map((name, index) => {
    const base = name.trim() === '' ? `column_${index + 1}` : name.trim();
    let unique = base;
    for (let n = 2; taken.has(unique); n++) unique = `${base}_${n}`;
    taken.add(unique);
    return unique;
  });
}

async function openLibsvm(path: string): Promise<Table> {
  let indexMax = 0;
  for await (const rows of csvRows(path, NO_SEPARATOR)) {
    for (const { line, cells } of rows) {
      for (const { index } of libsvmPairs(path, line, cells[0] ?? '')) indexMax = Math.max(indexMax, index);
    }
  }
  const columns = [LIBSVM_LABEL, ...Array.from({ length: indexMax }, (_, index) => String(index + 1))];

  async function* rows(): AsyncGenerator<TableRow[]> {
    for await (const batch of csvRows(path, NO_SEPARATOR)) {
      yield batch.map(({ line, cells }) => {
        const text = cells[0] ?? '';
        const dense = new Array<string>(indexMax + 1).fill('0'); // what libsvm leaves out is zero, not missing
        dense[0] = text.trim().split(/\s+/, 1)[0] ?? '';
        for (const { index, value } of libsvmPairs(path, line, text)) dense[index] = value;
        return { line, cells: dense };
      });
    }
  }
  return { path, columns, rows };
}

function libsvmPairs(path: string, line: number, text: string): { index: number; value: string }[] {
  const tokens = text.trim().split(/\s+/).slice(1);
  return tokens.map((token) => {
    const colon = token.indexOf(':');
    const index = Number(token.slice(0, colon));
    if (colon < 1 || !Number.isInteger(index) || index < 1 || index > LIBSVM_INDEX_MAX) {
      throw new RivuletError('RIV_DATA', {
        where: `${path}:${line}`,
        found: `"${token.slice(0, 40)}"`,
        expected: `index:value with an index of 1 to ${LIBSVM_INDEX_MAX}`,
      });
    }
    return { index, value: token.slice(colon + 1) };
  });
}
