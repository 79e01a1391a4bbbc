// Names in a configuration: what windows and tasks are called, and which fields there are.

import type { ConfigNode } from './config_node.ts';
import { nearestName } from './nearest.ts';

/** What a window or task may be called: it stands in topics and in names of features. */
export const NAME_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
export const NAME_EXPECTED = 'letters, digits, dash and underscore, at most 64';

/** @param fields the fields that sources have; null: they take names from their topics, so that any may come */
export function fieldName(node: ConfigNode, fields: readonly string[] | null): string {
  const name = node.text(/./, 'the name of a field');
  if (fields !== null && !fields.includes(name)) {
    const near = nearestName(name, fields);
    node.fail(
      'RIV_CONFIG_VALUE',
      `\`${node.path}\` is ${JSON.stringify(name)}, which no source has`,
      near === null ? `one of ${fields.join(', ')}` : `${near} perhaps`,
    );
  }
  return name;
}
