// The parts of a configuration that features are made of: derived fields, lookup tables, named sets of features, and which
// of them a task has.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { DerivedConfig, FeatureSetConfig, LookupConfig } from './config.ts';
import { NAME_EXPECTED, NAME_PATTERN } from './config_names.ts';
import { type ConfigNode, readConfigFile } from './config_node.ts';
import { createCsvParser, separatorOf } from './csv.ts';
import { RivuletError } from './errors.ts';
import { checkExpression } from './expression.ts';
import { type FeatureScope, featureParts, writtenFields } from './features.ts';
import { nearestName } from './nearest.ts';

// What the core follows at most (wasm-core/engine/src/plan.rs).
const DERIVED_MAX = 64;
const FEATURES_MAX = 256;
const LOOKUPS_MAX = 16;
const LOOKUP_COLUMNS_MAX = 64;
const LOOKUP_ROWS_MAX = 10_000;
const SETS_MAX = 256;
const LARGEST = 1e100;

/** An expression, with its mistakes at their column. */
export function parseExpression(node: ConfigNode): { text: string; names: string[] } {
  const text = node.text(/./, 'an expression such as sqrt(x^2 + y^2)');
  const checked = checkExpression(text);
  if ('wrong' in checked)
    return node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` at its column ${checked.column}: ${checked.wrong}`);
  return { text, names: checked.names };
}

/** Derived fields of a source as a map from name to expression; `fields` are the source's own, null when any may come. */
export function parseDerived(node: ConfigNode | null, fields: readonly string[] | null): DerivedConfig[] {
  const entries = node?.entries() ?? [];
  if (entries.length > DERIVED_MAX)
    node?.fail('RIV_CONFIG_VALUE', `${entries.length} derived fields`, `at most ${DERIVED_MAX} per source`);
  const known = fields === null ? null : [...fields];
  return entries.map(({ key: name, value }) => {
    if (!/^[^{}]{1,128}$/.test(name))
      value.fail('RIV_CONFIG_VALUE', `the derived field ${JSON.stringify(name)}`, 'a name without braces');
    if (known?.includes(name)) value.fail('RIV_CONFIG_VALUE', `a second field ${JSON.stringify(name)} in the source`);
    const { text, names } = parseExpression(value);
    if (names.length === 0) value.fail('RIV_CONFIG_VALUE', `\`${value.path}\` names no field`, 'at least one');
    for (const wanted of names) {
      if (known !== null && !known.includes(wanted)) {
        const near = nearestName(wanted, known);
        const expected = near === null ? `one of ${known.join(', ')}` : `${near} perhaps`;
        value.fail('RIV_CONFIG_VALUE', `\`${value.path}\` names ${wanted}, which the source does not have`, expected);
      }
    }
    known?.push(name);
    return { name, expression: text };
  });
}

/** Tables of numbers by key, each in a file beside the configuration: CSV, or YAML or JSON, a map from key to columns. */
export function parseLookups(node: ConfigNode | null, fileName: string): LookupConfig[] {
  const lookups = (node?.list(LOOKUPS_MAX) ?? []).map((item) => {
    const map = item.map(['name', 'file']);
    const name = map.need('name').text(NAME_PATTERN, NAME_EXPECTED);
    const file = map.need('file').text(/./, 'a file');
    return { name, ...readLookup(resolve(dirname(fileName), file), map.need('file')) };
  });
  refuseTwice(node, lookups, 'lookup');
  return lookups;
}

function readLookup(path: string, node: ConfigNode): Pick<LookupConfig, 'columns' | 'rows'> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const found = `cannot read the table (${(cause as NodeJS.ErrnoException).code})`;
    throw new RivuletError('RIV_CONFIG_UNREADABLE', { found, where: path, cause });
  }
  const cells = /\.csv$/i.test(path) ? rowsOfCsv(text, path) : rowsOfMap(text, path);
  if (cells.length > LOOKUP_ROWS_MAX)
    node.fail('RIV_CONFIG_VALUE', `a table of ${cells.length} keys`, `at most ${LOOKUP_ROWS_MAX}`);
  const columns = [...new Set(cells.flatMap(({ row }) => [...row.keys()]))].sort();
  if (columns.length > LOOKUP_COLUMNS_MAX)
    node.fail('RIV_CONFIG_VALUE', `a table of ${columns.length} columns`, `at most ${LOOKUP_COLUMNS_MAX}`);
  const rows = cells.map(({ key, row }) => ({ key, values: columns.map((column) => row.get(column) ?? null) }));
  rows.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  return { columns, rows };
}

interface LookupRow {
  key: string;
  row: Map<string, number | null>;
}

/** YAML or JSON: a map from key to columns. */
function rowsOfMap(text: string, path: string): LookupRow[] {
  return readConfigFile(text, path)
    .entries()
    .map(({ key, value }) => {
      const row = value.entries().map(({ key: column, value: cell }) => {
        const number = cell.empty ? null : cell.number(-1e100, 1e100);
        return [column, number] as const;
      });
      return { key, row: new Map(row) };
    });
}

/** CSV: a line of names, then a line for each key, which stands first; an empty cell is no value. */
function rowsOfCsv(text: string, path: string): LookupRow[] {
  const refuse = (line: number, found: string, expected: string): never => {
    throw new RivuletError('RIV_CONFIG_VALUE', { where: `${path}:${line}`, found, expected });
  };
  const parser = createCsvParser(separatorOf(text.slice(0, text.search(/[\r\n]|$/))), path);
  const [head, ...lines] = [...parser.push(text.replace(/^\ufeff/, '')), ...parser.end()];
  if (head === undefined || head.cells.length < 2)
    return refuse(1, 'a table without columns', 'a line of names: that of the key, then those of the columns');
  const columns = head.cells.slice(1);
  const twice = columns.find((name, at) => name === '' || columns.indexOf(name) < at);
  if (twice !== undefined)
    refuse(1, `a second column named ${JSON.stringify(twice)}, or one without a name`, 'names that differ');
  const seen = new Map<string, number>();
  return lines.map(({ line, cells: [key = '', ...cells] }) => {
    if (cells.length !== columns.length)
      refuse(line, `${cells.length + 1} cells`, `${columns.length + 1}, as in the first line`);
    const before = seen.get(key);
    if (key === '' || before !== undefined)
      refuse(
        line,
        key === '' ? 'no key' : `the key ${JSON.stringify(key)}, which line ${before} has too`,
        'a key for each line',
      );
    seen.set(key, line);
    const values = columns.map((column, at) => {
      const cell = (cells[at] ?? '').trim();
      const number = Number(cell);
      if (cell !== '' && !(Math.abs(number) <= LARGEST))
        refuse(line, `${JSON.stringify(cell.slice(0, 40))} in the column ${column}`, 'a number, or nothing');
      return [column, cell === '' ? null : number] as const;
    });
    return { key, row: new Map(values) };
  });
}

/** Named sets of features. */
export function parseFeatureSets(node: ConfigNode | null, scope: FeatureScope): FeatureSetConfig[] {
  const sets = (node?.list(SETS_MAX) ?? []).map((item): FeatureSetConfig => {
    const map = item.map(['name', 'owner', 'description', 'features']);
    const name = map.need('name');
    if (writtenFields(scope.sources).fields.includes(name.text()))
      name.fail('RIV_CONFIG_VALUE', `a set named like the field ${name.text()}`, 'another name');
    const features = map
      .need('features')
      .list(FEATURES_MAX)
      .map((feature) => {
        const detail = feature.isMap ? feature.map(['feature', 'unit', 'description']) : null;
        return {
          name: featureName(detail?.need('feature') ?? feature, scope),
          unit: detail?.get('unit')?.text() ?? '',
          description: detail?.get('description')?.text() ?? '',
        };
      });
    return {
      name: name.text(NAME_PATTERN, NAME_EXPECTED),
      owner: map.get('owner')?.text() ?? '',
      description: map.get('description')?.text() ?? '',
      features,
    };
  });
  refuseTwice(node, sets, 'set of features');
  return sets;
}

/** Features of a task: names of features, and of sets that stand for theirs. */
export function parseTaskFeatures(
  node: ConfigNode | null,
  sets: readonly FeatureSetConfig[],
  scope: FeatureScope,
): { features: string[]; featureSets: string[] } {
  const features: string[] = [];
  const featureSets: string[] = [];
  for (const item of node?.list(FEATURES_MAX) ?? []) {
    const set = sets.find(({ name }) => item.isText(name));
    const names = set?.features.map(({ name }) => name) ?? [featureName(item, scope)];
    if (set !== undefined) featureSets.push(set.name);
    features.push(...names.filter((name) => !features.includes(name)));
  }
  if (features.length > FEATURES_MAX)
    node?.fail('RIV_CONFIG_VALUE', `${features.length} features`, `at most ${FEATURES_MAX}`);
  return { features, featureSets };
}

function featureName(node: ConfigNode, scope: FeatureScope): string {
  const name = node.text(/^.{1,256}$/, 'the name of a feature');
  const parts = featureParts(name, scope);
  if ('unknown' in parts) {
    const near = nearestName(name, writtenFields(scope.sources).fields);
    const expected = 'a feature such as co2, co2.lag1, co2.rate, WINDOW.co2.mean (one of its `stats`), time.day_sin';
    node.fail(
      'RIV_CONFIG_VALUE',
      `\`${node.path}\`: there is not ${parts.unknown}`,
      near === null ? expected : `${near} perhaps`,
    );
  }
  return name;
}

function refuseTwice(node: ConfigNode | null, named: readonly { name: string }[], what: string): void {
  const twice = named.find(({ name }, index) => named.findIndex((other) => other.name === name) < index);
  if (twice !== undefined) node?.fail('RIV_CONFIG_VALUE', `a second ${what} named ${twice.name}`, 'names that differ');
}
