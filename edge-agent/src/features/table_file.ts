/** Served vectors as a table: CSV (RFC 4180, numbers in their shortest exact form) or Parquet. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { RivuletError } from '@rivulet/host';
import { type ColumnSource, fileWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer';
import type { ServedRow } from './rebuild.ts';

/** Rows collected before they are written: a row group of Parquet, some megabytes. */
const GROUP_ROWS = 10_000;

export interface TableFile {
  columns(features: readonly string[]): void;
  row(row: ServedRow): void;
  close(): Promise<void>;
}

/** @param path null: standard output */
export function openCsvFile(path: string | null): TableFile {
  const file = path === null ? 1 : made(path, () => openSync(path, 'w'));
  let waiting: string[] = [];
  const flush = (): void => {
    const bytes = Buffer.from(waiting.join(''));
    waiting = [];
    for (let at = 0; at < bytes.length; ) {
      at += writeSync(file, bytes, at);
    }
  };
  const line = (cells: readonly string[]): void => {
    waiting.push(`${cells.join(',')}\r\n`);
    if (waiting.length >= GROUP_ROWS) {
      flush();
    }
  };
  return {
    columns: (features) => line(['prediction', 'key', 'at', ...features, 'label', 'outcome'].map(cell)),
    row({ id, key, at, features, label, outcome }) {
      const numbers = features.map((value) => (Number.isNaN(value) ? '' : exact(value)));
      const text = typeof label === 'number' ? exact(label) : cell(label ?? '');
      line([id, cell(key), exact(at), ...numbers, text, outcome]);
    },
    async close() {
      flush();
      if (path !== null) {
        closeSync(file);
      }
    },
  };
}

/** A Parquet file: features and numeric labels are doubles, null where there is none. */
export function openParquetFile(path: string): TableFile {
  const writer = made(path, () => fileWriter(path));
  let parquet: ParquetWriter | null = null;
  let features: readonly string[] = [];
  let rows: ServedRow[] = [];
  /** Classes are text, numbers are numbers: the first label says which. */
  let isText: boolean | null = null;

  function sources(group: readonly ServedRow[]): ColumnSource[] {
    const label = group.find((row) => row.label !== null)?.label;
    isText ??= label === undefined ? null : typeof label === 'string';
    return [
      { name: 'prediction', data: group.map(({ id }) => id), type: 'STRING', nullable: false },
      { name: 'key', data: group.map(({ key }) => key), type: 'STRING', nullable: false },
      { name: 'at', data: group.map(({ at }) => at), type: 'DOUBLE', nullable: false },
      ...features.map((name, place): ColumnSource => {
        const data = group.map((row) => row.features[place] as number);
        return {
          name,
          data: data.map((value) => (Number.isNaN(value) ? null : value)),
          type: 'DOUBLE',
          nullable: true,
        };
      }),
      {
        name: 'label',
        data: group.map((row) => row.label),
        type: isText === true ? 'STRING' : 'DOUBLE',
        nullable: true,
      },
      { name: 'outcome', data: group.map(({ outcome }) => outcome), type: 'STRING', nullable: false },
    ];
  }

  async function write(group: readonly ServedRow[]): Promise<void> {
    const columnData = sources(group);
    parquet ??= new ParquetWriter({ writer, schema: schemaFromColumnData({ columnData }), createdBy: 'rivulet' });
    await parquet.write({ columnData, rowGroupSize: GROUP_ROWS });
  }

  let written: Promise<void> = Promise.resolve();
  let begun = false;
  const flush = (): void => {
    const group = rows;
    rows = [];
    begun = true;
    written = written.then(() => write(group));
  };
  return {
    columns(names) {
      features = names;
    },
    row(row) {
      rows.push(row);
      // The first group waits for a label, since that says of what type the column is.
      if (rows.length >= GROUP_ROWS && (begun || rows.some(({ label }) => label !== null))) {
        flush();
      }
    },
    async close() {
      flush();
      await written;
      await parquet?.finish();
    },
  };
}

function made<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const found = `cannot write the table (${(cause as NodeJS.ErrnoException).code})`;
    throw new RivuletError('RIV_FILE_UNREADABLE', { found, where: path, cause });
  }
}

/** The shortest text that reads back as the same number; zero keeps its sign. */
function exact(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
