/**
 * The payloads of the decode bench: one reading of a weather station in every format, as its publishers lay it out, and what a
 * program in JavaScript would do with it to get at the number. All cases take one number and the time out of the payload.
 */
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { decode as msgpackDecode, encode as msgpackEncode } from '@msgpack/msgpack';
import * as cborg from 'cborg';
import papaparse from 'papaparse';
import { decodeSparkplug, encodeSparkplug } from '../../presets/vectors.ts';

export interface DecodeCase {
  name: string;
  /** The source's keys beside topic and key, as YAML flow. */
  source: string;
  /** Message `n`. */
  payload(n: number, timeMs: number): Uint8Array;
  /** The usual way in JavaScript; null where there is none but JSON.parse. */
  library: { name: string; value(payload: Buffer): unknown } | null;
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
const FIELD = 'fields: { temperature: temperature }, time: ts';

export const CASES: readonly DecodeCase[] = [
  {
    name: 'json',
    source: `format: json, ${FIELD}`,
    payload: json,
    library: { name: 'JSON.parse', value: (payload) => parse(payload).temperature },
  },
  {
    name: 'json, all its numbers',
    source:
      'format: json, fields: { temperature: temperature, humidity: humidity, pressure: pressure, speed: wind.speed, direction: wind.direction, battery: battery, ok: ok }, time: ts',
    payload: json,
    library: { name: 'JSON.parse', value: (payload) => parse(payload).temperature },
  },
  {
    name: 'number',
    source: 'format: number, fields: { temperature: "" }',
    payload: (n, timeMs) => Buffer.from(String(station(n, timeMs).temperature)),
    library: { name: 'Number', value: (payload) => Number(payload.toString()) },
  },
  {
    name: 'cbor',
    source: `format: cbor, ${FIELD}`,
    payload: (n, timeMs) => cborg.encode(station(n, timeMs)),
    library: { name: 'cborg', value: (payload) => cborg.decode(payload).temperature },
  },
  {
    name: 'msgpack',
    source: `format: msgpack, ${FIELD}`,
    payload: (n, timeMs) => msgpackEncode(station(n, timeMs)),
    library: { name: '@msgpack/msgpack', value: (payload) => (msgpackDecode(payload) as Station).temperature },
  },
  {
    name: 'senml',
    source: 'format: senml, fields: { temperature: "[?n=temperature].v" }, time: t',
    payload: (n, timeMs) => {
      const { temperature, humidity, pressure } = station(n, timeMs);
      const [first, ...more] = Object.entries({ temperature, humidity, pressure });
      const base = { bn: 'urn:dev:roof-7:', bt: timeMs / 1000, n: first?.[0], v: first?.[1] };
      return Buffer.from(JSON.stringify([base, ...more.map(([name, v]) => ({ n: name, v }))]));
    },
    library: null,
  },
  {
    name: 'influx',
    source: 'format: influx, fields: { temperature: fields.temperature }, time: time',
    payload: (n, timeMs) => {
      const { temperature, humidity, pressure, battery } = station(n, timeMs);
      const fields = `temperature=${temperature},humidity=${humidity},pressure=${pressure},battery=${battery}`;
      return Buffer.from(`weather,station=roof-7,site=north ${fields} ${timeMs}000000`);
    },
    library: null,
  },
  {
    name: 'csv',
    source:
      'format: { csv: { columns: [station, ts, temperature, humidity, pressure, battery] } }, fields: { temperature: temperature }, time: ts',
    payload: (n, timeMs) => {
      const { temperature, humidity, pressure, battery } = station(n, timeMs);
      return Buffer.from(['roof-7', timeMs, temperature, humidity, pressure, battery].join());
    },
    library: {
      name: 'papaparse',
      value: (payload) => Number((papaparse.parse(payload.toString()).data[0] as string[])[2]),
    },
  },
  {
    name: 'binary',
    source:
      'format: { binary: { values: { temperature: { at: 0, type: i16, scale: 0.01 }, humidity: { at: 2, type: u8 }, battery: { at: 3, type: u16 } } } }, fields: { temperature: temperature }',
    payload: (n, timeMs) => {
      const { temperature, humidity, battery } = station(n, timeMs);
      const bytes = Buffer.alloc(5);
      bytes.writeInt16BE(Math.round(temperature * 100), 0);
      bytes.writeUInt8(Math.round(humidity), 2);
      bytes.writeUInt16BE(Math.round(battery * 1000), 3);
      return bytes;
    },
    library: { name: 'Buffer', value: (payload) => payload.readInt16BE(0) / 100 },
  },
  {
    name: 'sparkplug',
    source: 'format: sparkplug, fields: { "{metric}": value }, captures: { metric: name }, time: time',
    payload: (n, timeMs) =>
      encodeSparkplug({
        timestamp: timeMs,
        seq: n % 256,
        metrics: [{ name: 'temperature', type: 'Double', value: station(n, timeMs).temperature, timestamp: timeMs }],
      }),
    library: { name: 'sparkplug-payload', value: (payload) => decodeSparkplug(payload).metrics?.[0]?.value },
  },
  {
    name: 'gzip, json',
    source: `format: json, compression: gzip, ${FIELD}`,
    payload: (n, timeMs) => gzipSync(json(n, timeMs)),
    library: { name: 'node:zlib, JSON.parse', value: (payload) => parse(gunzipSync(payload)).temperature },
  },
  {
    name: 'zstd, json',
    source: `format: json, compression: zstd, ${FIELD}`,
    payload: (n, timeMs) => zstdCompressSync(json(n, timeMs)),
    library: { name: 'node:zlib, JSON.parse', value: (payload) => parse(zstdDecompressSync(payload)).temperature },
  },
];

/** The same reading as JSON, for JSON.parse beside every format. */
export function asJson(n: number, timeMs: number): Buffer {
  return json(n, timeMs);
}

/** What JSON.parse gives of it. */
export function parsed(payload: Buffer): number {
  return parse(payload).temperature;
}
