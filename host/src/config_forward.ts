// The part of a configuration that sends readings on: by rule, thinned out or by exception, raw or as windows; and whether
// they are announced to Home Assistant.

import type { DeliveryConfig, ForwardConfig, OutputConfig, SourceConfig } from './config.ts';
import { parseExpression } from './config_features.ts';
import { template } from './config_language.ts';
import { fieldName } from './config_names.ts';
import type { ConfigMap, ConfigNode } from './config_node.ts';
import { takesTopics } from './patterns.ts';

/** Rules (wasm-core/engine/src/plan.rs): each looks at every reading. */
export const FORWARD_MAX = 64;
const RULE_KEYS = [
  'readings',
  'windows',
  'where',
  'every',
  'deadband',
  'at_least',
  'one_in',
  'topic',
  'qos',
  'retain',
  'unit',
  'device_class',
] as const;
type RuleMap = ConfigMap<(typeof RULE_KEYS)[number]>;

/** What a rule can name. */
export interface ForwardScope {
  sources: readonly Pick<SourceConfig, 'name' | 'topic' | 'except' | 'door'>[];
  /** Null: any may come. */
  fields: string[] | null;
  windows: readonly { name: string }[];
}

/** Rules over readings are followed by the core; those over windows are outputs like any other. */
export function parseForward(
  node: ConfigNode | null,
  scope: ForwardScope,
): { forward: ForwardConfig[]; windows: OutputConfig[] } {
  const forward: ForwardConfig[] = [];
  const windows: OutputConfig[] = [];
  for (const item of node?.list(FORWARD_MAX) ?? []) {
    const map = item.map(RULE_KEYS);
    const isWindows = map.get('windows') !== null;
    if (isWindows === (map.get('readings') !== null))
      item.fail(
        'RIV_CONFIG_VALUE',
        `\`${item.path}\` forwards ${isWindows ? 'both' : 'nothing'}`,
        'readings or windows',
      );
    refuseLoop(map.need('topic'), scope);
    if (isWindows) windows.push(parseWindowRule(map, scope));
    else forward.push(parseReadingRule(map, scope));
  }
  return { forward, windows };
}

/** What goes out through the first door must not come in again as a reading: it would go out again, for ever. */
function refuseLoop(topic: ConfigNode, { sources }: ForwardScope): void {
  const back = sources.find(
    ({ door, topic: pattern, except }) =>
      (door === null || door === 1) &&
      takesTopics(pattern, topic.text(), false) &&
      !except.some((other) => takesTopics(other, topic.text(), true)),
  );
  if (back !== undefined)
    topic.fail(
      'RIV_CONFIG_VALUE',
      `\`${topic.path}\` may be a topic of the source ${back.name}: what is forwarded would come in again`,
      'a topic that no source reads',
    );
}

function parseWindowRule(map: RuleMap, { windows }: ForwardScope): OutputConfig {
  for (const key of ['where', 'every', 'deadband', 'at_least', 'one_in', 'unit', 'device_class'] as const)
    map
      .get(key)
      ?.fail('RIV_CONFIG_VALUE', `\`${key}\` has no meaning here`, 'none: a window is thinned out by its length');
  return {
    what: 'windows',
    of: map.need('windows').word(['*', ...windows.map(({ name }) => name)]),
    topic: publishTopic(map.need('topic'), ['gateway', 'window', 'key', 'field']),
    ...parseDelivery(map),
  };
}

function parseReadingRule(map: RuleMap, { fields }: ForwardScope): ForwardConfig {
  const readings = map.need('readings');
  const deadband = parseDeadband(map.get('deadband'));
  const where = map.get('where');
  const names = where === null ? null : parseExpression(where);
  const unknown = fields === null ? undefined : names?.names.find((name) => name !== 'value' && !fields.includes(name));
  if (unknown !== undefined)
    where?.fail('RIV_CONFIG_VALUE', `\`${where.path}\` names ${unknown}, which no source has`, 'a field, or `value`');
  return {
    of: readings.isText('*') ? [] : readings.list().map((field) => fieldName(field, fields)),
    where: names?.text ?? null,
    everyMs: map.get('every')?.durationMs(0) ?? 0,
    ...deadband,
    atLeastMs: map.get('at_least')?.durationMs(1) ?? 0,
    oneIn: map.get('one_in')?.integer(1, 1_000_000) ?? 1,
    topic: publishTopic(map.need('topic'), ['gateway', 'key', 'field']),
    ...parseDelivery(map),
    unit: map.get('unit')?.text() ?? '',
    deviceClass: map.get('device_class')?.text(/^[a-z0-9_]{1,64}$/, 'a device class such as temperature') ?? '',
  };
}

/** A number in the field's unit, or a share of the value sent last: `5%`. */
function parseDeadband(node: ConfigNode | null): { deadband: number; relative: boolean } {
  if (node === null) return { deadband: 0, relative: false };
  const text = node.text(/^\d+(\.\d+)?%?$/, 'a number such as 0.5, or a share such as 5%');
  const relative = text.endsWith('%');
  return { deadband: Number(text.replace('%', '')) / (relative ? 100 : 1), relative };
}

/** How an output is published: once at least and not kept, unless it says otherwise. */
export function parseDelivery(map: ConfigMap<'qos' | 'retain'>): DeliveryConfig {
  return { qos: (map.get('qos')?.integer(0, 1) ?? 1) as 0 | 1, retain: map.get('retain')?.flag() ?? false };
}

/** A template for a topic to publish to. */
export function publishTopic(node: ConfigNode, placeholders: readonly string[]): string {
  const topic = template(node, placeholders) as string;
  if (topic === '' || ['+', '#', '\0'].some((sign) => topic.includes(sign)))
    node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is ${JSON.stringify(topic)}`, 'a topic without wildcards');
  return topic;
}

/** `true`, or a map with the prefix that Home Assistant listens to. */
export function parseHomeAssistant(node: ConfigNode | null): { prefix: string } | null {
  if (node === null) return null;
  const prefix = 'homeassistant';
  if (!node.isMap) return node.flag() ? { prefix } : null;
  const given = node.map(['prefix']).get('prefix');
  return { prefix: given?.text(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, 'topic levels without wildcards') ?? prefix };
}
