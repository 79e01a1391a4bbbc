/**
 * The decoders against a well-kept library of each format: what the library writes, the core reads, number for number, bit for
 * bit; and whatever bytes come, each message gets a fate. RIVULET_FUZZ_RUNS makes it longer; fast-check prints the seed of a failure.
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Point } from '@influxdata/influxdb-client';
import { encode as msgpackEncode } from '@msgpack/msgpack';
import * as cborg from 'cborg';
import fc from 'fast-check';
import papaparse from 'papaparse';
import { describe, expect, it } from 'vitest';
import { ARRIVAL_MS, foldMessages } from '../support/fold.ts';
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
  influx: {
    source: 'format: influx, fields: { value: fields.value }',
    encode: (value, around) => {
      const point = new Point('weather, of =all').tag('ta g', 'a,b c=d').floatField('value', value);
      for (const [name, other] of Object.entries(around)) {
        if (/^[a-z]+$/i.test(name)) point.stringField(name, JSON.stringify(other));
      }
      return Buffer.from(point.timestamp(`${ARRIVAL_MS}000000`).toLineProtocol() ?? '');
    },
  },
  'senml in json': {
    source: 'format: senml, fields: { value: "[?n=value].v" }',
    encode: (value, around) =>
      Buffer.from(
        JSON.stringify([
          { n: 'note', vs: JSON.stringify(around) },
          { n: 'value', v: value },
        ]),
      ),
  },
  'senml in cbor': {
    source: 'format: senml, fields: { value: "[?n=value].v" }',
    encode: (value, around) => {
      const note = new Map<number, unknown>([
        [0, 'note'],
        [3, JSON.stringify(around)],
      ]);
      const record = new Map<number, unknown>([
        [0, 'value'],
        [2, value],
      ]);
      return cborg.encode([note, record]);
    },
  },
  binary: {
    source: 'format: { binary: { values: { value: { at: 3, type: f64, endian: little } } } }, fields: { value: value }',
    encode: (value) => {
      const bytes = Buffer.alloc(11);
      bytes.writeDoubleLE(value, 3);
      return bytes;
    },
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

/** The one reading of each payload, in their order; NaN where there is none. */
function valuesOf(source: string, payloads: readonly Uint8Array[]): number[] {
  const messages = payloads.map((payload, index) => ({ topic: `a/${index}`, payload }));
  const { readings } = foldMessages(`  - { topic: "a/{n}", key: "{n}", ${source} }`, messages);
  const byKey = new Map(readings.map(({ key, value }) => [key, value]));
  return payloads.map((_, index) => byKey.get(String(index)) ?? Number.NaN);
}

/** Decimal text where rounding is hard: between two numbers, near the smallest ones, with more digits than count. */
const decimal = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$/),
  fc
    .tuple(
      fc.double({ min: 1e-300, max: 1e99, noNaN: true }),
      fc.constantFrom('', '5', '49999999999999', '50000000000001'),
    )
    .map(([value, more]) => {
      const [digits = '', exponent = '0'] = value.toExponential(20).split('e');
      return `${digits}${more}e${exponent}`;
    }),
  fc.bigInt({ min: 2n ** 52n, max: 2n ** 64n - 1n }).map(String),
  fc.constantFrom(
    ...['9007199254740993', '9007199254740992.5', '4.9406564584124654e-324', '2.4703282292062327e-324', '1e-400'],
    ...['2.2250738585072011e-308', '0.1e-6', '-0', '1.00000000000000011102230246251565404236316680908203125', '8.5e99'],
  ),
);

describe('decimal text', () => {
  it.each([
    ['number', 'format: number, fields: { value: "" }', (text: string) => text],
    ['json', JSON_SOURCE, (text: string) => `{"value":${text}}`],
    ['csv', 'format: csv, fields: { value: "[0]" }', (text: string) => text],
    ['influx', 'format: influx, fields: { value: fields.value }', (text: string) => `m value=${text}`],
  ])('of %s is rounded as Number() rounds it', (_, source, payload) => {
    fc.assert(
      fc.property(fc.array(decimal, { minLength: 1, maxLength: 30 }), (texts) => {
        const read = valuesOf(
          source,
          texts.map((text) => Buffer.from(payload(text))),
        );
        expect(read).toEqual(
          texts.map((text) => bounded(Number(text))).map((value) => (value === 0 ? expect.closeTo(0, 320) : value)),
        );
      }),
      { numRuns: RUNS },
    );
  });
});

describe('json', () => {
  it.each([
    ['{"value":1,"value":2}', 2],
    ['{"value":1e999}', Number.NaN],
    ['{"value":-1e400}', Number.NaN],
    ['{"value":NaN}', Number.NaN],
    ['{"value":Infinity}', Number.NaN],
    // RFC 8259 §8.1 lets a reader pass over one byte order mark.
    ['\uFEFF{"value":1}', 1],
    ['{"value":1}\uFEFF', Number.NaN],
    ['{"value":1,"s":"\\ud800"}', Number.NaN],
    ['{"value":1,"s":"\\ud83d\\ude00"}', 1],
    [`{"x":${'['.repeat(65)}${']'.repeat(65)},"value":1}`, Number.NaN],
    [`{"x":${'['.repeat(64)}${']'.repeat(64)},"value":1}`, 1],
    ['{"value":18446744073709551617}', 2 ** 64],
    ['{"value":"0x10"}', Number.NaN],
    ['{"value":1}\u0000', Number.NaN],
  ])('%s', (text, value) => {
    expect(valuesOf(JSON_SOURCE, [Buffer.from('{"value":7}'), Buffer.from(text)])).toEqual([7, value]);
  });

  it('reads what JSON.parse reads, in payloads of one shape and of many', () => {
    const template = fc.constantFrom(
      (value: string, other: string) => `{"other":${other},"value":${value}}`,
      (value: string, other: string) => `{"value":${value},"other":${other},"n":[${other},{"value":${other}}]}`,
      (value: string, other: string) => ` { "other" : ${other} , "value" : ${value} } `,
    );
    const scalar = fc.oneof(decimal, fc.json({ maxDepth: 1 }), fc.stringMatching(/^[-+.0-9eE"{}[\],: tf]{0,6}$/));
    const text = fc.tuple(template, scalar, scalar).map(([make, value, other]) => make(value, other));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 30 }), (texts) => {
        const read = valuesOf(
          JSON_SOURCE,
          texts.map((one) => Buffer.from(one)),
        );
        for (const [index, one] of texts.entries()) {
          const wanted = parsedValue(one);
          expect(read[index], one).toBe(wanted === 0 ? read[index] : wanted);
          expect(Number.isNaN(read[index]), one).toBe(Number.isNaN(wanted));
        }
      }),
      { numRuns: RUNS },
    );
  });
});

/** The reading that JSON.parse finds: a number that something can measure, a truth value, or text of a decimal number. */
function parsedValue(text: string): number {
  let value: unknown;
  try {
    value = (JSON.parse(text) as { value?: unknown }).value;
  } catch {
    return Number.NaN;
  }
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'string')
    return /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value) ? bounded(Number(value)) : Number.NaN;
  return typeof value === 'number' ? bounded(value) : Number.NaN;
}

function bounded(value: number): number {
  return Math.abs(value) <= 1e100 ? value : Number.NaN;
}

describe('senml', () => {
  /** A sum beyond 1e100 refuses the whole pack. */
  const summand = number.filter((value) => Math.abs(value) <= 1e99);

  it('adds base names and base values as RFC 8428 does', () => {
    const record = fc.record(
      {
        bn: fc.constantFrom('a', 'b'),
        bv: summand,
        n: fc.constantFrom('', 'x', 'y'),
        v: summand,
      },
      { requiredKeys: ['v'] },
    );
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 12 }), (records) => {
        const pack: { bn?: string; bv?: number; n?: string; v: number }[] = [{ bn: 'a', n: 'first', v: 0 }, ...records];
        let [bn, bv] = ['', 0];
        const wanted = new Map<string, number>();
        for (const one of pack) {
          bn = one.bn ?? bn;
          bv = one.bv ?? bv;
          // Of the readings of one name, all at the same time, the last counts.
          wanted.set(`${bn}${one.n ?? ''}`, bv + one.v);
        }
        const source = '  - { topic: a, format: senml, key: "{name}", fields: { value: v }, captures: { name: name } }';
        for (const payload of [Buffer.from(JSON.stringify(pack)), cborg.encode(pack.map(labelled))]) {
          const { readings } = foldMessages(source, [{ topic: 'a', payload }]);
          const read = new Map(readings.map(({ key, value }) => [key, value + 0]));
          for (const [name, value] of wanted) {
            expect(read.get(name), name).toBe(value + 0);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });
});

/** A record with the labels of RFC 8428 section 6. */
function labelled(record: object): Map<number, unknown> {
  const labels: Record<string, number> = { bn: -2, bv: -5, n: 0, v: 2 };
  return new Map(Object.entries(record).map(([name, value]) => [labels[name] as number, value]));
}

describe('binary layouts', () => {
  const TYPES = ['u8', 'u16', 'u32', 'i8', 'i16', 'i32', 'f32', 'f64', 'u64', 'i64'] as const;
  const SIZES = { '8': 1, '16': 2, '32': 4, '64': 8 } as const;
  const KINDS = { u: 'Uint', i: 'Int', f: 'Float' } as const;

  it('give what a DataView gives', () => {
    const cases = fc.tuple(
      fc.constantFrom(...TYPES),
      fc.boolean(),
      fc.nat({ max: 4 }),
      fc.array(fc.uint8Array({ minLength: 12, maxLength: 14 }), { minLength: 1, maxLength: 12 }),
    );
    fc.assert(
      fc.property(cases, ([type, little, at, payloads]) => {
        const bits = type.slice(1) as keyof typeof SIZES;
        const kind = KINDS[type[0] as keyof typeof KINDS];
        const method = `get${bits === '64' && kind !== 'Float' ? 'Big' : ''}${kind}${bits}` as 'getUint16';
        const endian = little ? 'little' : 'big';
        const values = `{ value: { at: ${at}, type: ${type}, endian: ${endian} } }`;
        const read = valuesOf(
          `format: { binary: { length: any, values: ${values} } }, fields: { value: value }`,
          payloads,
        );
        for (const [index, bytes] of payloads.entries()) {
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
          const wanted = bounded(Number(view[method](at, little)));
          expect(read[index]).toBe(wanted === 0 ? read[index] : wanted);
        }
      }),
      { numRuns: RUNS },
    );
  });
});
