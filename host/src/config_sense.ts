// The contract of a field, as the configuration writes it beside its path:
//
//   fields:
//     temp: { path: t, unit: °F → °C, range: [-40, 60] }    # outside of the range a message is quarantined
//     level: { path: raw, scale: 0.01, offset: -3 }
//     door: { path: state, values: { open: 1, closed: 0 } }

import type { SenseConfig } from './config.ts';
import type { ConfigMap, ConfigNode } from './config_node.ts';
import { nearestName } from './nearest.ts';
import { conversion, type Linear, scaling, UNITS } from './units_convert.ts';

export const SENSE_KEYS = ['values', 'unit', 'scale', 'offset', 'range'] as const;

/** Words of one field (wasm-core: decode/sense.rs), and the largest number that is read. */
const WORDS_MAX = 256;
const LARGEST = 1e100;

/** The contract of a field; null when it has none. */
export function parseSense(map: ConfigMap<(typeof SENSE_KEYS)[number]>): SenseConfig | null {
  if (SENSE_KEYS.every((key) => map.get(key) === null)) return null;
  return { words: parseWords(map.get('values')), linear: parseLinear(map), range: parseRange(map.get('range')) };
}

function parseWords(node: ConfigNode | null): SenseConfig['words'] {
  const entries = node?.entries() ?? [];
  if (entries.length > WORDS_MAX) node?.fail('RIV_CONFIG_VALUE', `${entries.length} values`, `at most ${WORDS_MAX}`);
  return entries.map(({ key, value }) => ({ is: key, means: value.number(-LARGEST, LARGEST) }));
}

function parseLinear(map: ConfigMap<(typeof SENSE_KEYS)[number]>): Linear | [] {
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
