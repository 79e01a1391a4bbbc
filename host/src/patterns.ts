// Two of the three small languages of a configuration (FORMATS.md section 3): topic patterns that capture levels (`{name}`, `{name#}`) and
// templates over the captures; the third, paths into a payload, is in paths.ts. Only their syntax is checked here; the core
// follows them.

/** Names of captures: `{room}`. */
const CAPTURE = /\{([A-Za-z][A-Za-z0-9_]{0,31})\}/g;
const CAPTURE_LEVEL = /^\{([A-Za-z][A-Za-z0-9_]{0,31})(#?)\}$/;
/** Levels of a topic pattern that the core follows (wasm-core/engine/src/route.rs). */
const LEVELS_MAX = 64;

/** What is wrong with a topic pattern, or the names it captures, in order. */
export function checkTopicPattern(pattern: string): { captures: string[] } | { wrong: string } {
  if (pattern === '') return { wrong: 'it is empty' };
  if (pattern.includes('\u0000')) return { wrong: 'it holds a zero character' };
  if (Buffer.byteLength(pattern) > 65_535) return { wrong: 'it is longer than 65535 bytes' };
  const captures: string[] = [];
  const levels = pattern.split('/');
  if (levels.length > LEVELS_MAX) return { wrong: `it has more than ${LEVELS_MAX} levels` };
  for (const [index, level] of levels.entries()) {
    if (level === '+') continue;
    if (level === '#' && index === levels.length - 1) continue;
    const [, capture, rest] = CAPTURE_LEVEL.exec(level) ?? [];
    if (capture !== undefined) {
      if (rest === '#' && index < levels.length - 1) return { wrong: `{${capture}#} must be the last level` };
      if (captures.includes(capture)) return { wrong: `{${capture}} stands in it twice` };
      captures.push(capture);
      continue;
    }
    if (/[{}]/.test(level)) return { wrong: `a capture must fill its level, unlike "${level}"` };
    if (level.includes('#')) return { wrong: '# must be the last level, alone' };
    if (level.includes('+')) return { wrong: `+ must fill its level, unlike "${level}"` };
  }
  return { captures };
}

/** The names that a template refers to, in order, each once. */
export function templateNames(template: string): string[] {
  return [...new Set([...template.matchAll(CAPTURE)].map((match) => match[1] as string))];
}

/** What is wrong with a template over `known` names; null when nothing is. */
export function checkTemplate(template: string, known: readonly string[]): string | null {
  if (/[{}]/.test(template.replaceAll(CAPTURE, ''))) return 'a brace that belongs to no {name}';
  const unknown = templateNames(template).find((name) => !known.includes(name));
  if (unknown !== undefined)
    return `{${unknown}}, which is not one of ${known.map((name) => `{${name}}`).join(', ') || 'its names (there are none)'}`;
  return null;
}

/** The MQTT topic filter to subscribe to for a pattern: `{name}` becomes `+`, `{name#}` becomes `#`. */
export function topicFilter(pattern: string): string {
  return pattern
    .split('/')
    .map((level) => level.replace(CAPTURE_LEVEL, (_, __, rest) => (rest === '#' ? '#' : '+')))
    .join('/');
}

/**
 * Whether the topics made from a template are among those that a pattern takes; `{name}` may become any one level.
 * @param sure true: all of them are; false: one may be
 */
export function takesTopics(pattern: string, template: string, sure: boolean): boolean {
  const levels = template.split('/');
  const wanted = topicFilter(pattern).split('/');
  for (const [index, filter] of wanted.entries()) {
    const level = levels[index];
    if (filter === '#') return true;
    if (level === undefined) return false;
    if (filter !== '+' && filter !== level && (sure || !level.includes('{'))) return false;
  }
  return levels.length === wanted.length;
}

/** True when a topic is one of a pattern's (MQTT 3.1.1 section 4.7; `except` aside). */
export function topicMatches(pattern: string, topic: string): boolean {
  const levels = topicFilter(pattern).split('/');
  const parts = topic.split('/');
  if (topic.startsWith('$') && (levels[0] === '+' || levels[0] === '#')) return false;
  for (const [index, level] of levels.entries()) {
    // `{name#}` captures one level at least; `#` alone may stand for none.
    if (level === '#') return pattern.endsWith('#}') ? parts.length > index : parts.length >= index;
    if (parts[index] === undefined || (level !== '+' && level !== parts[index])) return false;
  }
  return parts.length === levels.length;
}
