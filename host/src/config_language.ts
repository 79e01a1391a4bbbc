// The small languages of a configuration where they stand in a file: topic patterns, templates and paths, each checked so that
// a wrong one is refused with its place.

import type { ConfigNode } from './config_node.ts';
import { parsePath } from './paths.ts';
import { checkTemplate, checkTopicPattern } from './patterns.ts';

/** A topic filter with captures, and their names in order. */
export function topicPattern(node: ConfigNode): { topic: string; captures: string[] } {
  const topic = node.text();
  if (/^\$share(\/|$)/.test(topic))
    node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is a shared subscription`, 'a topic whose messages all come here');
  const checked = checkTopicPattern(topic);
  if ('wrong' in checked)
    return node.fail(
      'RIV_CONFIG_VALUE',
      `\`${node.path}\` is ${JSON.stringify(topic.slice(0, 80))}`,
      `a topic filter, but ${checked.wrong}`,
    );
  return { topic, captures: checked.captures };
}

/** The pattern of a source, which may stand in a shared subscription: `$share/GROUP/PATTERN`. */
export function sharedTopicPattern(node: ConfigNode): { topic: string; captures: string[]; share: string | null } {
  const [, share, shared] = /^\$share\/([^/+#{}]+)\/(.+)$/s.exec(node.text()) ?? [];
  if (share === undefined || shared === undefined) return { ...topicPattern(node), share: null };
  const checked = checkTopicPattern(shared);
  if ('wrong' in checked)
    return node.fail('RIV_CONFIG_VALUE', `a shared subscription of which ${checked.wrong}`, '$share/GROUP/TOPIC');
  return { topic: shared, captures: checked.captures, share };
}

/** A template over `names`; null when it is absent. */
export function template(node: ConfigNode | null, names: readonly string[]): string | null {
  if (node === null) return null;
  const text = node.text();
  const wrong = checkTemplate(text, names);
  if (wrong !== null) node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` holds ${wrong}`);
  return text;
}

/** A path into a payload; null when it is absent. */
export function path(node: ConfigNode | null): string | null {
  if (node === null || node.empty) return null;
  const text = node.text();
  if (parsePath(text) === null)
    node.fail(
      'RIV_CONFIG_VALUE',
      `\`${node.path}\` is ${JSON.stringify(text.slice(0, 80))}`,
      'a path such as a.b[0].c, devices.{dev}.temp or [?n=voltage].v',
    );
  return text;
}

/** A path that leads to one value. */
export function singlePath(node: ConfigNode | null): string | null {
  const text = path(node);
  if (text !== null && parsePath(text)?.some(({ kind }) => kind === 'each'))
    node?.fail('RIV_CONFIG_VALUE', `\`${node.path}\` has a wildcard`, 'a path to one value');
  return text;
}

/** Refuses the second of two things with one name. */
export function refuseRepeats(nodes: readonly ConfigNode[], named: readonly { name: string }[], what: string): void {
  const seen = new Set<string>();
  for (const [index, { name }] of named.entries()) {
    if (seen.has(name))
      nodes[index]?.fail('RIV_CONFIG_VALUE', `a second ${what} named ${JSON.stringify(name)}`, 'names that differ');
    seen.add(name);
  }
}
