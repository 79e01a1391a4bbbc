/**
 * The payloads of the decode bench: one reading of a weather station in every format, as its publishers lay it out, and what a
 * program in JavaScript does with it to get at the same: the numbers of the declared fields, and the time where the payload has it.
 */
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decode as msgpackDecode, encode as msgpackEncode } from '@msgpack/msgpack';
import * as cborg from 'cborg';
import papaparse from 'papaparse';
import { decodeSparkplug, encodeSparkplug } from '../../presets/vectors.ts';

export interface DecodeCase {
  name: string;
  /** The source's format and whatever else it says, as YAML flow. */
  source: string;
  /** Its fields and their paths. */
  fields: Record<string, string>;
  /** Message `n`. */
  payload(n: number, timeMs: number): Uint8Array;
  /** The usual way in JavaScript; null where no library is usual: then the same reading as JSON stands for it. */
  library: { name: string; read(payload: Buffer): void } | null;
}

/** Where JavaScript puts what it has read: numbers, as the core's series hold them. Sums, so that nothing is optimised away. */
export const taken = { values: 0, times: 0 };

/** Takes one reading; `time` is epoch milliseconds as a number, or absent. */
function take(value: unknown, time?: unknown): void {
  const [number, ms] = [Number(value), time === undefined ? 0 : Number(time)];
  if (!Number.isFinite(number) || !Number.isFinite(ms)) throw new Error(`no reading: ${value} at ${time}`);
  taken.values += number;
  taken.times += ms;
}

interface Station {
  station: string;
  ts: number;
  temperature: number;
  humidity: number;
  pressure: number;
  wind: { speed: number; direction: number };
  battery: number;
  ok: boolean;
}

function station(n: number, timeMs: number): Station {
  return {
    station: 'roof-7',
    ts: timeMs,
    temperature: Math.round(2150 + 400 * Math.sin(n / 50)) / 100,
    humidity: 40 + (n % 300) / 10,
    pressure: 1013.25,
    wind: { speed: (n % 170) / 10, direction: n % 360 },
    battery: 3.71,
    ok: true,
  };
}

const json = (n: number, timeMs: number): Buffer => Buffer.from(JSON.stringify(station(n, timeMs)));
const parse = (payload: Buffer): Station => JSON.parse(payload.toString());

/** One field of a station, by any decoder. */
const one = ({ temperature, ts }: Station): void => take(temperature, ts);

/** The same reading as JSON, for JSON.parse beside every format. */
export function asJson(n: number, timeMs: number): Buffer {
  return json(n, timeMs);
}

/** What a program does with it. */
export function readJson(payload: Buffer): void {
  one(parse(payload));
}

/** A SenML pack of one time: the record of this name with its base fields. */
function readSenml(payload: Buffer, wanted: string): void {
  let [base, time] = [0, 0];
  for (const record of JSON.parse(payload.toString()) as {
    bt?: number;
    t?: number;
    bv?: number;
    n?: string;
    v?: number;
  }[]) {
    time = record.bt ?? time;
    base = record.bv ?? base;
    if (record.n === wanted) take(base + (record.v ?? 0), (time + (record.t ?? 0)) * 1000);
  }
}
const temperature = { temperature: 'temperature' };

export const CASES: readonly DecodeCase[] = [
  {
    name: 'json',
    source: 'format: json, time: ts',
    fields: temperature,
    payload: json,
    library: { name: 'JSON.parse', read: readJson },
  },
  {
    name: 'json, all its numbers',
    source: 'format: json, time: ts',
    fields: {
      ...temperature,
      ...{ humidity: 'humidity', pressure: 'pressure', speed: 'wind.speed', direction: 'wind.direction' },
      ...{ battery: 'battery', ok: 'ok' },
    },
    payload: json,
    library: {
      name: 'JSON.parse',
      read: (payload) => {
        const { ts, temperature, humidity, pressure, wind, battery, ok } = parse(payload);
        take(temperature, ts);
        for (const value of [humidity, pressure, wind.speed, wind.direction, battery, ok]) take(value);
      },
    },
  },
  {
    name: 'number',
    source: 'format: number',
    fields: { temperature: '' },
    payload: (n, timeMs) => Buffer.from(String(station(n, timeMs).temperature)),
    library: { name: 'Number', read: (payload) => take(payload.toString()) },
  },
  {
    name: 'cbor',
    source: 'format: cbor, time: ts',
    fields: temperature,
    payload: (n, timeMs) => cborg.encode(station(n, timeMs)),
    library: { name: 'cborg', read: (payload) => one(cborg.decode(payload)) },
  },
  {
    name: 'msgpack',
    source: 'format: msgpack, time: ts',
    fields: temperature,
    payload: (n, timeMs) => msgpackEncode(station(n, timeMs)),
    library: { name: '@msgpack/msgpack', read: (payload) => one(msgpackDecode(payload) as Station) },
  },
  {
    name: 'senml',
    source: 'format: senml, time: t',
    fields: { temperature: '[?n=temperature].v' },
    payload: (n, timeMs) => {
      const { temperature, humidity, pressure } = station(n, timeMs);
      const [first, ...more] = Object.entries({ temperature, humidity, pressure });
      const base = { bn: 'urn:dev:roof-7:', bt: timeMs / 1000, n: first?.[0], v: first?.[1] };
      return Buffer.from(JSON.stringify([base, ...more.map(([name, v]) => ({ n: name, v }))]));
    },
    library: { name: 'JSON.parse, base fields', read: (payload) => readSenml(payload, 'temperature') },
  },
  {
    name: 'influx',
    source: 'format: influx, time: time',
    fields: { temperature: 'fields.temperature' },
    payload: (n, timeMs) => {
      const { temperature, humidity, pressure, battery } = station(n, timeMs);
      const fields = `temperature=${temperature},humidity=${humidity},pressure=${pressure},battery=${battery}`;
      return Buffer.from(`weather,station=roof-7,site=north ${fields} ${timeMs}000000`);
    },
    library: null,
  },
  {
    name: 'csv',
    source: 'format: { csv: { columns: [station, ts, temperature, humidity, pressure, battery] } }, time: ts',
    fields: temperature,
    payload: (n, timeMs) => {
      const { temperature, humidity, pressure, battery } = station(n, timeMs);
      return Buffer.from(['roof-7', timeMs, temperature, humidity, pressure, battery].join());
    },
    library: {
      name: 'papaparse',
      read: (payload) => {
        const [, time, value] = papaparse.parse(payload.toString()).data[0] as string[];
        take(value, time);
      },
    },
  },
  {
    name: 'binary',
    source:
      'format: { binary: { values: { temperature: { at: 0, type: i16, scale: 0.01 }, humidity: { at: 2, type: u8 }, battery: { at: 3, type: u16 } } } }',
    fields: temperature,
    payload: (n, timeMs) => {
      const { temperature, humidity, battery } = station(n, timeMs);
      const bytes = Buffer.alloc(5);
      bytes.writeInt16BE(Math.round(temperature * 100), 0);
      bytes.writeUInt8(Math.round(humidity), 2);
      bytes.writeUInt16BE(Math.round(battery * 1000), 3);
      return bytes;
    },
    library: { name: 'Buffer', read: (payload) => take(payload.readInt16BE(0) / 100) },
  },
  {
    name: 'sparkplug',
    source: 'format: sparkplug, captures: { metric: name }, time: time',
    fields: { '{metric}': 'value' },
    payload: (n, timeMs) =>
      encodeSparkplug({
        timestamp: timeMs,
        seq: n % 256,
        metrics: [{ name: 'temperature', type: 'Double', value: station(n, timeMs).temperature, timestamp: timeMs }],
      }),
    library: {
      name: 'sparkplug-payload',
      read: (payload) => {
        const metric = decodeSparkplug(payload).metrics?.[0];
        take(metric?.value, metric?.timestamp);
      },
    },
  },
  {
    name: 'gzip, json',
    source: 'format: json, compression: gzip, time: ts',
    fields: temperature,
    payload: (n, timeMs) => gzipSync(json(n, timeMs)),
    library: { name: 'node:zlib, JSON.parse', read: (payload) => readJson(gunzipSync(payload)) },
  },
  {
    name: 'zstd, json',
    source: 'format: json, compression: zstd, time: ts',
    fields: temperature,
    payload: (n, timeMs) => zstdCompressSync(json(n, timeMs)),
    library: { name: 'node:zlib, JSON.parse', read: (payload) => readJson(zstdDecompressSync(payload)) },
  },
];
