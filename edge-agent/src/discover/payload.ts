/** What an unknown payload looks like: its format, and in JSON the numbers in it, the time and the counter. */

import { lastName } from '@rivulet/host';

/** How a topic's payloads are laid out. */
export type Looks =
  | { format: 'number' }
  | { format: 'json'; fields: string[]; time: string | null; seq: string | null }
  | { format: 'influx' | 'senml' }
  | { format: null; why: string };

/** Names that times and counters have. */
const TIME_NAMES = /^(ts|time|timestamp|datetime|date|date_time|created_at|measured_at|recorded_at|event_?time|utc)$/i;
const COUNTER_NAMES = /^(seq|sequence|seq_?no|counter|fcnt|f_cnt|msg_?id|message_?id|packet_?id|n)$/i;
/** Numbers are taken for times when they are this near to now, whatever they count. */
const NEAR_MS = 2 * 366 * 86_400_000;
const LINE = /^[^\s,=]+(,[^\s=]+=[^\s]+)* [^\s=]+=("[^"]*"|[^\s,]+)(,[^\s=]+=("[^"]*"|[^\s,]+))*( -?\d+)?\s*$/;
/** Nesting and fields that are looked at. */
const DEPTH_MAX = 8;
const FIELDS_MAX = 62;

/** What the samples of a topic have in common. */
export function look(samples: readonly Buffer[], nowMs: number): Looks {
  const texts = samples.map((sample) => sample.toString('utf8'));
  if (texts.length === 0) return { format: null, why: 'no payload' };
  if (samples.some((sample, index) => !Buffer.from(texts[index] as string).equals(sample)))
    return { format: null, why: 'no text' };
  if (texts.every((text) => isNumber(text.trim()))) return { format: 'number' };
  const values = texts.map(parse);
  if (values.every((value) => value !== undefined)) return lookAtJson(values, nowMs);
  return texts.every((text) => text.split('\n').every((line) => line === '' || LINE.test(line)))
    ? { format: 'influx' }
    : { format: null, why: 'neither JSON nor a number' };
}

function lookAtJson(values: readonly unknown[], nowMs: number): Looks {
  if (values.every(isSenml)) return { format: 'senml' };
  const leaves = new Map<string, unknown[]>();
  for (const value of values) collect(value, '', 0, leaves);
  const time = [...leaves].find(
    ([path, found]) => TIME_NAMES.test(lastName(path)) && found.every((at) => isTime(at, nowMs)),
  );
  const seq = [...leaves].find(
    ([path, found]) =>
      COUNTER_NAMES.test(lastName(path)) &&
      found.length > 2 &&
      found.every((n, i) => i === 0 || n === Number(found[i - 1]) + 1),
  );
  const fields = [...leaves]
    .filter(([path, found]) => path !== time?.[0] && path !== seq?.[0] && found.some(isReading))
    .map(([path]) => path);
  return fields.length === 0
    ? { format: null, why: 'no number in it' }
    : { format: 'json', fields: fields.slice(0, FIELDS_MAX), time: time?.[0] ?? null, seq: seq?.[0] ?? null };
}

/** The scalars of a value by their path. */
function collect(value: unknown, path: string, depth: number, leaves: Map<string, unknown[]>): void {
  if (typeof value !== 'object' || value === null) {
    leaves.set(path, [...(leaves.get(path) ?? []), value]);
  } else if (depth < DEPTH_MAX && !Array.isArray(value)) {
    for (const [name, child] of Object.entries(value))
      collect(child, path + step(name, path === ''), depth + 1, leaves);
  }
}

function step(name: string, first: boolean): string {
  if (/^[^.[\]{}'*\s][^.[\]{}'\s]*$/.test(name)) return first ? name : `.${name}`;
  return `['${name}']`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isNumber(text: string): boolean {
  return text === 'true' || text === 'false' || (text !== '' && Number.isFinite(Number(text)));
}

function isReading(value: unknown): boolean {
  return (
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value))
  );
}

function isTime(value: unknown, nowMs: number): boolean {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\d[T ]/.test(value)) return Number.isFinite(Date.parse(value));
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number !== 'number') return false;
  return [1000, 1, 1e-3, 1e-6].some((factor) => Math.abs(number * factor - nowMs) < NEAR_MS);
}

function isSenml(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((record) => typeof record === 'object' && record !== null && ('n' in record || 'bn' in record))
  );
}
