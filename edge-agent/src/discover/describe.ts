/** From what was heard to a configuration that `rivulet run` takes, with comments for people. */
import { type Core, type Entity, entities, type NotRead, parseConfig, RivuletError } from '@rivulet/host';
import type { Heard, Listening } from './listen.ts';
import { type Recognised, recognise } from './recognise.ts';
import { type Guess, guess, type Unmapped } from './unknown.ts';

/** Of what could not be mapped and of examples this much is shown. */
const EXAMPLE_CHARACTERS = 100;
const UNMAPPED_SHOWN_MAX = 50;
const TOPICS_SHOWN_MAX = 3;

export interface Description {
  yaml: string;
  /** Topics with a source, and those without. */
  mapped: number;
  unmapped: number;
}

/**
 * Describes what was heard at `url`.
 * @throws RIV_NOT_FOUND when there is nothing to make a source of
 */
export function describe(core: Core, listening: Listening, where: { url: string; nowMs: number }): Description {
  const { topics, seconds } = listening;
  const announced = entities(topics);
  const own = topics.filter((heard) => !announced.announcing.includes(heard));
  const recognised = recognise(core, own, where.nowMs);
  const known = new Set(recognised.flatMap(({ topics, silent }) => [...topics, ...silent]));
  const rest = own.filter((heard) => !known.has(heard));
  const said = announcedSources(announced.entities, rest);
  const { guesses, unmapped } = guess(
    rest.filter((heard) => !said.some(({ topics }) => topics.includes(heard))),
    where.nowMs,
  );
  const units = unitsOf(announced.entities);
  const sources = [
    ...recognised.map((found) => presetSource(found, seconds, units)),
    ...[...said, ...guesses].map((found) => plainSource(found, seconds, units)),
  ];
  if (sources.length === 0) {
    throw new RivuletError('RIV_NOT_FOUND', {
      found: `${topics.length} topics in ${seconds} s, and no number on any of them`,
      where: where.url,
      todo: 'Listen longer with --seconds, or elsewhere with --topic.',
    });
  }
  const mapped = topics.length - unmapped.length;
  const yaml = [
    `# What was heard at ${where.url} in ${seconds} s: ${topics.length} topics, ${mapped} of them known or readable.`,
    ...(listening.more > 0 ? [`# More topics than are looked at: ${listening.more} messages were passed over.`] : []),
    'gateway: my-gateway',
    `mqtt: { url: ${JSON.stringify(where.url)} }`,
    'sources:',
    ...sources.flat(),
    ...unmappedLines(unmapped),
    ...notReadLines(announced.notRead),
    '',
  ].join('\n');
  parseConfig(yaml, 'what was discovered'); // What is printed here runs.
  return { yaml, mapped, unmapped: unmapped.length };
}

/** Sources for topics whose numbers Home Assistant was told of. */
function announcedSources(all: readonly Entity[], rest: readonly Heard[]): Guess[] {
  return rest.flatMap((heard) => {
    const own = all.filter(({ topic }) => topic === heard.topic);
    const first = own[0];
    if (first === undefined) return [];
    const fields = [...new Map(own.map((one) => [one.field, { name: one.field, ...one }])).values()].slice(0, 60);
    const format = own.every(({ path }) => path === '') ? 'number' : 'json';
    const key = (first.device ?? heard.topic).replaceAll(/[{}]/g, '');
    return [{ topic: heard.topic, format, key, fields, time: null, seq: null, topics: [heard] }];
  });
}

/** Units by topic and field. */
function unitsOf(all: readonly Entity[]): (heard: readonly Heard[]) => Map<string, string> {
  return (heard) => {
    const topics = new Set(heard.map(({ topic }) => topic));
    return new Map(
      all.flatMap(({ topic, field, unit }) => (topics.has(topic) && unit !== null ? [[field, unit]] : [])),
    );
  };
}

type Units = ReturnType<typeof unitsOf>;

function presetSource({ preset, base, topics, silent }: Recognised, seconds: number, units: Units): string[] {
  const said = [...units(topics)].map(([field, unit]) => `${field} in ${unit}`);
  const passed = silent.length > 0 ? `; ${silent.length} more are its own business` : '';
  return [
    `  # ${topics.length} topics such as ${shown(topics)}${passed}; ${rate(topics, seconds)}`,
    ...(said.length > 0 ? [comment(`units, as announced: ${said.join(', ')}`)] : []),
    ...(preset === 'tasmota'
      ? ['  # times are local: say whose with `zone: Europe/Berlin`; without, arrival counts']
      : []),
    `  - { preset: ${preset}, name: ${quoted(base === '' ? preset : `${preset} ${base}`)}, base: ${quoted(base)} }`,
  ];
}

function plainSource(found: Guess, seconds: number, units: Units): string[] {
  const { topic, topics, key, fields, format, time, seq } = found;
  const unit = units(topics);
  return [
    `  # ${topics.length} topics such as ${shown(topics)}; ${rate(topics, seconds)}`,
    comment(`for example ${example(topics[0]?.samples.at(-1))}`),
    `  - topic: ${quoted(literal(topic, key))}`,
    `    format: ${format}`,
    ...(key === null ? [] : [`    key: ${quoted(key)}`]),
    ...(fields.length > 0 ? ['    fields:'] : []),
    ...fields.map(({ name, path, values, scale = 1, offset = 0 }) => {
      const said = unit.get(name);
      const linear = scale === 1 && offset === 0 ? '' : `, scale: ${scale}, offset: ${offset}`;
      const words = values ? `, values: ${JSON.stringify(values)}` : '';
      const reads = linear + words === '' ? quoted(path) : `{ path: ${quoted(path)}${linear}${words} }`;
      return `      ${quoted(name)}: ${reads}${said === undefined ? '' : ` # ${printable(said)}`}`;
    }),
    ...(time === null ? [] : [`    time: ${quoted(time)} # the device's own`]),
    ...(time === null && format === 'json' ? ['    # no time in it: messages are of their arrival'] : []),
    ...(seq === null ? [] : [`    seq: ${quoted(seq)} # counts up by one: what comes twice is told`]),
    '    nothing: filter',
  ];
}

/** A topic without captures may hold braces that are its own: `+` takes such a level. */
function literal(topic: string, key: string | null): string {
  return key === null || /^[^{]*$/.test(key)
    ? topic
        .split('/')
        .map((level) => (/[{}+#]/.test(level) && level !== '{field}' ? '+' : level))
        .join('/')
    : topic;
}

function unmappedLines(unmapped: readonly Unmapped[]): string[] {
  if (unmapped.length === 0) return [];
  return [
    '',
    `# Not mapped: ${unmapped.length} topics.`,
    ...unmapped
      .slice(0, UNMAPPED_SHOWN_MAX)
      .map(({ heard, why }) => `# ${printable(heard.topic)}: ${why}, for example ${example(heard.samples.at(-1))}`),
    ...(unmapped.length > UNMAPPED_SHOWN_MAX ? [`# … and ${unmapped.length - UNMAPPED_SHOWN_MAX} more`] : []),
  ];
}

function notReadLines(notRead: readonly NotRead[]): string[] {
  if (notRead.length === 0) return [];
  return [
    '',
    `# Announced to Home Assistant and not read: ${notRead.length} entities.`,
    ...notRead.slice(0, UNMAPPED_SHOWN_MAX).map(({ topic, why }) => comment(`${topic}: ${why}`).trimStart()),
    ...(notRead.length > UNMAPPED_SHOWN_MAX ? [`# … and ${notRead.length - UNMAPPED_SHOWN_MAX} more`] : []),
  ];
}

function rate(topics: readonly Heard[], seconds: number): string {
  const live = topics.reduce((sum, heard) => sum + heard.live, 0);
  if (live === 0) return 'kept messages only, nothing live';
  const every = (seconds * topics.length) / live;
  return `${live} messages, each topic about every ${every < 1 ? `${Math.max(1, Math.round(every * 1000))} ms` : `${Math.round(every)} s`}`;
}

function shown(topics: readonly Heard[]): string {
  return topics
    .slice(0, TOPICS_SHOWN_MAX)
    .map(({ topic }) => printable(topic))
    .join(', ');
}

/** What a device sent, for the eye: printable ASCII on one line, or hexadecimal. */
function example(payload: Buffer | undefined): string {
  if (payload === undefined || payload.length === 0) return 'nothing';
  const text = payload.toString('latin1');
  const isText = /^[\s\x20-\x7e]*$/.test(text);
  const whole = isText ? printable(text) : `0x${payload.toString('hex')}`;
  return whole.length > EXAMPLE_CHARACTERS ? `${whole.slice(0, EXAMPLE_CHARACTERS)}…` : whole;
}

function comment(text: string): string {
  return `  # ${printable(text)}`;
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e°µ³²Ω]/g, '.');
}

/** A YAML scalar that is text whatever it holds. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
