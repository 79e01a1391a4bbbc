/** Where the labels of a task come from, and how far they are believed: the value of `classify` and `regress`. */
import { LABEL_BREAKERS, LABEL_CONFLICTS, type LabelConfig, type SourceConfig } from './config.ts';
import { parseFormat, wrongPath } from './config_format.ts';
import { singlePath, template, topicPattern } from './config_language.ts';
import type { ConfigNode } from './config_node.ts';
import { templateNames } from './patterns.ts';

/** `{ topic, key, format, path, time, seq, id, conflicts, breaker }`; all but the topic may be left out. */
export function parseLabel(node: ConfigNode, sources: readonly SourceConfig[]): LabelConfig {
  const map = node.map(['topic', 'key', 'format', 'path', 'time', 'seq', 'id', 'conflicts', 'breaker']);
  const format = map.get('format') === null ? 'json' : parseFormat(map.get('format'));
  if (format === 'sparkplug')
    map.need('format').fail('RIV_CONFIG_VALUE', 'labels in Sparkplug', 'another format: who labels is no edge node');
  for (const name of ['path', 'time', 'seq', 'id'] as const) {
    const text = singlePath(map.get(name)) ?? '';
    const expected = format === 'number' && text !== '' ? 'no path: the payload is the label' : wrongPath(format, text);
    if (map.get(name) !== null && expected !== null)
      map.need(name).fail('RIV_CONFIG_VALUE', `the path ${JSON.stringify(text)} in this format`, expected);
  }
  const { topic, captures } = topicPattern(map.need('topic'));
  return {
    topic,
    key: template(map.get('key'), captures) ?? labelKey(node, captures, sources),
    format,
    path: singlePath(map.get('path')) ?? '',
    time: singlePath(map.get('time')),
    seq: singlePath(map.get('seq')),
    id: singlePath(map.get('id')),
    conflicts: map.get('conflicts')?.word(LABEL_CONFLICTS) ?? 'first',
    breaker: map.get('breaker')?.word(LABEL_BREAKERS) ?? 'off',
  };
}

/** A source's key that the label topic can fill; it must be the same text for label and prediction to meet. */
function labelKey(node: ConfigNode, captures: readonly string[], sources: readonly SourceConfig[]): string {
  const fits = sources.find((source) => templateNames(source.key).every((name) => captures.includes(name)));
  if (fits !== undefined) return fits.key;
  return node.fail(
    'RIV_CONFIG_MISSING',
    `\`${node.path}\` has no \`key\``,
    'one, since its topic does not capture what the key of a source is made of',
  );
}
