/**
 * Points in time as tables write them: ISO-like dates with or without time and zone, epoch seconds or milliseconds, or
 * columns for year, month, day and hour. Without a zone UTC is meant: what matters is the distance between rows.
 */
import { numberIn } from '../../table/cells.ts';
import type { ColumnProfile } from '../../table/profile.ts';

const DATE =
  /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/;

/** Columns that are called like this hold the time, if their cells do. */
const TIME_NAME = /^(time|timestamp|date|datetime|date_?time|ts|at|when|epoch|unix_?time|created_?at)$/i;

/** Epoch seconds from 1990 to 2100, and the same in milliseconds. */
const EPOCH_S_MIN = 631_152_000;
const EPOCH_S_MAX = 4_102_444_800;

/** How to read the time of a row. */
export interface TimeRule {
  /** Places of the columns it takes; they are not features. */
  readonly places: readonly number[];
  /** In words, for the note. */
  readonly words: string;
  /** Epoch milliseconds; NaN when the row has none. */
  at(cells: readonly string[]): number;
}

/** Epoch milliseconds of one cell, NaN when it is no point in time. */
export function timeIn(cell: string): number {
  const match = DATE.exec(cell);
  if (match === null) {
    const value = numberIn(cell);
    if (value >= EPOCH_S_MIN && value <= EPOCH_S_MAX) return Math.round(value * 1000);
    return value >= EPOCH_S_MIN * 1000 && value <= EPOCH_S_MAX * 1000 ? Math.round(value) : Number.NaN;
  }
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', zone = 'Z'] = match;
  const whole = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Math.round(Number(fraction) * 1000),
  );
  return whole - zoneMs(zone);
}

function zoneMs(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}

/** Finds the time of a table: the named column, else a column that is called like a time and holds times, else calendar columns. */
export function timeRuleOf(columns: readonly ColumnProfile[], named: string | undefined): TimeRule | null {
  const holdsTimes = (column: ColumnProfile) =>
    column.samples.length > 0 && column.samples.every((cell) => !Number.isNaN(timeIn(cell)));
  const place =
    named === undefined
      ? columns.findIndex((column) => TIME_NAME.test(column.name) && holdsTimes(column))
      : columns.findIndex((column) => column.name === named);
  const found = columns[place];
  if (found !== undefined && holdsTimes(found)) {
    return { places: [place], words: `the column ${found.name}`, at: (cells) => timeIn(cells[place] ?? '') };
  }
  return named === undefined ? (calendarRule(columns) ?? anyTextTime(columns, holdsTimes)) : null;
}

function calendarRule(columns: readonly ColumnProfile[]): TimeRule | null {
  const place = (pattern: RegExp) => columns.findIndex((column) => pattern.test(column.name) && column.numbers > 0);
  const [year, month, day, hour, minute] = [/^year$/i, /^month$/i, /^day$/i, /^hour$/i, /^min(ute)?$/i].map(place);
  if (year === undefined || month === undefined || day === undefined || year < 0 || month < 0 || day < 0) return null;
  const places = [year, month, day, hour, minute].filter((one) => one !== undefined && one >= 0) as number[];
  const part = (cells: readonly string[], at: number | undefined) =>
    at === undefined || at < 0 ? 0 : numberIn(cells[at] ?? '');
  return {
    places,
    words: `the columns ${places.map((one) => columns[one]?.name).join(', ')}`,
    at: (cells) =>
      Date.UTC(part(cells, year), part(cells, month) - 1, part(cells, day), part(cells, hour), part(cells, minute)),
  };
}

/** A text column that holds nothing but times, whatever it is called. */
function anyTextTime(
  columns: readonly ColumnProfile[],
  holdsTimes: (column: ColumnProfile) => boolean,
): TimeRule | null {
  const place = columns.findIndex((column) => column.texts > 0 && column.numbers === 0 && holdsTimes(column));
  if (place < 0) return null;
  return { places: [place], words: `the column ${columns[place]?.name}`, at: (cells) => timeIn(cells[place] ?? '') };
}
