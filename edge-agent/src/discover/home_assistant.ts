/**
 * What Home Assistant's discovery says of topics (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery): units and paths, from
 * the configurations that publishers keep at the broker.
 */

import type { Heard } from './listen.ts';
import { last } from './payload.ts';

const CONFIG_TOPIC = /^(.+)\/(sensor|binary_sensor|number)\/(?:[^/]+\/)?[^/]+\/config$/;
/** `{{ value_json.a['b'] | round(1) }}`: filters that change no more than digits may follow. */
const TEMPLATE =
  /^\{\{-?\s*value_json((?:\.[A-Za-z_]\w*|\[\s*(?:'[^'\]]+'|"[^"\]]+"|\d+)\s*\])+)\s*(?:\|\s*(?:float|int|round)\s*(?:\([^)]*\))?\s*)*-?\}\}$/;
const WHOLE = /^\{\{-?\s*value\s*(?:\|\s*(?:float|int|round)\s*(?:\([^)]*\))?\s*)*-?\}\}$/;
const SHORT = {
  stat_t: 'state_topic',
  val_tpl: 'value_template',
  unit_of_meas: 'unit_of_measurement',
  dev: 'device',
  obj_id: 'object_id',
} as const;

/** An entity whose number stands at a path. */
export interface Entity {
  topic: string;
  path: string;
  field: string;
  unit: string | null;
  device: string | null;
}

/** The entities that were announced, and the topics that announced them. */
export function entities(topics: readonly Heard[]): { entities: Entity[]; announcing: Heard[] } {
  const announcing = topics.filter(({ topic }) => CONFIG_TOPIC.test(topic));
  const found = announcing.flatMap(({ samples }) => entity(samples.at(-1)) ?? []);
  return { entities: found, announcing };
}

function entity(payload: Buffer | undefined): Entity[] | null {
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(String(payload));
  } catch {
    return null;
  }
  if (typeof config !== 'object' || config === null) return null;
  const get = (name: string): unknown => {
    const short = Object.entries(SHORT).find(([, long]) => long === name)?.[0] ?? name;
    return config[name] ?? config[short];
  };
  const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);
  const base = text(config['~']) ?? '';
  const topic = text(get('state_topic'))?.replace(/^~|~$/, base) ?? null;
  const path = pathOf(text(get('value_template')));
  if (topic === null || path === null || /[+#]/.test(topic)) return null;
  const device = get('device') as { name?: unknown; identifiers?: unknown; ids?: unknown } | undefined;
  const ids = device?.identifiers ?? device?.ids;
  const field = path === '' ? (text(get('object_id')) ?? text(config.name) ?? 'value') : last(path);
  return [
    {
      ...{ topic, path, field: field.replaceAll(/[{}]/g, '') },
      unit: text(get('unit_of_measurement')),
      device: text(device?.name) ?? text(Array.isArray(ids) ? ids[0] : ids),
    },
  ];
}

/** The path that a template reads; null when it does more than that. */
function pathOf(template: string | null): string | null {
  if (template === null || WHOLE.test(template.trim())) return '';
  const steps = TEMPLATE.exec(template.trim())?.[1];
  if (steps === undefined) return null;
  return steps
    .replaceAll(/\[\s*["']([^"'\]]+)["']\s*\]/g, "['$1']")
    .replaceAll(/\['([A-Za-z_]\w*)'\]/g, '.$1')
    .replace(/^\./, '');
}
