/**
 * The decoders against a well-kept library of each format: what the library writes, the core reads, number for number, bit for
 * bit; and whatever bytes come, each message gets a fate. RIVULET_FUZZ_RUNS makes it longer; fast-check prints the seed of a failure.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { encode as msgpackEncode } from '@msgpack/msgpack';
import * as cborg from 'cborg';
import fc from 'fast-check';
import papaparse from 'papaparse';
import { describe, expect, it } from 'vitest';
import { foldMessages } from '../support/fold.ts';
import { encodeSparkplug } from './vectors.ts';

const RUNS = Number(process.env.RIVULET_FUZZ_RUNS ?? 40);
/** Beyond 1e100 nothing is read (FORMATS.md section 3). */
const number = fc.oneof(
  fc.double({ min: -1e100, max: 1e100, noNaN: true }),
  fc.integer(),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, 0.1, 2 ** 53 + 2, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e-300),
);
const noise = fc.oneof(
  number,
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.oneof(number, fc.string()), { maxLength: 4 }),
  fc.dictionary(fc.string(), fc.oneof(number, fc.string()), { maxKeys: 4, noNullPrototype: true }),
);
/** What stands around the number, in any order, under names that are not its own. */
const around = fc.dictionary(
  fc.string().filter((name) => name !== 'value' && name !== '__proto__'),
  noise,
  { maxKeys: 6, noNullPrototype: true },
);

interface Format {
  source: string;
  encode(value: number, around: Record<string, unknown>): Uint8Array;
}

const JSON_SOURCE = 'format: json, fields: { value: value }';
const json = (value: number, around: Record<string, unknown>): Buffer =>
  Buffer.from(JSON.stringify({ ...around, value }));
const FORMATS: Record<string, Format> = {
  json: { source: JSON_SOURCE, encode: json },
  'json with spaces': {
    source: JSON_SOURCE,
    encode: (value, around) => Buffer.from(JSON.stringify({ ...around, value }, null, 3)),
  },
  gzip: { source: `${JSON_SOURCE}, compression: auto`, encode: (value, around) => gzipSync(json(value, around)) },
  zstd: {
    source: `${JSON_SOURCE}, compression: auto`,
    encode: (value, around) => zstdCompressSync(json(value, around)),
  },
  number: { source: 'format: number, fields: { value: "" }', encode: (value) => Buffer.from(String(value)) },
  cbor: {
    source: 'format: cbor, fields: { value: value }',
    encode: (value, around) => cborg.encode({ ...around, value }),
  },
  msgpack: {
    source: 'format: msgpack, fields: { value: value }',
    encode: (value, around) => msgpackEncode({ ...around, value }),
  },
  csv: {
    source: 'format: csv, fields: { value: "[1]" }',
    encode: (value, around) => Buffer.from(papaparse.unparse([[JSON.stringify(around), value, 'end, "quoted"']])),
  },
  sparkplug: {
    source: 'format: sparkplug, fields: { "{metric}": value }, captures: { metric: name }',
    encode: (value, around) =>
      encodeSparkplug({
        seq: 0,
        metrics: [
          { name: 'bdSeq', type: 'UInt64', value: 1 },
          { name: 'note', type: 'String', value: JSON.stringify(around) },
          { name: 'value', alias: 1, type: 'Double', value },
        ],
      }),
  },
};

const topicOf = (index: number): string => `spBv1.0/g/NBIRTH/n${index}`;
const sourceOf = ({ source }: Format): string => `  - { topic: "spBv1.0/g/NBIRTH/{node}", key: "{node}", ${source} }`;

describe.each(Object.entries(FORMATS))('%s', (_, format) => {
  it('reads the very number that its library wrote', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, around), { minLength: 1, maxLength: 20 }), (cases) => {
        const messages = cases.map(([value, others], index) => ({
          topic: topicOf(index),
          payload: format.encode(value, others),
        }));
        const { readings } = foldMessages(sourceOf(format), messages);
        const read = new Map(readings.filter(({ field }) => field === 'value').map(({ key, value }) => [key, value]));
        for (const [index, [value]] of cases.entries()) {
          // JSON and decimal text have no negative zero that survives their writers.
          expect(read.get(`n${index}`), String(value)).toBe(Object.is(value, -0) ? read.get(`n${index}`) : value);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('gives every message a fate, whatever its bytes', () => {
    const damaged = fc
      .tuple(number, around, fc.nat(), fc.nat({ max: 255 }), fc.nat())
      .map(([value, others, at, byte, end]) => {
        const bytes = Buffer.from(format.encode(value, others));
        bytes[at % bytes.length] = byte;
        return bytes.subarray(0, end % 4 === 0 ? end % (bytes.length + 1) : bytes.length);
      });
    const payload = fc.oneof(
      damaged,
      fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(payload, { minLength: 1, maxLength: 20 }), (payloads) => {
        const messages = payloads.map((bytes, index) => ({ topic: topicOf(index), payload: bytes }));
        const { sources } = foldMessages(sourceOf(format), messages);
        const { received = 0, used = 0, quarantined = 0, filtered = 0 } = sources[0] ?? {};
        expect(received).toBe(payloads.length);
        expect(used + quarantined + filtered).toBe(received);
      }),
      { numRuns: RUNS },
    );
  });
});
