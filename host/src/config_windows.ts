// The windows of a configuration: which shape one has is told by its keys. What they mean is in WINDOWS.md.

import type { SourceConfig, TriggerConfig, WindowConfig, WindowShape } from './config.ts';
import { refuseRepeats, topicPattern } from './config_language.ts';
import { fieldName, NAME_EXPECTED, NAME_PATTERN } from './config_names.ts';
import type { ConfigMap, ConfigNode } from './config_node.ts';
import { formatDuration } from './units.ts';
import { BASIC_STATISTICS, isStatistic, STATISTICS_EXPECTED } from './window_statistics.ts';

// What the core follows at most (wasm-core/engine/src: plan, window/definition): what is accepted here opens there.
const WINDOWS_MAX = 64;
const STATISTICS_MAX = 64;
/** Windows of one series that may be open at once, as the time they stay open over their length. */
const OPEN_WINDOWS_MAX = 1024;
/** Steps of a sliding window: what is kept for each series grows with them. */
const STEPS_MAX = 4096;
const COUNT_MAX = 1 << 30;

const KEYS = [
  'name',
  'every',
  'size',
  'gap',
  'count',
  'step',
  'trigger',
  'of',
  'over',
  'stats',
  'lateness',
  'allowed_lateness',
] as const;
type WindowMap = ConfigMap<(typeof KEYS)[number]>;

/** @param fields as for `fieldName` */
export function parseWindows(
  node: ConfigNode | null,
  sources: readonly SourceConfig[],
  fields: string[] | null,
): WindowConfig[] {
  const lateness = {
    // A source that follows the delays of its readings has them in its time already.
    defaultMs: Math.max(0, ...sources.map((source) => (source.adaptive === null ? source.latenessMs : 0))),
    adaptiveMs: Math.max(0, ...sources.map((source) => source.adaptive?.maxMs ?? 0)),
  };
  const items = node?.list(WINDOWS_MAX) ?? [];
  const windows = items.map((item) => parseWindow(item.map(KEYS), lateness, fields));
  refuseRepeats(items, windows, 'window');
  return windows;
}

function parseWindow(
  map: WindowMap,
  lateness: { defaultMs: number; adaptiveMs: number },
  fields: string[] | null,
): WindowConfig {
  const name = map.need('name').text(NAME_PATTERN, NAME_EXPECTED);
  const trigger = parseTrigger(map.get('trigger'), fields);
  const shape = parseShape(map, trigger);
  if (shape.kind === 'count') refuse(map, ['lateness', 'allowed_lateness'], 'readings are counted as they come');
  if (shape.kind === 'global') refuse(map, ['allowed_lateness'], 'a global window has no end');
  if (shape.kind === 'sliding' || shape.kind === 'count') refuse(map, ['trigger'], 'these windows overlap');
  if (shape.kind !== 'global' && trigger?.reset === true)
    map.need('trigger').fail('RIV_CONFIG_VALUE', '`reset` in a window that has an end', 'none: it begins anew there');
  const over = map.get('over');
  const window: WindowConfig = {
    name,
    shape,
    of:
      map
        .get('of')
        ?.list()
        .map((field) => fieldName(field, fields)) ?? [],
    over: over === null ? null : topicPattern(over).topic,
    stats: map.get('stats')?.list(STATISTICS_MAX).map(statistic) ?? [...BASIC_STATISTICS],
    latenessMs: map.get('lateness')?.durationMs(0) ?? (shape.kind === 'count' ? 0 : lateness.defaultMs),
    allowedLatenessMs: map.get('allowed_lateness')?.durationMs(0) ?? 0,
    trigger,
  };
  const staysMs = window.latenessMs + window.allowedLatenessMs + lateness.adaptiveMs;
  const lengthMs = openEveryMs(shape);
  if (staysMs > lengthMs * OPEN_WINDOWS_MAX)
    (map.get('allowed_lateness') ?? map.get('lateness') ?? map.get('gap') ?? map.need('every')).fail(
      'RIV_CONFIG_VALUE',
      `windows of ${formatDuration(lengthMs)} that wait ${formatDuration(staysMs)} for late readings`,
      `at most ${OPEN_WINDOWS_MAX} windows open at once`,
    );
  return window;
}

/** How far apart windows begin that are open at once; infinite where there is one. */
function openEveryMs(shape: WindowShape): number {
  switch (shape.kind) {
    case 'tumbling':
    case 'sliding':
      return shape.everyMs;
    case 'session':
      return shape.gapMs;
    case 'count':
    case 'global':
      return Number.POSITIVE_INFINITY;
  }
}

function parseShape(map: WindowMap, trigger: TriggerConfig | null): WindowShape {
  if (map.get('gap') !== null) {
    refuse(map, ['every', 'size', 'count', 'step'], 'a session ends with its gap');
    return { kind: 'session', gapMs: map.need('gap').durationMs(1) };
  }
  if (map.get('count') !== null) {
    refuse(map, ['every', 'size'], 'the window ends with its count');
    const count = map.need('count').integer(1, COUNT_MAX);
    const step = map.get('step')?.integer(1, COUNT_MAX) ?? count;
    if (step > count || count > step * STEPS_MAX)
      map.need('step').fail('RIV_CONFIG_VALUE', `steps of ${step} in ${count} readings`, stepsExpected(count));
    return { kind: 'count', count, step };
  }
  refuse(map, ['step'], 'it belongs to `count`');
  if (map.get('size') !== null) {
    const [sizeMs, everyMs] = [map.need('size').durationMs(1), map.need('every').durationMs(1)];
    if (everyMs > sizeMs || sizeMs > everyMs * STEPS_MAX)
      map
        .need('every')
        .fail(
          'RIV_CONFIG_VALUE',
          `windows of ${formatDuration(sizeMs)} every ${formatDuration(everyMs)}`,
          stepsExpected(sizeMs),
        );
    return everyMs === sizeMs ? { kind: 'tumbling', everyMs } : { kind: 'sliding', sizeMs, everyMs };
  }
  if (map.get('every') === null && trigger !== null) return { kind: 'global' };
  return { kind: 'tumbling', everyMs: map.need('every').durationMs(1) };
}

function stepsExpected(size: number): string {
  return `from ${Math.ceil(size / STEPS_MAX)} to ${size}: at most ${STEPS_MAX} steps a window, none longer than it`;
}

function parseTrigger(node: ConfigNode | null, fields: string[] | null): TriggerConfig | null {
  if (node === null) return null;
  const map = node.map(['count', 'every', 'on', 'reset']);
  const on = map.get('on')?.map(['field', 'value']);
  const trigger = {
    count: map.get('count')?.integer(1, COUNT_MAX) ?? 0,
    everyMs: map.get('every')?.durationMs(1) ?? 0,
    on:
      on === undefined
        ? null
        : { field: fieldName(on.need('field'), fields), value: on.need('value').number(-1e100, 1e100) },
    reset: map.get('reset')?.flag() ?? false,
  };
  if (trigger.count === 0 && trigger.everyMs === 0 && trigger.on === null)
    node.fail('RIV_CONFIG_MISSING', `\`${node.path}\` names nothing that triggers`, 'count, every or on');
  return trigger;
}

function statistic(node: ConfigNode): string {
  const name = node.text();
  return isStatistic(name)
    ? name
    : node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is ${JSON.stringify(name.slice(0, 80))}`, STATISTICS_EXPECTED);
}

function refuse(map: WindowMap, keys: readonly (typeof KEYS)[number][], why: string): void {
  for (const key of keys) map.get(key)?.fail('RIV_CONFIG_VALUE', `\`${key}\` has no meaning here`, `none: ${why}`);
}
