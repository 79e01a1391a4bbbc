/** Several files read as one table, one behind the other: recordings come in parts. All must name the same columns. */
import { RivuletError } from '@rivulet/host';
import type { Table } from './table.ts';

/**
 * One table of the rows of all, in the order given.
 * @throws RIV_DATA when a file has other columns than the first, or the same ones in another order
 */
export function joinTables(tables: readonly Table[]): Table {
  const [first, ...others] = tables;
  if (first === undefined) throw new Error('there is a table to join');
  if (others.length === 0) return first;
  for (const { path, columns } of others) {
    if (columns.length !== first.columns.length || columns.some((name, place) => name !== first.columns[place])) {
      throw new RivuletError('RIV_DATA', {
        where: path,
        found: `columns ${columns.join(', ')}`,
        expected: `those of ${first.path}: ${first.columns.join(', ')}`,
      });
    }
  }
  return {
    path: tables.map(({ path }) => path).join(', '),
    columns: first.columns,
    async *rows() {
      for (const table of tables) yield* table.rows();
    },
  };
}
