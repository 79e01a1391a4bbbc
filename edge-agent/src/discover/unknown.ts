/** Topics of no known publisher: those that look alike become one source, the levels in which they differ its captures. */
import { lastName } from '@rivulet/host';
import type { Heard } from './listen.ts';
import { type Looks, look } from './payload.ts';

/** A source that was made from looks. */
export interface Guess {
  /** A topic pattern; its captures are the levels in which the topics differ. */
  topic: string;
  format: 'json' | 'number' | 'influx' | 'senml';
  key: string | null;
  /** `values`: words that stand for a number; `scale` and `offset`: what the number that is meant is made of. */
  fields: { name: string; path: string; values?: Record<string, number> | null; scale?: number; offset?: number }[];
  time: string | null;
  seq: string | null;
  topics: Heard[];
}

export interface Unmapped {
  heard: Heard;
  why: string;
}

/** Names that say what is measured: a last level with such a name is a field. */
const FIELD_NAMES =
  /temp|humid|press|volt|current|power|energy|co2|pm2|pm10|lux|light|batt|rssi|level|flow|speed|rpm|state|status|value|count/i;

/** What the topics that nobody knows look like. */
export function guess(topics: readonly Heard[], nowMs: number): { guesses: Guess[]; unmapped: Unmapped[] } {
  const groups = new Map<string, { looks: Looks; topics: Heard[] }>();
  const unmapped: Unmapped[] = [];
  for (const heard of topics) {
    const looks = look(heard.samples, nowMs);
    if (looks.format === null) {
      unmapped.push({ heard, why: looks.why });
      continue;
    }
    const levels = heard.topic.split('/');
    const fields = looks.format === 'json' ? looks.fields : [];
    const alike = [looks.format, levels.length, levels[0], fields.join(), 'time' in looks ? looks.time : ''].join('\n');
    const group = groups.get(alike) ?? { looks, topics: [] };
    group.topics.push(heard);
    groups.set(alike, group);
  }
  const guesses = [...groups.values()].flatMap(({ looks, topics }) => sourcesOf(looks, topics));
  return { guesses: apart(guesses), unmapped };
}

function sourcesOf(looks: Looks, topics: Heard[]): Guess[] {
  if (looks.format === null) return [];
  const split = topics.map(({ topic }) => topic.split('/'));
  const first = split[0] as string[];
  const differ = first.flatMap((level, index) => (split.every((levels) => levels[index] === level) ? [] : [index]));
  // A value per topic: its last level says which, if it looks like it or if the levels before tell things apart.
  const lastIndex = first.length - 1;
  const byField =
    looks.format === 'number' &&
    (differ.length > 1
      ? differ.includes(lastIndex)
      : split.every((levels) => FIELD_NAMES.test(levels[lastIndex] ?? '')));
  const things = differ.filter((index) => !(byField && index === lastIndex));
  const names = new Map(things.map((index, place) => [index, things.length === 1 ? 'device' : `level${place + 1}`]));
  if (byField && differ.includes(lastIndex)) names.set(lastIndex, 'field');
  const topic = first.map((level, index) => (names.has(index) ? `{${names.get(index)}}` : level)).join('/');
  const captured = things.map((index) => `{${names.get(index)}}`).join('/');
  const key = captured === '' ? null : captured;
  return [{ topic, key, ...reads(looks, byField, first), topics }];
}

function reads(looks: Looks, byField: boolean, levels: string[]): Pick<Guess, 'format' | 'fields' | 'time' | 'seq'> {
  const none = { fields: [], time: null, seq: null };
  switch (looks.format) {
    case 'json':
      return { format: 'json', ...named(looks.fields), time: looks.time, seq: looks.seq };
    case 'number': {
      const name = byField && levels.length > 1 ? '{field}' : 'value';
      return { format: 'number', ...none, fields: [{ name, path: '' }] };
    }
    default:
      return { format: looks.format === 'senml' ? 'senml' : 'influx', ...none };
  }
}

/** Fields by the last step of their path; where that is not one of a kind, by all of it. */
function named(paths: readonly string[]): { fields: { name: string; path: string }[] } {
  const count = (name: string): number => paths.filter((path) => lastName(path) === name).length;
  return {
    fields: paths.map((path) => {
      const short = lastName(path).replaceAll(/[{}]/g, '');
      const long = path.replaceAll(/[.[\]']+/g, '_').replaceAll(/[{}]|_$/g, '');
      return { name: (count(short) === 1 ? short : long) || 'value', path };
    }),
  };
}

/** A source whose topics another one would take too names its own one by one. */
function apart(guesses: readonly Guess[]): Guess[] {
  const filter = (topic: string): string => topic.replaceAll(/\{[^}]*\}/g, '+');
  return guesses.flatMap((guess) => {
    const clash = guesses.some((other) => other !== guess && filter(other.topic) === filter(guess.topic));
    if (!clash || guess.topics.length === 1) return [guess];
    return guess.topics.map((heard) => ({
      ...guess,
      topic: heard.topic,
      key: null,
      fields: guess.fields.map((field) => ({
        ...field,
        name: field.name.replace('{field}', heard.topic.split('/').at(-1) ?? 'value'),
      })),
      topics: [heard],
    }));
  });
}
