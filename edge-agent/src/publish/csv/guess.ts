/**
 * What could be learned from a table, guessed from its columns as a person would: which column is the time, which the label or
 * the value worth forecasting, which are row numbers or constants. Pure: profiles in, a plan and remarks out. Every guess
 * can be overridden, and every one is told.
 */
import { RivuletError } from '@rivulet/host';
import type { ColumnProfile } from '../../table/profile.ts';
import { type TimeRule, timeRuleOf } from './times.ts';

/** Text columns with at most so many values are sent as the index of the value. */
const TEXT_VALUES_MAX = 32;

/** A number column with so few values may be a label. */
const CLASS_VALUES_MAX = 10;

/** Names that say: this is the truth about the row. */
const LABEL_NAME =
  /^(label|class|target|occupan(cy|t)|occupied|is_.+|has_.+|anomal(y|ous)|fault|failure|alarm|outcome|y)$/i;

/** Names that say: this is what the table is about, the most telling first. */
const VALUE_NAMES = [
  /^(target|label|y)$/i,
  /pm_?2[._]?5/i,
  /^value$/i,
  /(demand|load|consumption|power|energy)/i,
  /(price|flow|level|speed|count)/i,
  /temp/i,
];

/** What the user overrides. */
export interface GuessOptions {
  /** Name of a column, or of the field that is made of it. */
  readonly target: string | undefined;
  readonly task: 'forecast' | 'classification' | 'regression' | undefined;
  readonly time: string | undefined;
  readonly drop: readonly string[];
}

/** A column that is sent. */
export interface SentColumn {
  readonly place: number;
  /** Its name in the table. */
  readonly column: string;
  /** Its name in payloads and as a field: letters, digits and underscores. */
  readonly field: string;
  /** For a text column: its values; the index is sent. */
  readonly values: readonly string[] | null;
}

/** How a table is played. */
export interface TablePlan {
  /** Null: rows get a made-up time, one per second. */
  readonly time: TimeRule | null;
  readonly fields: readonly SentColumn[];
  readonly task: 'forecast' | 'classification' | 'regression';
  /** For a forecast one of the fields; otherwise a column that is sent on the label topic instead. */
  readonly target: SentColumn;
  readonly notes: readonly string[];
}

/**
 * Guesses how to play a table.
 * @throws RIV_USAGE for a named column that is not there, RIV_DATA when there is nothing to learn
 */
export function guessPlan(path: string, columns: readonly ColumnProfile[], request: GuessOptions): TablePlan {
  const notes: string[] = [];
  const names = fieldNames(columns);
  const named = columns.find((column, place) => column.name === request.target || names[place] === request.target);
  const options = { ...request, target: named?.name ?? request.target };
  for (const name of [options.target, options.time, ...options.drop]) requireColumn(path, columns, name);
  const time = timeRuleOf(columns, options.time);
  if (time === null && options.time !== undefined) {
    throw new RivuletError('RIV_DATA', {
      where: path,
      found: `no points in time in the column "${options.time}"`,
      expected: 'dates such as 2025-01-31 12:00:00, or epoch seconds or milliseconds',
    });
  }
  notes.push(time === null ? 'No time found: rows are taken to be a second apart.' : `Time: ${time.words}.`);

  const candidates: SentColumn[] = [];
  for (const [place, column] of columns.entries()) {
    if (time?.places.includes(place) || options.drop.includes(column.name)) continue;
    const wanted = column.name === options.target;
    const reason = wanted ? null : reasonToLeave(column);
    if (reason !== null) {
      notes.push(`${column.name} is left out: ${reason}.`);
      continue;
    }
    const text = column.texts > 0;
    // Sorted, so that files with the same values give them the same numbers.
    const values = text ? [...column.values].sort() : null;
    candidates.push({ place, column: column.name, field: names[place] ?? column.name, values });
  }

  const target = pickTarget(columns, candidates, options);
  if (target === null) {
    throw new RivuletError('RIV_DATA', {
      where: path,
      found: 'no column that could be predicted',
      expected: 'a number column, or --target',
    });
  }
  const task = options.task ?? taskFor(columns, target, options.target !== undefined);
  if (task !== 'classification' && target.values !== null) {
    throw new RivuletError('RIV_DATA', {
      where: path,
      found: `text in the target "${target.column}"`,
      expected: `numbers for ${task}`,
    });
  }
  const fields = task === 'forecast' ? candidates : candidates.filter((one) => one !== target);
  for (const { column, values } of fields) {
    if (values !== null)
      notes.push(`${column} is text: its ${values.length} values are sent as 0 to ${values.length - 1}.`);
  }
  if (fields.length === 0) {
    throw new RivuletError('RIV_DATA', {
      where: path,
      found: 'no column beside the target',
      expected: 'something to predict it from',
    });
  }
  return { time, fields, task, target, notes };
}

function requireColumn(path: string, columns: readonly ColumnProfile[], name: string | undefined): void {
  if (name === undefined || columns.some((column) => column.name === name)) return;
  const expected = `one of ${columns.map((column) => column.name).join(', ')}`;
  throw new RivuletError('RIV_USAGE', { where: path, found: `no column "${name}"`, expected });
}

/** Why a column is not sent, or null. */
function reasonToLeave(column: ColumnProfile): string | null {
  if (column.numbers + column.texts === 0) return 'it is empty';
  if (column.counts && column.numbers > 2) return 'it numbers the rows';
  if (column.values.size === 1) return 'it has one value only';
  if (column.texts > 0 && (column.manyValues || column.values.size > TEXT_VALUES_MAX)) return 'it is text';
  return null;
}

function pickTarget(
  columns: readonly ColumnProfile[],
  candidates: readonly SentColumn[],
  options: GuessOptions,
): SentColumn | null {
  if (options.target !== undefined) return candidates.find((one) => one.column === options.target) ?? null;
  const profile = (one: SentColumn) => columns[one.place] as ColumnProfile;
  if (options.task !== 'forecast') {
    const label = candidates.find((one) => LABEL_NAME.test(one.column) && isClassLike(profile(one)));
    if (label !== undefined || options.task === 'classification') return label ?? null;
  }
  const numbers = candidates.filter((one) => one.values === null);
  for (const name of VALUE_NAMES) {
    const found = numbers.find((one) => name.test(one.column));
    if (found !== undefined) return found;
  }
  return numbers.find((one) => profile(one).values.size > 2) ?? numbers[0] ?? null;
}

/** Few values: text, or small integers. */
function isClassLike(column: ColumnProfile): boolean {
  if (column.manyValues) return false;
  return column.texts > 0
    ? column.values.size <= TEXT_VALUES_MAX
    : column.integers && column.values.size <= CLASS_VALUES_MAX;
}

function taskFor(columns: readonly ColumnProfile[], target: SentColumn, named: boolean): TablePlan['task'] {
  const column = columns[target.place] as ColumnProfile;
  const classes =
    isClassLike(column) &&
    (target.values !== null || LABEL_NAME.test(column.name) || (named && column.values.size === 2));
  return classes ? 'classification' : 'forecast';
}

/** Field names: what is not a letter, digit or underscore becomes one, since a dot would be a path; all different. */
function fieldNames(columns: readonly ColumnProfile[]): string[] {
  const taken = new Set(['ts', 'seq']);
  return columns.map(({ name }) => {
    const base =
      name
        .replace(/[^A-Za-z0-9_]+/g, '_')
        .replace(/^_+|_+$/g, '')
        .slice(0, 48) || 'column';
    let unique = /^\d/.test(base) ? `c${base}` : base;
    for (let n = 2; taken.has(unique); n++) unique = `${base}_${n}`;
    taken.add(unique);
    return unique;
  });
}
