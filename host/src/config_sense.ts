// The contract of a field, as the configuration writes it beside its path:
//
//   fields:
//     temp: { path: t, unit: °F → °C, range: [-40, 60], rate_max: 5/min, stuck_after: 1h, on_violation: flag }
//     level: { path: raw, scale: 0.01, offset: -3 }
//     door: { path: state, values: { open: 1, closed: 0 } }
//
// A field with `on_violation: flag` has another beside it, `temp_quality`: 0 is good, 1 out of range, 2 changed too fast, 3 stuck,
// 4 a word that is none of `values`.

import type { FieldConfig, SenseConfig } from './config.ts';
import type { ConfigMap, ConfigNode } from './config_node.ts';
import { nearestName } from './nearest.ts';
import { parseDuration } from './units.ts';
import { conversion, type Linear, scaling, UNITS } from './units_convert.ts';

export const SENSE_KEYS = [
  'values',
  'unit',
  'scale',
  'offset',
  'range',
  'rate_max',
  'stuck_after',
  'on_violation',
] as const;
type SenseMap = ConfigMap<(typeof SENSE_KEYS)[number]>;

/** Words of one field (wasm-core: decode/sense.rs), and the largest number that is read. */
const WORDS_MAX = 256;
const LARGEST = 1e100;

/** The contract of a field; null when it has none. */
export function parseSense(map: SenseMap): SenseConfig | null {
  if (SENSE_KEYS.every((key) => map.get(key) === null)) return null;
  const sense: SenseConfig = {
    words: parseWords(map.get('values')),
    linear: parseLinear(map),
    range: parseRange(map.get('range')),
    rateMax: parseRate(map.get('rate_max')),
    stuckAfter: parseStuck(map.get('stuck_after')),
    onViolation: map.get('on_violation')?.word(['quarantine', 'flag', 'drop'] as const) ?? null,
  };
  const { words, range, rateMax, stuckAfter } = sense;
  if (sense.onViolation !== null && words.length + range.length === 0 && rateMax === null && stuckAfter === null)
    map
      .need('on_violation')
      .fail('RIV_CONFIG_VALUE', '`on_violation` without anything to break', 'values, range, rate_max or stuck_after');
  return sense;
}

/** The name of the field that tells the quality of one; null when none does. */
export function qualityName({ name, sense }: FieldConfig): string | null {
  return sense?.onViolation === 'flag' ? `${name}_quality` : null;
}

/** `5/min`, `0.1/s`, `20/h`, or per any duration: `2/90s`. */
function parseRate(node: ConfigNode | null): SenseConfig['rateMax'] {
  if (node === null) return null;
  const [, digits, count = '', unit] =
    /^\s*(\d+(?:\.\d+)?)\s*\/\s*(\d+(?:\.\d+)?)?\s*(ms|s|min|m|h|d)\s*$/.exec(node.text()) ?? [];
  const perMs = unit === undefined ? 0 : parseDuration(`${count || 1}${unit === 'min' ? 'm' : unit}`);
  const change = Number(digits);
  if (perMs === 0 || !(change <= LARGEST))
    return node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is no rate`, 'a change per time, such as 5/min or 0.1/s');
  return { change, perMs };
}

/** `1h`, or a number of readings. */
function parseStuck(node: ConfigNode | null): SenseConfig['stuckAfter'] {
  if (node === null) return null;
  if (/^\s*\d+\s*$/.test(node.text())) return { readings: node.integer(1, 2 ** 30) };
  return { ms: node.durationMs(1) };
}

function parseWords(node: ConfigNode | null): SenseConfig['words'] {
  const entries = node?.entries() ?? [];
  if (entries.length > WORDS_MAX) node?.fail('RIV_CONFIG_VALUE', `${entries.length} values`, `at most ${WORDS_MAX}`);
  return entries.map(({ key, value }) => ({ is: key, means: value.number(-LARGEST, LARGEST) }));
}

function parseLinear(map: SenseMap): Linear | [] {
  const [unit, scale, offset] = [map.get('unit'), map.get('scale'), map.get('offset')];
  if (unit === null) {
    if (scale === null && offset === null) return [];
    const factor = scale?.number(-1e15, 1e15) ?? 1;
    if (factor === 0) map.need('scale').fail('RIV_CONFIG_VALUE', 'a scale of 0', 'another factor');
    return scaling(factor, offset?.number(-1e15, 1e15) ?? 0);
  }
  if (scale !== null || offset !== null)
    unit.fail('RIV_CONFIG_VALUE', 'a unit to convert beside `scale` or `offset`', 'one of them');
  const text = unit.text();
  const near = nearestName(text, UNITS);
  return (
    conversion(text) ??
    unit.fail(
      'RIV_CONFIG_VALUE',
      `\`${unit.path}\` is ${JSON.stringify(text.slice(0, 40))}`,
      near === null ? `one of ${UNITS.join(', ')}` : `${near} perhaps`,
    )
  );
}

function parseRange(node: ConfigNode | null): number[] {
  if (node === null) return [];
  const [least, most, ...more] = node.list(2).map((item) => item.number(-LARGEST, LARGEST));
  if (least === undefined || most === undefined || least > most || more.length > 0)
    return node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is no range`, '[least, largest]');
  return [least, most];
}
