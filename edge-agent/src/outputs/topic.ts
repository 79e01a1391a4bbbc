/**
 * Topics of what we publish: a template over gateway, task, window, key and field. Keys and fields are made of captured
 * topic levels and payloads, so they are hostile: whatever would act as a wildcard, add a level or be refused by a broker
 * is replaced, and nothing can publish below `$` (MQTT 3.1.1 section 4.7).
 */

/** A topic is at most this long in UTF-8 bytes (MQTT 3.1.1 section 1.5.3). */
const TOPIC_BYTES_MAX = 65_535;
/** One name in a topic: longer ones are cut, so that the whole stays far below the limit. */
const NAME_CHARACTERS_MAX = 256;
const REPLACEMENT = '_';

/** Fills `{name}` in a template; a name that is not among the values stays empty and becomes `_`. */
export function fillTopic(template: string, values: Readonly<Record<string, string>>): string {
  const filled = template.replace(/\{([^{}]*)\}/g, (_, name: string) =>
    Object.hasOwn(values, name) ? topicLevel(values[name] as string) : REPLACEMENT,
  );
  const safe = filled.startsWith('$') ? `${REPLACEMENT}${filled.slice(1)}` : filled;
  return Buffer.byteLength(safe) <= TOPIC_BYTES_MAX ? safe : safe.slice(0, TOPIC_BYTES_MAX / 4);
}

/** A name as one level of a topic: no wildcard, no separator, no control character, no lone surrogate, never empty. */
export function topicLevel(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const level = name.toWellFormed().replace(/[+#/\u0000-\u001f\u007f-\u009f\ufffd-\uffff]/g, REPLACEMENT);
  if (level === '') {
    return REPLACEMENT;
  }
  return level.length <= NAME_CHARACTERS_MAX ? level : [...level].slice(0, NAME_CHARACTERS_MAX).join('');
}
