// The sources of a configuration: which messages are read, and how. A source may name a preset instead of saying so itself; it
// then stands for the plain sources that the preset expands to (presets.ts).

import { COMPRESSIONS, type Door, type FieldConfig, type SourceConfig } from './config.ts';
import { parseDerived, parseExpression } from './config_features.ts';
import { defaultReads, hasRecords, parseFormat, wrongPath } from './config_format.ts';
import { path, refuseRepeats, sharedTopicPattern, template, topicPattern } from './config_language.ts';
import { type ConfigMap, type ConfigNode, configOf } from './config_node.ts';
import { parseSense, SENSE_KEYS } from './config_sense.ts';
import { checkExpression } from './expression.ts';
import { fieldNames, writtenFields } from './features.ts';
import { type Announcing, announcedSources, entities, type NotRead } from './home_assistant.ts';
import { nearestName } from './nearest.ts';
import { checkMapping } from './paths.ts';
import { checkTemplate, templateNames, topicMatches } from './patterns.ts';
import { expandPreset, PRESETS } from './presets.ts';
import { zoneChanges } from './zone.ts';

/** Readings may come this much after later ones of the same key: networks re-order over seconds, not minutes. */
const LATENESS_MS = 10_000;
/** Of readings whose lateness is followed, all but one in a thousand come in time. */
const ADAPTIVE_QUANTILE = 0.999;
/** The longest that is waited then. */
const ADAPTIVE_MAX_MS = 10 * 60_000;
/** Event time may be this far ahead of arrival before a message counts as wrong: any time zone, no more. */
const CLOCK_SKEW_MAX_MS = 24 * 3_600_000;
/** A key that is silent this long does not hold back its windows. */
const IDLE_MS = 60_000;

// What the core follows at most (wasm-core/engine/src: plan, decode): what is accepted here opens there.
export const SOURCES_MAX = 1024;
/** What announced sources may take as text, all together: a short message can say a long name a thousand times. */
const ANNOUNCED_CHARACTERS_MAX = 2 * 1024 * 1024;
const FIELDS_PER_SOURCE_MAX = 62;
const EXCEPT_MAX = 64;

/** Tags in the keys of Telegraf's metrics. */
const TAGS_MAX = 8;
const TAG_EXPECTED = 'a tag: a letter, then letters, digits, underscores';
const CAPTURE_NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_]{0,31}$/;
/** Fixed levels before those that a preset reads: no wildcard, no capture. */
const BASE_PATTERN = /^[^+#{}\0]{0,256}$/;

/** What a source may say whether it names a preset or not. */
const COMMON_KEYS = ['name', 'door', 'compression', 'where', 'lateness', 'clock', 'clock_skew_max', 'idle'] as const;
const PLAIN_KEYS = [
  ...COMMON_KEYS,
  'topic',
  'except',
  'format',
  'captures',
  'key',
  'fields',
  'derived',
  'time',
  'seq',
  'repeats',
  'nothing',
  'announces',
] as const;
const PRESET_KEYS = [...COMMON_KEYS, 'preset', 'base', 'zone', 'tags'] as const;

/**
 * All sources, presets expanded, names told apart; behind them those that were announced on the topics of some of them, and what
 * was announced there and cannot be read.
 */
export function parseSources(
  node: ConfigNode,
  doors: readonly Door[],
  announced: readonly Announcing[] = [],
): { sources: SourceConfig[]; notRead: NotRead[] } {
  const items = node.list(SOURCES_MAX);
  if (items.length === 0) node.fail('RIV_CONFIG_MISSING', '`sources` is empty', 'at least one source with a topic');
  const parsed = items.flatMap((item) => {
    const isPreset = item.isMap && item.entries().some(({ key }) => key === 'preset');
    const sources = isPreset ? parsePreset(item, doors) : [parseSource(item, doors)];
    return sources.map((source) => ({ item, source }));
  });
  if (parsed.length > SOURCES_MAX)
    node.fail('RIV_CONFIG_VALUE', `${parsed.length} sources, presets expanded`, `at most ${SOURCES_MAX}`);
  const sources = parsed.map(({ source }) => source);
  refuseRepeats(
    parsed.map(({ item }) => item),
    sources,
    'source',
  );
  const made = sourcesOf(announced, sources, doors);
  const all = [...sources, ...made.flatMap(({ sources: own }) => own)];
  for (const { item, source } of parsed) refuseUnknown(item, source, all);
  return { sources: all, notRead: made.flatMap(({ notRead }) => notRead) };
}

/**
 * The sources that were announced: what holds for the source they were announced on holds for them. One that is configured under
 * the same name, or that cannot be read, is left out, and so are those that are too many or too long together.
 */
function sourcesOf(
  announced: readonly Announcing[],
  sources: readonly SourceConfig[],
  doors: readonly Door[],
): { sources: SourceConfig[]; notRead: NotRead[] }[] {
  const announcing = sources.filter(({ announces }) => announces !== null);
  const names = new Set(sources.map(({ name }) => name));
  let room = SOURCES_MAX - sources.length;
  let characters = 0;
  return [...new Set(announcing.map(({ door }) => door))].map((door) => {
    const by = announcing.filter((source) => source.door === door);
    const own = announced.filter(({ topic }) => by.some((source) => topicMatches(source.topic, topic)));
    const { compression, where, latenessMs, adaptive, clock, clockSkewMaxMs, idleMs } = by[0] as SourceConfig;
    const { entities: found, notRead } = entities(own);
    const read = announcedSources(found).flatMap((plain) => {
      if (room === 0 || names.has(plain.name)) return [];
      characters += JSON.stringify(plain).length;
      if (characters > ANNOUNCED_CHARACTERS_MAX) return [];
      names.add(plain.name);
      try {
        const source = parseSource(configOf(plain, 'what was announced'), doors);
        room -= 1;
        return [{ ...source, door, compression, where, latenessMs, adaptive, clock, clockSkewMaxMs, idleMs }];
      } catch {
        return [];
      }
    });
    return { sources: read, notRead };
  });
}

/** A condition may ask for any field of its key, whichever source it comes from; what no source has would never be true. */
function refuseUnknown(node: ConfigNode, { where }: SourceConfig, sources: readonly SourceConfig[]): void {
  const { fields, open } = writtenFields(sources);
  if (where === null || open) return;
  const checked = checkExpression(where);
  const unknown = 'names' in checked ? checked.names.find((name) => !fields.includes(name)) : undefined;
  if (unknown === undefined) return;
  const near = nearestName(unknown, fields);
  const expected = near === null ? `one of ${fields.join(', ')}` : `${near} perhaps`;
  node
    .map([...PLAIN_KEYS, ...PRESET_KEYS])
    .need('where')
    .fail('RIV_CONFIG_VALUE', `\`where\` names ${unknown}, which no source has`, expected);
}

/** The plain sources that a preset stands for. What they have in common can be said beside it. */
function parsePreset(node: ConfigNode, doors: readonly Door[]): SourceConfig[] {
  const map = node.map(PRESET_KEYS);
  const preset = map.need('preset').word(Object.keys(PRESETS));
  const base = map.get('base')?.text(BASE_PATTERN, 'topic levels without wildcards') ?? null;
  const zone = map.get('zone');
  if (zone !== null) parseZone(zone);
  const name = map.get('name')?.text(/^.{1,100}$/, 'at most 100 characters') ?? preset;
  const tags =
    map
      .get('tags')
      ?.list(TAGS_MAX)
      .map((tag) => tag.text(CAPTURE_NAME_PATTERN, TAG_EXPECTED)) ?? [];
  if (tags.length > 0 && preset !== 'telegraf_json')
    map.need('tags').fail('RIV_CONFIG_VALUE', `\`tags\` beside the preset ${preset}`, 'none: it is for telegraf_json');
  const plain = expandPreset(preset, { name, base, zone: zone?.text() ?? null, tags });
  const common = parseCommon(map, doors);
  const nodes = configOf(plain, `the preset ${preset}`).list();
  return nodes.map((item) => ({ ...parseSource(item, doors), ...common }));
}

/** What is said beside a preset, as far as it is. */
function parseCommon(map: ConfigMap<(typeof COMMON_KEYS)[number]>, doors: readonly Door[]) {
  const [lateness, skew, idle] = [map.get('lateness'), map.get('clock_skew_max'), map.get('idle')];
  return {
    compression: parseCompression(map),
    where: parseWhere(map),
    ...(map.get('door') === null ? {} : { door: parseDoor(map, doors)?.door ?? null }),
    ...(lateness === null ? {} : parseLateness(lateness)),
    ...(map.get('clock') === null ? {} : { clock: parseClock(map) }),
    ...(skew === null ? {} : { clockSkewMaxMs: skew.durationMs(0) }),
    ...(idle === null ? {} : { idleMs: idle.durationMs(1) }),
  };
}

/** Which rows are taken; null: all. */
function parseWhere(map: ConfigMap<(typeof COMMON_KEYS)[number]>): string | null {
  const node = map.get('where');
  return node === null ? null : parseExpression(node).text;
}

function parseCompression(map: ConfigMap<(typeof COMMON_KEYS)[number]>): SourceConfig['compression'] {
  return map.get('compression')?.word(COMPRESSIONS) ?? null;
}

/** A time, or `adaptive`: as long as it takes for a share of the readings, followed as that changes. */
function parseLateness(node: ConfigNode | null): Pick<SourceConfig, 'latenessMs' | 'adaptive'> {
  if (node === null) return { latenessMs: LATENESS_MS, adaptive: null };
  if (!node.isMap && !node.isText('adaptive')) return { latenessMs: node.durationMs(0), adaptive: null };
  const map = node.isMap ? node.map(['quantile', 'max']) : null;
  const adaptive = {
    quantile: map?.get('quantile')?.number(0.5, 1) ?? ADAPTIVE_QUANTILE,
    maxMs: map?.get('max')?.durationMs(1) ?? ADAPTIVE_MAX_MS,
  };
  return { latenessMs: Math.min(LATENESS_MS, adaptive.maxMs), adaptive };
}

/** What is done about event times further off the wall clock than `clock_skew_max`; null: those ahead are refused. */
function parseClock(map: ConfigMap<(typeof COMMON_KEYS)[number]>): SourceConfig['clock'] {
  const clock = map.get('clock')?.word(['quarantine', 'correct']) ?? null;
  const max = map.get('clock_skew_max');
  if (clock !== null && max?.durationMs(0) === 0)
    max.fail('RIV_CONFIG_VALUE', '`clock_skew_max` is 0, any clock will do', 'a duration above 0, or no `clock`');
  return clock;
}

/** How repeats are known of a device that counts nothing: by its event times, where it gives some. */
function parseRepeats(
  map: ConfigMap<(typeof PLAIN_KEYS)[number]>,
  { time, seq }: Pick<SourceConfig, 'time' | 'seq'>,
): SourceConfig['repeats'] {
  const repeats = map.get('repeats');
  const by = repeats?.word(['marked', 'event_time'] as const) ?? 'marked';
  if (by === 'event_time' && seq !== null)
    repeats?.fail('RIV_CONFIG_VALUE', '`repeats` beside `seq`', 'one of them: a number of the device tells more');
  if (by === 'event_time' && time === null)
    repeats?.fail('RIV_CONFIG_VALUE', '`repeats: event_time` without event times', '`time` in this source');
  return by;
}

function parseDoor(map: ConfigMap<(typeof COMMON_KEYS)[number]>, doors: readonly Door[]): Door | null {
  const name = map.get('door')?.word(doors.map((opened) => opened.name)) ?? null;
  return doors.find((opened) => opened.name === name) ?? null;
}

/**
 * What one member of the group took and had not acknowledged goes to another: without the device's own numbers nobody could
 * ever tell.
 */
function refuseShared(node: ConfigNode, numbered: boolean, doors: readonly Door[]): void {
  if (!numbered)
    node.fail(
      'RIV_CONFIG_VALUE',
      'a shared subscription without device numbers, in which messages could count twice unseen',
      '`seq` in this source, or a topic without $share',
    );
  if (doors.some(({ kind }) => kind === 'broker'))
    node.fail('RIV_CONFIG_VALUE', 'a shared subscription at the embedded broker', '`door` naming a broker elsewhere');
}

function parseSource(node: ConfigNode, doors: readonly Door[]): SourceConfig {
  const map = node.map(PLAIN_KEYS);
  const { topic, captures: topicCaptures, share } = sharedTopicPattern(map.need('topic'));
  const door = parseDoor(map, doors);
  if (share !== null) refuseShared(map.need('topic'), map.get('seq') !== null, door === null ? doors : [door]);
  const name = map.get('name')?.text(/^.{1,128}$/, 'at most 128 characters') ?? topic;
  const format = parseFormat(map.get('format'));
  const reads = defaultReads(format);
  const given = parseFields(map.get('fields'));
  const fields = given ?? reads.fields;
  const time = parseTime(map.get('time'));
  const seq = parseSeq(map.get('seq'));
  const mapping = {
    fields,
    time: time?.path ?? reads.time,
    seq: seq?.path ?? null,
    captures: parseCaptures(map.get('captures')) ?? (given === null ? reads.captures : []),
  };
  if (format === 'number' && fields.some((field) => field.path !== ''))
    map
      .need('fields')
      .fail('RIV_CONFIG_VALUE', 'a path into a payload that is one number', 'empty paths, or another format');
  for (const found of [...fields, ...mapping.captures]
    .map((named) => named.path)
    .concat(mapping.time ?? [], mapping.seq ?? [])) {
    const expected = wrongPath(format, found);
    if (expected !== null) node.fail('RIV_CONFIG_VALUE', `the path ${JSON.stringify(found)} in this format`, expected);
  }
  const checked = checkMapping({ ...mapping, records: hasRecords(format) });
  if ('wrong' in checked)
    return (map.get('fields') ?? node).fail('RIV_CONFIG_VALUE', `the fields have ${checked.wrong}`);
  const twice = checked.captures.flat().find((capture) => topicCaptures.includes(capture));
  if (twice !== undefined)
    return (map.get('fields') ?? node).fail('RIV_CONFIG_VALUE', `topic and payload both capture {${twice}}`);
  const known = checked.captures.map((captures) => [...topicCaptures, ...captures]);
  for (const [index, field] of fields.entries()) {
    const wrong = checkTemplate(field.name, known[index] ?? []);
    if (wrong !== null)
      map.need('fields').fail('RIV_CONFIG_VALUE', `the field name ${JSON.stringify(field.name)} holds ${wrong}`);
  }
  const open = fields.some((field) => templateNames(field.name).length > 0);
  const shared = (known[0] ?? topicCaptures).filter((capture) => known.every((names) => names.includes(capture)));
  return {
    name,
    topic,
    share,
    except:
      map
        .get('except')
        ?.list(EXCEPT_MAX)
        .map((item) => topicPattern(item).topic) ?? [],
    door: door?.door ?? null,
    format,
    compression: parseCompression(map),
    key: template(map.get('key'), shared) ?? defaultKey(shared, fields, name),
    ...mapping,
    where: parseWhere(map),
    derived: parseDerived(map.get('derived'), open ? null : fields.flatMap(fieldNames)),
    timeAbsent: time?.absent ?? null,
    zone: time?.zone ?? [],
    seqAbsent: seq?.absent ?? null,
    repeats: parseRepeats(map, mapping),
    nothing: map.get('nothing')?.word(['quarantine', 'filter']) ?? 'quarantine',
    announces: map.get('announces')?.word(['home_assistant'] as const) ?? null,
    ...parseLateness(map.get('lateness')),
    clock: parseClock(map),
    clockSkewMaxMs: map.get('clock_skew_max')?.durationMs(0) ?? CLOCK_SKEW_MAX_MS,
    idleMs: map.get('idle')?.durationMs(1) ?? IDLE_MS,
  };
}

/** Fields as a map from name to path. Without any it is up to the format; mostly one field `value`, the payload itself. */
function parseFields(node: ConfigNode | null): FieldConfig[] | null {
  if (node === null) return null;
  const entries = node.entries();
  if (entries.length === 0) node.fail('RIV_CONFIG_MISSING', '`fields` is empty', 'a map from field to path');
  if (entries.length > FIELDS_PER_SOURCE_MAX)
    node.fail('RIV_CONFIG_VALUE', `${entries.length} fields`, `at most ${FIELDS_PER_SOURCE_MAX} per source`);
  return entries.map(({ key: name, value }) => parseField(name, value));
}

/** A path, or a map with one. */
function parseField(name: string, node: ConfigNode): FieldConfig {
  if (!node.isMap) return { name, path: path(node) ?? '', absent: null, except: [], sense: null };
  const map = node.map(['path', 'absent', 'except', ...SENSE_KEYS]);
  const found = path(map.get('path')) ?? '';
  const except = map.get('except')?.list(EXCEPT_MAX) ?? [];
  if (except.length > 0 && !/[*{]/.test(found))
    map.need('except').fail('RIV_CONFIG_VALUE', '`except` for a path without a wildcard', 'a wildcard');
  return {
    name,
    path: found,
    absent: map.get('absent')?.number(-1e100, 1e100) ?? null,
    except: except.map((item) => item.text(/^.{1,256}$/, 'a name')),
    sense: parseSense(map),
  };
}

/** Where the event time stands: a path, or a map that also says what holds without one, and in which zone. */
function parseTime(
  node: ConfigNode | null,
): { path: string; absent: 'arrival' | null; zone: [number, number][] } | null {
  if (node === null) return null;
  if (!node.isMap) return { path: path(node) ?? '', absent: null, zone: [] };
  const map = node.map(['path', 'absent', 'zone']);
  const zone = map.get('zone');
  return {
    path: path(map.need('path')) ?? '',
    absent: map.get('absent')?.word(['arrival'] as const) ?? null,
    zone: zone === null ? [] : parseZone(zone),
  };
}

function parseZone(node: ConfigNode): [number, number][] {
  const text = node.text();
  return (
    zoneChanges(text) ??
    node.fail(
      'RIV_CONFIG_VALUE',
      `\`${node.path}\` is ${JSON.stringify(text.slice(0, 80))}`,
      'a time zone such as Europe/Berlin, UTC or +01:00',
    )
  );
}

/** Where the device's own counter stands: a path, or a map that also says what an absent one means. */
function parseSeq(node: ConfigNode | null): { path: string; absent: number | null } | null {
  if (node === null) return null;
  if (!node.isMap) return { path: path(node) ?? '', absent: null };
  const map = node.map(['path', 'absent']);
  return { path: path(map.need('path')) ?? '', absent: map.get('absent')?.integer(0, 2 ** 53 - 1) ?? null };
}

/** Captures of the payload as a map from name to path. */
function parseCaptures(node: ConfigNode | null): SourceConfig['captures'] | null {
  if (node === null) return null;
  return node.entries().map(({ key: name, value }) => {
    if (!CAPTURE_NAME_PATTERN.test(name))
      value.fail(
        'RIV_CONFIG_VALUE',
        `the capture ${JSON.stringify(name)}`,
        'a letter, then letters, digits, underscores',
      );
    if (!value.isMap) return { name, path: path(value) ?? '' };
    const map = value.map(['path', 'absent']);
    const absent = map.get('absent')?.text(/^[^/+#]{1,64}$/, 'a name without /, + and #');
    return { name, path: path(map.need('path')) ?? '', ...(absent === undefined ? {} : { absent }) };
  });
}

/** What topic and payload capture and no field name uses; without captures the source is one thing, named like it. */
function defaultKey(captures: readonly string[], fields: readonly FieldConfig[], name: string): string {
  const used = new Set(fields.flatMap((field) => templateNames(field.name)));
  const free = captures.filter((capture) => !used.has(capture));
  return free.length > 0 ? free.map((capture) => `{${capture}}`).join('/') : name.replaceAll(/[{}]/g, '');
}
