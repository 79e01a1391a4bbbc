// What Home Assistant's discovery says of topics (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery): units, words and
// paths, from the configurations that publishers keep at the broker, one entity each or all of a device in one. The newest of each
// counts; an empty one takes its entity away.

import { createHash } from 'node:crypto';
import { readTemplate } from './home_assistant_template.ts';
import { lastName } from './paths.ts';
import type { PlainSource } from './presets.ts';
import { conversion } from './units_convert.ts';

/** Components whose state is a number, or one of two words. */
const NUMBERS = ['sensor', 'number'];
const SWITCHES = ['binary_sensor', 'switch'];
const OTHERS =
  'alarm_control_panel|button|camera|climate|cover|device|device_automation|device_tracker|event|fan|humidifier|image|lawn_mower|light|lock|notify|scene|select|siren|tag|text|update|vacuum|valve|water_heater';
const CONFIG_TOPIC = new RegExp(`^.+?/(${[...NUMBERS, ...SWITCHES].join('|')}|${OTHERS})/(?:[^/]+/)?[^/]+/config$`);
/** How gateways name themselves in what they announce (edge-agent/src/outputs/home_assistant.ts). */
export const OWN_ORIGIN = 'Rivulet';
/** One unit for each quantity, so that devices which count in others do not mix. */
const UNITS_KEPT = ['°C', 'hPa', 'V', 'A', 'W', 'kWh', 'm/s', 'm', 'mm', 'L', 'kg', 's'];
/** Fields that one source may have, and characters of its name (config_source.ts). */
const FIELDS_MAX = 62;
const NAME_CHARACTERS_MAX = 128;
/** Abbreviations of what is looked at (https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages). */
const SHORT: Readonly<Record<string, string>> = {
  state_topic: 'stat_t',
  value_template: 'val_tpl',
  unit_of_measurement: 'unit_of_meas',
  device: 'dev',
  object_id: 'obj_id',
  components: 'cmps',
  platform: 'p',
  payload_on: 'pl_on',
  payload_off: 'pl_off',
  state_on: 'stat_on',
  state_off: 'stat_off',
};

/** An entity whose number stands at a path. */
export interface Entity {
  topic: string;
  path: string;
  field: string;
  unit: string | null;
  device: string | null;
  /** Words that stand for a number. */
  values: Record<string, number> | null;
  /** Its number is this many times what stands there, and this more. */
  scale: number;
  offset: number;
  /** What it is called where its field has another meaning already. */
  id: string;
}

/** An entity that was announced and cannot be read. */
export interface NotRead {
  topic: string;
  why: string;
}

/** What came on a topic, the newest last. */
export interface Announcing {
  topic: string;
  samples: readonly Buffer[];
}

interface Announced<T> {
  entities: Entity[];
  notRead: NotRead[];
  /** The topics that announced them. */
  announcing: T[];
}

type Json = Record<string, unknown>;

/** The entities that were announced. */
export function entities<T extends Announcing>(topics: readonly T[]): Announced<T> {
  const found: Announced<T> = { entities: [], notRead: [], announcing: [] };
  for (const heard of topics) {
    const component = CONFIG_TOPIC.exec(heard.topic)?.[1];
    const newest = heard.samples.at(-1);
    const config = component === undefined ? null : asObject(newest);
    if (component === undefined || config === null) {
      // An empty configuration takes an entity away: it is no reading either.
      if (component !== undefined && newest?.length === 0) found.announcing.push(heard);
      continue;
    }
    found.announcing.push(heard);
    // What a gateway forwards and announces itself would come back as a reading of its own.
    if (text(plain(config.origin ?? config.o).name) === OWN_ORIGIN) continue;
    const parts = component === 'device' ? componentsOf(config) : [{ component, config }];
    for (const part of parts) {
      const entity = entityOf(part.component, part.config);
      if (entity === null) continue;
      if ('why' in entity) found.notRead.push({ topic: heard.topic, why: entity.why });
      else found.entities.push(entity);
    }
  }
  const paths = pathsByEnd(found.entities);
  for (const entity of found.entities) {
    if ((paths.get(endOf(entity))?.size ?? 0) > 1) entity.field = longField(entity.path);
  }
  tellScalesApart(found.entities);
  return found;
}

/** One number on several scales (bar and psi): the field is that as it stands, else on the first scale; the others have their own names. */
function tellScalesApart(all: readonly Entity[]): void {
  const isPlain = ({ scale, offset }: Entity): boolean => scale === 1 && offset === 0;
  for (const same of Map.groupBy(all, ({ topic, field }) => JSON.stringify([topic, field])).values()) {
    const kept = same.find(isPlain) ?? same[0];
    for (const entity of same)
      if (entity.scale !== kept?.scale || entity.offset !== kept.offset) entity.field = entity.id;
  }
}

/** A source for each topic whose numbers were announced, by topic. */
export function announcedSources(all: readonly Entity[]): PlainSource[] {
  const topics = [...Map.groupBy(all, ({ topic }) => topic)].sort(([one], [other]) => (one < other ? -1 : 1));
  return topics.map(([topic, own]) => {
    return {
      name: nameOf(topic),
      topic: literal(topic),
      format: own.every(({ path }) => path === '') ? 'number' : 'json',
      key: clean(own[0]?.device ?? topic),
      fields: Object.fromEntries(own.slice(0, FIELDS_MAX).map((entity) => [entity.field, fieldOf(entity)])),
      nothing: 'filter',
    };
  });
}

function fieldOf({ path, unit, values, scale, offset }: Entity): Record<string, unknown> {
  const kept = UNITS_KEPT.find((other) => conversion(`${unit} → ${other}`) !== null);
  const linear = kept === undefined ? null : conversion(`${unit} → ${kept}`);
  const says = values === null ? {} : { values };
  if (scale === 1 && offset === 0) return { path, ...says, ...(linear === null ? {} : { unit: `${unit} → ${kept}` }) };
  const [before, times, by, after] = linear ?? [0, 1, 1, 0];
  return { path, ...says, scale: (scale * times) / by, offset: ((offset + before) * times) / by + after };
}

/** A topic as it is, or what is left of a long one with a hash that keeps two apart. */
function nameOf(topic: string): string {
  if (topic.length <= NAME_CHARACTERS_MAX) return topic;
  const hash = createHash('sha256').update(topic).digest('hex').slice(0, 8);
  return `${topic.slice(0, NAME_CHARACTERS_MAX - hash.length - 1)}-${hash}`;
}

/** Braces that are a topic's own capture nothing: `+` takes such a level. */
function literal(topic: string): string {
  return topic
    .split('/')
    .map((level) => (/[{}]/.test(level) ? '+' : level))
    .join('/');
}

/** The entities of a device in one configuration: what stands around them holds for all. */
function componentsOf(config: Json): { component: string; config: Json }[] {
  const { components, cmps, ...shared } = config;
  return Object.entries(plain(components ?? cmps)).map(([id, own]) => {
    const merged = { ...shared, object_id: id, ...plain(own) };
    return { component: text(get(merged, 'platform')) ?? '', config: merged };
  });
}

/** Null for one that has no state to be read. */
function entityOf(component: string, config: Json): Entity | { why: string } | null {
  const isSwitch = SWITCHES.includes(component);
  const topic = topicOf(config);
  if (topic === null || !(isSwitch || NUMBERS.includes(component))) return null;
  if (/[+#]/.test(topic)) return { why: `its state_topic ${topic} has a wildcard` };
  const template = text(get(config, 'value_template'));
  const read = readTemplate(template);
  const notRead = { why: `its value_template does more than read a value: ${template}, of ${topic}` };
  if (read === null) return notRead;
  const { path, scale, offset } = read;
  if (isSwitch && (scale !== 1 || offset !== 0)) return notRead;
  const device = plain(get(config, 'device'));
  const ids = device.identifiers ?? device.ids;
  const id = text(get(config, 'object_id')) ?? text(config.name) ?? 'value';
  return {
    ...{ topic, path, field: clean(path === '' ? id : lastName(path)) },
    unit: text(get(config, 'unit_of_measurement')),
    device: text(device.name) ?? text(Array.isArray(ids) ? ids[0] : ids),
    values: isSwitch ? wordsOf(config) : null,
    ...{ scale, offset, id: clean(id) },
  };
}

function topicOf(config: Json): string | null {
  const base = text(config['~']) ?? '';
  return text(get(config, 'state_topic'))?.replace(/^~|~$/, () => base) ?? null;
}

function wordsOf(config: Json): Record<string, number> {
  const word = (state: string, payload: string, usual: string): string =>
    String(get(config, state) ?? get(config, payload) ?? usual);
  return { [word('state_on', 'payload_on', 'ON')]: 1, [word('state_off', 'payload_off', 'OFF')]: 0 };
}

/** The paths of a topic that end alike: two of them (`in.temp`, `out.temp`) are told apart by all of the path. */
function pathsByEnd(all: readonly Entity[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const entity of all) {
    const end = endOf(entity);
    found.set(end, (found.get(end) ?? new Set()).add(entity.path));
  }
  return found;
}

function endOf({ topic, path }: Entity): string {
  return JSON.stringify([topic, lastName(path)]);
}

function longField(path: string): string {
  return clean(path.replaceAll(/[.[\]']+/g, '_').replaceAll(/^_|_$/g, ''));
}

function get(config: Json, name: string): unknown {
  return config[name] ?? config[SHORT[name] ?? name];
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function clean(name: string): string {
  return name.replaceAll(/[{}]/g, '');
}

function plain(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

function asObject(payload: Buffer | undefined): Json | null {
  try {
    const value: unknown = JSON.parse(String(payload));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}
