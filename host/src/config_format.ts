// How the payloads of a source are laid out, as the configuration writes it (FORMATS.md section 3):
//
//   format: auto                                  # JSON, else a raw number; the default
//   format: cbor                                  # or json, number, msgpack
//   format: senml                                 # JSON or CBOR; fields `{name}: v` unless others are given
//   format: sparkplug                             # Sparkplug B; fields `{metric}: value` unless others are given
//   format: { influx: { precision: ms } }         # `influx` alone: nanoseconds; paths: measurement, tags.x, fields.x, time
//   format: { csv: { separator: ";", columns: [ts, temp] } }   # or header: true; `csv` alone: paths by place, [0]
//   format:
//     binary:
//       length: 7                                 # default: up to the end of the last value; any: that or more
//       values:
//         temp: { at: 0, type: i16, endian: big, scale: 0.01 }   # also add: -40
//         door: { at: 2, type: u8, bits: [3, 1] } # one bit, the fourth from below

import type { CsvFormat, FieldConfig, FormatConfig, LayoutValue, SourceConfig } from './config.ts';
import type { ConfigNode } from './config_node.ts';
import { parsePath, type Step } from './paths.ts';

const WORDS = ['auto', 'json', 'number', 'cbor', 'msgpack', 'senml', 'sparkplug', 'influx', 'csv'] as const;
const TYPES = ['u8', 'u16', 'u24', 'u32', 'u48', 'u64', 'i8', 'i16', 'i24', 'i32', 'i48', 'i64', 'f32', 'f64'] as const;

/** Bytes of a payload that a layout can describe, its values, and columns that a source can name (wasm-core: decode). */
const PLACES_MAX = 65_535;
const VALUES_MAX = 62;
const COLUMNS_MAX = 4096;

const DEFAULT_PRECISION = { influx: { precision: 'ns' } } as const;
const DEFAULT_CSV: CsvFormat = { separator: ',', columns: [], header: false };

/** The format that a source names; without: auto. */
export function parseFormat(node: ConfigNode | null): FormatConfig {
  if (node === null) return 'auto';
  if (!node.isMap) {
    const word = node.word(WORDS);
    if (word === 'influx') return DEFAULT_PRECISION;
    return word === 'csv' ? { csv: DEFAULT_CSV } : word;
  }
  const map = node.map(['influx', 'csv', 'binary']);
  const [influx, csv, binary] = [map.get('influx'), map.get('csv'), map.get('binary')];
  if ([influx, csv, binary].filter((given) => given !== null).length !== 1)
    return node.fail(
      'RIV_CONFIG_VALUE',
      `\`${node.path}\` names several formats or none`,
      'one of influx, csv, binary',
    );
  if (influx !== null) {
    const precision = influx.map(['precision']).get('precision')?.word(['ns', 'us', 'ms', 's']);
    return precision === undefined ? DEFAULT_PRECISION : { influx: { precision } };
  }
  if (csv !== null) return { csv: parseCsv(csv) };
  return { binary: parseLayout(map.need('binary')) };
}

function parseCsv(node: ConfigNode): CsvFormat {
  const map = node.map(['separator', 'columns', 'header']);
  const columns = map.get('columns')?.list(COLUMNS_MAX) ?? [];
  const names = columns.map((column) => column.text(/./, 'the name of a column'));
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) columns[twice]?.fail('RIV_CONFIG_VALUE', `a second column ${JSON.stringify(names[twice])}`);
  const header = map.get('header')?.flag() ?? DEFAULT_CSV.header;
  if (header && names.length > 0)
    map.need('header').fail('RIV_CONFIG_VALUE', 'both `columns` and a header', 'one place that names the columns');
  const separator = map.get('separator')?.text(/^[\t\x20-\x7e]$/, 'one character') ?? DEFAULT_CSV.separator;
  if (separator === '"') map.need('separator').fail('RIV_CONFIG_VALUE', 'a quote as separator', 'another character');
  return { separator, columns: names, header };
}

function parseLayout(node: ConfigNode): { length: number; values: LayoutValue[] } {
  const map = node.map(['length', 'values']);
  const entries = map.need('values').entries();
  if (entries.length === 0 || entries.length > VALUES_MAX)
    map.need('values').fail('RIV_CONFIG_VALUE', `${entries.length} values`, `from 1 to ${VALUES_MAX}`);
  const values = entries.map(({ key, value }) => parseLayoutValue(key, value));
  const end = Math.max(...values.map((value) => value.at + bytesOf(value.type)));
  const length = map.get('length');
  if (length === null) return { length: end, values };
  return { length: length.isText('any') ? 0 : length.integer(end, PLACES_MAX), values };
}

function bytesOf(type: string): number {
  return Number(type.slice(1)) / 8;
}

function parseLayoutValue(name: string, node: ConfigNode): LayoutValue {
  const map = node.map(['at', 'type', 'endian', 'bits', 'scale', 'add']);
  const type = map.need('type').word(TYPES);
  const scale = map.get('scale')?.number(-1e15, 1e15) ?? 1;
  if (scale === 0) map.need('scale').fail('RIV_CONFIG_VALUE', 'a scale of 0', 'another factor');
  return {
    name,
    at: map.need('at').integer(0, PLACES_MAX - 8),
    type,
    endian: map.get('endian')?.word(['big', 'little']) ?? 'big',
    bits: parseBits(map.get('bits'), type),
    scale,
    add: map.get('add')?.number(-1e15, 1e15) ?? 0,
  };
}

/** The lowest bit that counts and how many do. */
function parseBits(node: ConfigNode | null, type: string): number[] {
  if (node === null) return [];
  const size = 8 * bytesOf(type);
  const items = node.list(2);
  if (items.length !== 2 || !type.startsWith('u'))
    return node.fail(
      'RIV_CONFIG_VALUE',
      `\`${node.path}\` of ${type}`,
      '[lowest bit, how many] of an unsigned integer',
    );
  const from = items[0]?.integer(0, size - 1) ?? 0;
  return [from, items[1]?.integer(1, size - from) ?? 1];
}

const field = (name: string, path: string): FieldConfig => ({ name, path, absent: null, except: [], sense: null });

/** What a source reads when it does not say. */
export function defaultReads(format: FormatConfig): Pick<SourceConfig, 'fields' | 'captures' | 'time'> {
  if (format === 'senml')
    return { fields: [field('{name}', 'v')], captures: [{ name: 'name', path: 'name' }], time: 't' };
  if (format === 'sparkplug')
    return { fields: [field('{metric}', 'value')], captures: [{ name: 'metric', path: 'name' }], time: 'time' };
  if (typeof format === 'object' && 'influx' in format)
    return { fields: [field('{field}', 'fields.{field}')], captures: [], time: 'time' };
  if (typeof format === 'object' && 'binary' in format) {
    const fields = format.binary.values.map(({ name }) => field(name, `['${name}']`));
    return { fields, captures: [], time: null };
  }
  return { fields: [field('value', '')], captures: [], time: null };
}

/** True when a payload is a list of lines or records, in each of which the paths begin. */
export function hasRecords(format: FormatConfig): boolean {
  return format === 'senml' || format === 'sparkplug' || (typeof format === 'object' && !('binary' in format));
}

/** What a path must be in a format, where it is not; null when it is. */
export function wrongPath(format: FormatConfig, path: string): string | null {
  const first = parsePath(path)?.[0];
  // A name that only a birth says is not in the message to be compared.
  if (format === 'sparkplug') return first?.kind === 'where' ? 'no condition: field names are made of {metric}' : null;
  if (typeof format === 'string') return null;
  if ('binary' in format) {
    const names = format.binary.values.map(({ name }) => name);
    return parsePath(path)?.length === 1 && isOf(first, names) ? null : `one of ${names.join(', ')}`;
  }
  if ('csv' in format && format.csv.columns.length > 0 && first?.kind === 'name')
    return isOf(first, format.csv.columns) ? null : `one of ${format.csv.columns.join(', ')}`;
  return null;
}

function isOf(step: Step | undefined, names: readonly string[]): boolean {
  return step?.kind === 'name' ? names.includes(step.name) : step?.kind === 'index' && step.index < names.length;
}
