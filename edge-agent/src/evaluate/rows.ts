/** Rows of a table as the bytes that the core's `rows` takes (FORMATS.md section 3), a batch per call. */
import type { TableRow } from '../table/table.ts';
import type { EvaluationColumns } from './columns.ts';

const HEADER_BYTES = 8;

/** Bytes of one row: key, target, features. */
function rowBytes(columns: EvaluationColumns): number {
  return 4 + 8 + 8 * columns.features.length;
}

/** Encodes rows; codes are given out in the order of the rows, so batches must come in file order. */
export function encodeRows(columns: EvaluationColumns, rows: readonly TableRow[]): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + rows.length * rowBytes(columns));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, rows.length, true);
  view.setUint32(4, columns.features.length, true);
  let at = HEADER_BYTES;
  for (const { cells } of rows) {
    const key = columns.key === null ? 0 : columns.key.coder.code(cells[columns.key.place] ?? '');
    view.setUint32(at, Number.isNaN(key) ? 0 : key, true);
    view.setFloat64(at + 4, columns.target.coder.code(cells[columns.target.place] ?? ''), true);
    at += 12;
    for (const { place, coder } of columns.features) {
      view.setFloat64(at, coder.code(cells[place] ?? ''), true);
      at += 8;
    }
  }
  return bytes;
}
