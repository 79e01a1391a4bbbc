/**
 * The preparation of `beijing` (TASKS.md): a station's hours, each with the PM2.5 of the hour after it as its label. A
 * missing value is the last one seen of its column (0 at first), hours without a label are left out, and the wind's
 * direction is the sine and cosine of its angle, rounded to six decimals.
 */
import type { Table } from '../../../edge-agent/src/table/table.ts';
import { placeOf } from './tasks.ts';

const NUMBERS = 'month hour PM2.5 PM10 SO2 NO2 CO O3 TEMP PRES DEWP RAIN WSPM'.split(' ');
const WINDS = 'N NNE NE ENE E ESE SE SSE S SSW SW WSW W WNW NW NNW'.split(' ');
const DEGREES_PER_WIND = 22.5;

/** Header and rows. */
export async function beijingRows(table: Table, label: string): Promise<string[][]> {
  const places = NUMBERS.map((name) => placeOf(table, name));
  const [target, wind] = [placeOf(table, 'PM2.5'), placeOf(table, 'wd')];
  const last = new Array<string>(NUMBERS.length + 2).fill('0');
  const rows = [[...NUMBERS, 'wd_sin', 'wd_cos', label]];
  let hour: string[] | undefined;
  for await (const batch of table.rows()) {
    for (const { cells } of batch) {
      const next = cells[target] ?? 'NA';
      if (hour !== undefined && isThere(next)) rows.push([...hour, next]);
      for (const [column, place] of places.entries()) {
        const cell = cells[place] ?? 'NA';
        if (isThere(cell)) last[column] = cell;
      }
      const direction = WINDS.indexOf(cells[wind] ?? '');
      if (direction >= 0) {
        const angle = (direction * DEGREES_PER_WIND * Math.PI) / 180;
        last[NUMBERS.length] = rounded(Math.sin(angle));
        last[NUMBERS.length + 1] = rounded(Math.cos(angle));
      }
      hour = [...last];
    }
  }
  return rows;
}

function isThere(cell: string): boolean {
  return cell !== '' && cell !== 'NA';
}

/** Six decimals; minus zero is zero. */
function rounded(value: number): string {
  return String(Number(value.toFixed(6)));
}
