// A value in a YAML file together with where it stands. The configuration is read through these, so that every complaint
// names file, line and column, and so that a key nobody reads is found: unknown keys are refused, with the nearest name.

import {
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
} from 'yaml';
import { type ErrorCode, RivuletError } from './errors.ts';
import { nearestName } from './nearest.ts';
import { parseBytes, parseDuration, parseNanoseconds } from './units.ts';

/** Longest configuration: some thousands of tasks. */
const CONFIG_BYTES_MAX = 1024 * 1024;
/** Longest list where nothing else is said. */
const LIST_LENGTH_MAX = 4096;
/** Longest duration in a configuration, ten years: what is derived from it by sums and products stays in the core's range. */
const DURATION_MS_MAX = 10 * 366 * 86_400_000;
/** Longest text in a configuration: the longest MQTT topic. */
const TEXT_LENGTH_MAX = 65_535;

/** A value at a place. */
export interface ConfigNode {
  /** Its path from the top, for messages: `tasks[0].horizon`. */
  readonly path: string;
  /** True for `key:` with nothing behind it. */
  readonly empty: boolean;
  readonly isMap: boolean;
  readonly isList: boolean;
  /** True for just this scalar. */
  isText(text: string | boolean): boolean;
  fail(code: ErrorCode, found: string, expected?: string): never;
  text(pattern?: RegExp, expected?: string): string;
  /** One of some words. */
  word<Word extends string>(words: readonly Word[]): Word;
  flag(): boolean;
  number(minimum: number, maximum: number): number;
  integer(minimum: number, maximum: number): number;
  durationMs(minimum: number): number;
  bytes(): number;
  /** CPU time such as `1us`. */
  nanoseconds(): number;
  list(maximum?: number): ConfigNode[];
  /** A map of which every key must be among `keys`. */
  map<Key extends string>(keys: readonly Key[]): ConfigMap<Key>;
  /** A map with free keys. */
  entries(): { key: string; value: ConfigNode; unknown: (found: string, expected: string) => never }[];
}

/** A map whose keys have been checked. */
export interface ConfigMap<Key extends string> {
  readonly node: ConfigNode;
  /** The value, or null when the key is absent or empty. */
  get(key: Key): ConfigNode | null;
  /** The value; absent: RIV_CONFIG_MISSING. */
  need(key: Key): ConfigNode;
}

/**
 * Parses a YAML file.
 * @throws RIV_CONFIG_SYNTAX, RIV_TOO_LARGE
 */
export function readConfigFile(yaml: string, fileName: string): ConfigNode {
  if (yaml.length > CONFIG_BYTES_MAX)
    throw new RivuletError('RIV_TOO_LARGE', {
      found: `a configuration of ${yaml.length} bytes`,
      expected: `at most ${CONFIG_BYTES_MAX}`,
      where: fileName,
    });
  const lines = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2' });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${fileName}:${line}:${col}`;
  };
  const problem = document.errors[0];
  if (problem !== undefined)
    throw new RivuletError('RIV_CONFIG_SYNTAX', { found: problem.message, where: place(problem.pos[0]) });
  return rootOf(document, place);
}

/**
 * What a program says in the language of the configuration: as a file with it would be read, without parsing text.
 * @param where stands in errors where a file has its line
 */
export function configOf(value: object, where: string): ConfigNode {
  return rootOf(new Document(value), () => where);
}

/** @param place tells of an offset in the text where that is */
function rootOf(document: Document | Document.Parsed, place: (offset: number) => string): ConfigNode {
  function nodeOf(given: unknown, path: string, fallbackOffset: number): ConfigNode {
    const resolved = isAlias(given) ? given.resolve(document) : given;
    const value = resolved as ParsedNode | null | undefined;
    const offset = (given as Node | null)?.range?.[0] ?? fallbackOffset;
    const here = path === '' ? 'the configuration' : `\`${path}\``;

    function fail(code: ErrorCode, found: string, expected?: string): never {
      throw new RivuletError(code, { found, where: place(offset), ...(expected === undefined ? {} : { expected }) });
    }
    function wrong(expected: string): never {
      return fail('RIV_CONFIG_VALUE', `${here} is ${describe(value)}`, expected);
    }
    const scalar = (): unknown => (isScalar(value) ? value.value : undefined);

    const node: ConfigNode = {
      path,
      empty: value === null || value === undefined || (isScalar(value) && value.value === null),
      isMap: isMap(value),
      isList: isSeq(value),
      isText: (text) => scalar() === text,
      fail,
      text(pattern = /^/, expected = 'text') {
        const found = scalar();
        // `key: 5` is as good as `key: "5"` where text is wanted: take it as it was written.
        const text = typeof found === 'string' ? found : typeof found === 'number' ? sourceOf(value) : wrong(expected);
        return text.length <= TEXT_LENGTH_MAX && pattern.test(text) ? text : wrong(expected);
      },
      word(words) {
        const found = scalar();
        const word = words.find((candidate) => candidate === found);
        if (word !== undefined) return word;
        const near = typeof found === 'string' ? nearestName(found, words) : null;
        return wrong(`one of ${words.join(', ')}${near === null ? '' : ` (did you mean ${near}?)`}`);
      },
      flag() {
        const found = scalar();
        return typeof found === 'boolean' ? found : wrong('true or false');
      },
      number(minimum, maximum) {
        const found = scalar();
        return typeof found === 'number' && found >= minimum && found <= maximum
          ? found
          : wrong(`a number from ${minimum} to ${maximum}`);
      },
      integer(minimum, maximum) {
        const found = scalar();
        return Number.isInteger(found) && (found as number) >= minimum && (found as number) <= maximum
          ? (found as number)
          : wrong(`a whole number from ${minimum} to ${maximum}`);
      },
      durationMs(minimum) {
        const found = scalar();
        const expected = `a duration such as 250ms, 10s, 5m, 2h or 1d, from ${minimum}ms to 3660d`;
        const ms = found === 0 ? 0 : typeof found === 'string' ? orNull(() => parseDuration(found)) : null;
        return ms !== null && ms >= minimum && ms <= DURATION_MS_MAX ? ms : wrong(expected);
      },
      bytes() {
        const found = scalar();
        const text = typeof found === 'number' ? String(found) : found;
        const bytes = typeof text === 'string' ? orNull(() => parseBytes(text)) : null;
        return bytes ?? wrong('a size such as 64KB, 16MiB or 2GB');
      },
      nanoseconds() {
        const found = scalar();
        const ns = typeof found === 'string' ? orNull(() => parseNanoseconds(found)) : null;
        return ns ?? wrong('a time such as 50ns, 1us or 0.5ms, at most 1s');
      },
      list(maximum = LIST_LENGTH_MAX) {
        if (!isSeq(value)) return wrong('a list');
        if (value.items.length > maximum) return wrong(`at most ${maximum}`);
        return value.items.map((item, index) => nodeOf(item, `${path}[${index}]`, offset));
      },
      map(keys) {
        if (!isMap(value)) return wrong(`a map with ${keys.join(', ')}`);
        const found = new Map<string, ConfigNode>();
        for (const { key, value: child, unknown } of node.entries()) {
          if (!keys.some((known) => known === key)) {
            const near = nearestName(key, keys);
            unknown(
              `unknown key \`${key.slice(0, 64)}\` in ${here}`,
              near === null ? `one of ${keys.join(', ')}` : `\`${near}\` perhaps (known: ${keys.join(', ')})`,
            );
          }
          found.set(key, child);
        }
        return {
          node,
          get: (key) => {
            const child = found.get(key);
            return child === undefined || child.empty ? null : child;
          },
          need: (key) => found.get(key) ?? fail('RIV_CONFIG_MISSING', `${here} has no \`${key}\``),
        };
      },
      entries() {
        if (!isMap(value)) return wrong('a map');
        return value.items.map((pair) => {
          const keyNode = pair.key as ParsedNode | null;
          const key = isScalar(keyNode) ? keyNode.value : undefined;
          if (typeof key !== 'string' && typeof key !== 'number') return wrong('keys that are text');
          const childPath = path === '' ? String(key) : `${path}.${key}`;
          const keyOffset = keyNode?.range?.[0] ?? offset;
          return {
            key: String(key),
            value: nodeOf(pair.value, childPath, keyOffset),
            unknown: (found, expected) => {
              throw new RivuletError('RIV_CONFIG_UNKNOWN', { found, expected, where: place(keyOffset) });
            },
          };
        });
      },
    };
    return node;
  }
  return nodeOf(document.contents, '', 0);
}

/** A scalar as it stands in the file. */
function sourceOf(value: ParsedNode | null | undefined): string {
  if (!isScalar(value)) return '';
  return (value as { source?: string }).source ?? String(value.value);
}

function describe(value: ParsedNode | null | undefined): string {
  if (isMap(value)) return 'a map';
  if (isSeq(value)) return `a list of ${value.items.length}`;
  if (isScalar(value) && value.value !== null) return JSON.stringify(value.value)?.slice(0, 80) ?? 'empty';
  return 'empty';
}

function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof RivuletError) return null;
    throw thrown;
  }
}
