// Decoding of what the core puts out (FORMATS.md section 4): records back to back, as a union by kind.

import { type ByteReader, byteReader } from './bytes.ts';
import { RivuletError } from './errors.ts';

/** What every output has: which task or window it is of, and the id by which consumers drop repeats. */
interface Caused {
  /** Index of the task or window in the plan. */
  subject: number;
  /** Offset of the message that caused it, and which of its outputs this is. */
  offset: number;
  ordinal: number;
  /** `<offset>-<ordinal>`. */
  id: string;
}

/** A prediction as served. For a classification `value` is the probability of `class`. */
export interface Prediction extends Caused {
  kind: 'prediction';
  key: string;
  at: number;
  horizonMs: number;
  value: number;
  low: number;
  high: number;
  /** Mean errors of the task so far; NaN before the first label. */
  error: number;
  errorLastValue: number;
  /** Empty unless classification. */
  class: string;
  /** First 8 bytes of the release's hash in hex; null when the panel has none. */
  release: string | null;
}

/** A window's result. */
export interface WindowResult extends Caused {
  kind: 'window';
  key: string;
  field: string;
  start: number;
  end: number;
  /** Readings; 0: the window with this start is no more, its readings are in another. */
  count: number;
  revision: number;
  /** False when more results for this start may follow. */
  final: boolean;
  /** The numbers among the window's statistics, in their order; NaN where one is not defined. */
  values: number[];
  /** The lists among them: readings with their counts, or states with the time they began. */
  lists: [number, number][][];
}

/** Something unusual. */
export interface Alarm extends Caused {
  kind: 'alarm';
  key: string;
  at: number;
  value: number;
  expected: number;
  score: number;
}

/** Subject of a late reading that no window covers. */
export const NO_WINDOW = 65_535;

/** A reading that came after its window, the subject, had closed; one for each window that did not take it. */
export interface LateReading extends Caused {
  kind: 'late';
  key: string;
  field: string;
  time: number;
  value: number;
  watermark: number;
}

/** A message that could not be used: where it stands in the log and the core's code. */
export interface Quarantined extends Caused {
  kind: 'quarantine';
  source: number;
  code: number;
  /** Byte position of the packet in the payload of its block. */
  at: number;
  sequence: number;
  /** Where in the message what is wrong stands, as a JSON pointer (RFC 6901), cut at 1,024 characters; empty when that is not known. */
  path: string;
}

/** A reading that goes on as it is; the subject is the rule of forwarding. */
export interface Forwarded extends Caused {
  kind: 'forward';
  key: string;
  field: string;
  time: number;
  value: number;
}

/** Traced: a feature vector as it was served, with the id of the prediction that it is of. */
export interface ServedVector extends Caused {
  kind: 'served';
  key: string;
  at: number;
  /** Names it until its outcome. */
  slot: number;
  /** NaN is a missing value. */
  features: number[];
}

/** Traced: what became of a served vector; the ids are those of the message that settled it. */
export interface Outcome extends Caused {
  kind: 'outcome';
  slot: number;
  matured: boolean;
  /** The label: a number, or (then NaN) a class. */
  number: number;
  class: string;
}

/** A Sparkplug edge node that is to announce itself again: messages of it are missing, or what they hold was not announced. */
export interface Rebirth extends Caused {
  kind: 'rebirth';
  /** Where the node takes commands. */
  topic: string;
  /** Arrival of the message that showed it, epoch milliseconds. */
  at: number;
}

/** A message that says what other topics hold, as it came. */
export interface Announcement extends Caused {
  kind: 'announcement';
  topic: string;
  payload: Buffer;
}

/** A change that was found: the evidence, and what the plan says is to be done. */
export interface Drift extends Caused {
  kind: 'drift';
  /** The key at whose row it was found. */
  key: string;
  /** What had changed: `error`, `prediction`, `feature` or `multivariate`. */
  of: string;
  /** Empty unless a feature had. */
  feature: string;
  detector: string;
  at: number;
  /** Means before the change and since. */
  before: number;
  after: number;
  /** Values watched since the finding before, and how many of them the detector saw as one. */
  rows: number;
  batch: number;
  alert: boolean;
  sync: boolean;
}

/** Anything the core puts out. */
export type Output =
  | Prediction
  | WindowResult
  | Alarm
  | LateReading
  | Quarantined
  | Forwarded
  | Rebirth
  | Announcement
  | Drift
  | ServedVector
  | Outcome;

/** Longest key, field or class name: an MQTT topic is at most this long, and names are made of topics. */
const NAME_BYTES_MAX = 65_536;
/** Characters of a place in a message that are kept: its names are the sender's, as long as a payload may be. */
const PLACE_CHARS_MAX = 1024;

/** The kinds by their number in the format. */
const KINDS: readonly (Output['kind'] | undefined)[] = [
  undefined,
  'prediction',
  'window',
  'alarm',
  'late',
  'quarantine',
  'forward',
  'rebirth',
  'drift',
  'announcement',
];
/** Kinds of a trace have the highest bit. */
const TRACE_KINDS: readonly (Output['kind'] | undefined)[] = ['served', 'outcome'];
const TRACE = 128;

/** Says whether somebody wants outputs of a kind about a subject. */
export type Wanted = (kind: Output['kind'], subject: number) => boolean;

/**
 * Decodes records one by one; nothing of `bytes` is kept.
 * @param wanted records that nobody wants are passed over, which costs next to nothing; default: all are wanted
 * @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_CORRUPT
 */
export function* decodeOutputs(bytes: Uint8Array, wanted: Wanted = () => true): Generator<Output, void, void> {
  // One reader for all: there are hundreds of records in a batch.
  const reader = byteReader(bytes, 'the outputs');
  while (reader.remaining > 0) {
    const at = reader.at;
    const length = reader.u32();
    if (length < 4 || length > bytes.length - at)
      throw new RivuletError('RIV_CORRUPT', { found: `an output of ${length} bytes at byte ${at}` });
    const kind = reader.u8();
    reader.u8(); // flags: none defined in version 1
    const subject = reader.u16();
    const name = kind < TRACE ? KINDS[kind] : TRACE_KINDS[kind - TRACE];
    if (name === undefined || wanted(name, subject)) yield decodeRecord(reader, kind, subject, at + length);
    else reader.skip(Math.max(at + length - reader.at, 0));
    if (reader.at !== at + length)
      throw new RivuletError('RIV_CORRUPT', {
        found: `an output of ${reader.at - at} bytes at byte ${at}`,
        expected: `${length} bytes, as it says`,
      });
  }
}

function decodeRecord(reader: ByteReader, kind: number, subject: number, end: number): Output {
  const offset = reader.u64();
  const ordinal = reader.u32();
  const id = `${offset}-${ordinal}`;
  const name = () => reader.str(NAME_BYTES_MAX);
  // Object literals are evaluated in order: the fields below stand in the order of the format. They are written out since
  // spread objects cost several times as much, and a gateway makes hundreds a second.
  switch (kind) {
    case 1:
      return {
        kind: 'prediction',
        subject,
        offset,
        ordinal,
        id,
        key: name(),
        at: reader.f64(),
        horizonMs: reader.f64(),
        value: reader.f64(),
        low: reader.f64(),
        high: reader.f64(),
        error: reader.f64(),
        errorLastValue: reader.f64(),
        class: name(),
        release: releasePrefix(reader.raw(8)),
      };
    case 2:
      return {
        kind: 'window',
        subject,
        offset,
        ordinal,
        id,
        key: name(),
        field: name(),
        start: reader.f64(),
        end: reader.f64(),
        count: reader.u64(),
        revision: reader.u32(),
        final: reader.u8() !== 0,
        values: times(reader.u16(), () => reader.f64()),
        lists: times(reader.u16(), () => times(reader.u16(), () => [reader.f64(), reader.f64()])),
      };
    case 3:
      return {
        kind: 'alarm',
        subject,
        offset,
        ordinal,
        id,
        key: name(),
        at: reader.f64(),
        value: reader.f64(),
        expected: reader.f64(),
        score: reader.f64(),
      };
    case 4:
      return {
        kind: 'late',
        subject,
        offset,
        ordinal,
        id,
        key: name(),
        field: name(),
        time: reader.f64(),
        value: reader.f64(),
        watermark: reader.f64(),
      };
    case 5:
      return {
        kind: 'quarantine',
        subject,
        offset,
        ordinal,
        id,
        source: reader.u16(),
        code: reader.i32(),
        at: reader.u32(),
        sequence: reader.u64(),
        path: reader.at < end ? shortened(reader.str(end - reader.at)) : '', // cores of version 0.1.0 do not say it
      };
    case 6:
      return {
        kind: 'forward',
        subject,
        offset,
        ordinal,
        id,
        key: name(),
        field: name(),
        time: reader.f64(),
        value: reader.f64(),
      };
    case 7:
      return { kind: 'rebirth', subject, offset, ordinal, id, topic: name(), at: reader.f64() };
    case 8:
      return {
        kind: 'drift',
        subject,
        offset,
        ordinal,
        id,
        key: name(),
        of: name(),
        feature: name(),
        detector: name(),
        at: reader.f64(),
        before: reader.f64(),
        after: reader.f64(),
        rows: reader.u64(),
        batch: reader.u32(),
        ...driftFlags(reader.u8()),
      };
    case 9:
      return {
        kind: 'announcement',
        subject,
        offset,
        ordinal,
        id,
        topic: name(),
        payload: Buffer.from(reader.raw(reader.u32())),
      };
    case 128:
      return {
        kind: 'served',
        subject,
        offset,
        ordinal,
        id,
        key: name(),
        at: reader.f64(),
        slot: reader.u32(),
        features: numbers(reader),
      };
    case 129:
      return {
        kind: 'outcome',
        subject,
        offset,
        ordinal,
        id,
        slot: reader.u32(),
        matured: reader.u8() !== 0,
        number: reader.f64(),
        class: name(),
      };
    default:
      throw new RivuletError('RIV_FOREIGN', { found: `an output of kind ${kind}`, expected: '1 to 8, 128 or 129' });
  }
}

/** A place in a message, cut behind what fits: `…` says so. */
function shortened(place: string): string {
  return place.length > PLACE_CHARS_MAX ? `${place.slice(0, PLACE_CHARS_MAX - 1).toWellFormed()}…` : place;
}

function driftFlags(bits: number): Pick<Drift, 'alert' | 'sync'> {
  return { alert: (bits & 1) !== 0, sync: (bits & 2) !== 0 };
}

/** So many things, one after the other. */
function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function numbers(reader: ByteReader): number[] {
  const count = reader.u32();
  if (count * 8 > reader.remaining)
    throw new RivuletError('RIV_CORRUPT', { found: `an output of ${count} features in ${reader.remaining} bytes` });
  return Array.from({ length: count }, () => reader.f64());
}

function releasePrefix(bytes: Buffer): string | null {
  return bytes.every((byte) => byte === 0) ? null : bytes.toString('hex');
}
