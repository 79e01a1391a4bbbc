/** Where the labels of a task come from, and how far they are believed: the value of `classify` and `regress`. */
import { LABEL_BREAKERS, LABEL_CONFLICTS, type LabelConfig, type SourceConfig } from './config.ts';
import { singlePath, template, topicPattern } from './config_language.ts';
import type { ConfigNode } from './config_node.ts';
import { templateNames } from './patterns.ts';

/** `{ topic, key, path, time, seq, id, conflicts, breaker }`; all but the topic may be left out. */
export function parseLabel(node: ConfigNode, sources: readonly SourceConfig[]): LabelConfig {
  const map = node.map(['topic', 'key', 'path', 'time', 'seq', 'id', 'conflicts', 'breaker']);
  const { topic, captures } = topicPattern(map.need('topic'));
  return {
    topic,
    key: template(map.get('key'), captures) ?? labelKey(node, captures, sources),
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
