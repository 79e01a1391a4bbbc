// What the name of a feature says (wasm-core/engine/src/features.rs has the values): its kind, and what it is made of.
// The same rules in the same order, so that what is accepted and shown here is what the core serves.

import type { FieldConfig, LookupConfig, SourceConfig, WindowConfig } from './config.ts';
import { qualityName } from './config_sense.ts';
import { templateNames } from './patterns.ts';
import { isListStatistic, isStatistic } from './window_statistics.ts';

/** What a feature is made of. */
export type FeatureParts =
  | { kind: 'last' | 'delta' | 'rate' | 'age' | 'missing' | 'neighbours'; field: string }
  | { kind: 'lag' | 'diff'; field: string; back: number }
  | { kind: 'at'; field: string; key: string }
  | { kind: 'window'; window: string; field: string; stat: string }
  | { kind: 'lookup'; lookup: string; column: string }
  | { kind: 'time' };

/** What names can refer to. */
export interface FeatureScope {
  sources: readonly SourceConfig[];
  windows: readonly WindowConfig[];
  lookups: readonly LookupConfig[];
}

const LAG_MAX = 16;
export const TIME_FEATURES = [
  'time.day_sin',
  'time.day_cos',
  'time.week_sin',
  'time.week_cos',
  'time.year_sin',
  'time.year_cos',
  'time.hour',
  'time.weekday',
  'time.weekend',
] as const;

/** Fields that are written out in the sources, derived ones with them; `open` when topics, payloads or announcements name others. */
export function writtenFields(sources: readonly SourceConfig[]): { fields: string[]; open: boolean } {
  const announced = sources.some(({ announces }) => announces !== null);
  const readings = sources.filter(({ announces }) => announces === null);
  const names = readings.flatMap(({ fields }) => fields.flatMap(fieldNames));
  const derived = sources.flatMap((source) => source.derived.map(({ name }) => name));
  const written = names.filter((name) => templateNames(name).length === 0);
  return { fields: [...written, ...derived], open: announced || written.length < names.length };
}

/** The name of a field, and that of its quality where it has one. */
export function fieldNames(field: FieldConfig): string[] {
  const quality = qualityName(field);
  return quality === null ? [field.name] : [field.name, quality];
}

/** The parts of a feature; `unknown` names a field, window, table or column that there is not. */
export function featureParts(name: string, scope: FeatureScope): FeatureParts | { unknown: string } {
  const { fields, open } = writtenFields(scope.sources);
  const known = (field: string): boolean => open || fields.includes(field);
  const of = (field: string, parts: FeatureParts): FeatureParts | { unknown: string } =>
    known(field) ? parts : { unknown: `the field ${JSON.stringify(field)}` };
  if ((TIME_FEATURES as readonly string[]).includes(name)) return { kind: 'time' };
  if (fields.includes(name) || !/[.@]/.test(name)) return of(name, { kind: 'last', field: name });
  const at = name.indexOf('@');
  if (at >= 0) return of(name.slice(0, at), { kind: 'at', field: name.slice(0, at), key: name.slice(at + 1) });
  const lookup = /^lookup\.([^.]*)\.(.*)$/s.exec(name);
  if (lookup !== null) {
    const [, table = '', column = ''] = lookup;
    const columns = scope.lookups.find((other) => other.name === table)?.columns;
    if (columns?.includes(column)) return { kind: 'lookup', lookup: table, column };
    return {
      unknown: columns === undefined ? `the lookup ${JSON.stringify(table)}` : `its column ${JSON.stringify(column)}`,
    };
  }
  for (const window of scope.windows.filter((other) => name.startsWith(`${other.name}.`))) {
    const rest = name.slice(window.name.length + 1);
    const dot = rest.lastIndexOf('.');
    const [field, stat] = [rest.slice(0, dot), rest.slice(dot + 1)];
    const covered = window.of.length === 0 || window.of.includes(field);
    if (dot > 0 && covered && isStatistic(stat) && !isListStatistic(stat))
      return of(field, { kind: 'window', window: window.name, field, stat });
  }
  const dot = name.lastIndexOf('.');
  const [field, what] = [name.slice(0, dot), name.slice(dot + 1)];
  switch (what) {
    case 'delta':
    case 'rate':
    case 'age':
    case 'missing':
    case 'neighbours':
      return of(field, { kind: what, field });
  }
  const [, kind, digits] = /^(lag|diff)(\d{1,2})$/.exec(what) ?? [];
  const back = Number(digits);
  if (kind !== undefined && back >= 1 && back <= LAG_MAX)
    return of(field, { kind: kind as 'lag' | 'diff', field, back });
  return open ? { kind: 'last', field: name } : { unknown: `what ${JSON.stringify(name)} is` };
}

/** What a feature is, in words. */
export function inWords(parts: FeatureParts): string {
  switch (parts.kind) {
    case 'last':
      return `latest ${parts.field}`;
    case 'lag':
      return `${parts.field} ${parts.back} prediction${parts.back > 1 ? 's' : ''} ago`;
    case 'diff':
      return `latest ${parts.field} minus that of ${parts.back} prediction${parts.back > 1 ? 's' : ''} ago`;
    case 'delta':
      return `latest ${parts.field} minus the one before`;
    case 'rate':
      return `change of ${parts.field} per hour, from the latest two`;
    case 'age':
      return `seconds since the latest ${parts.field}`;
    case 'missing':
      return `1 while there is no ${parts.field}`;
    case 'neighbours':
      return `mean of ${parts.field} over the other keys of the source`;
    case 'at':
      return `latest ${parts.field} of ${parts.key}`;
    case 'window':
      return `${parts.stat} of ${parts.field} in the ${parts.window} closed last`;
    case 'lookup':
      return `${parts.column} of the key in the table ${parts.lookup}`;
    case 'time':
      return 'calendar (UTC)';
  }
}
