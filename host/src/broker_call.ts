// A call of the coordinator's API as two MQTT messages (FORMATS.md section 10), for gateways that have nothing but a broker:
// the request on `rivulet/cloud/GATEWAY/ask`, its answer on `rivulet/cloud/GATEWAY/answer`. A long body to be read is asked
// for part by part, so that what is lost on the way is asked for again from where it broke off.

import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { RivuletError } from './errors.ts';
import { type Encoding, encodingByNumber, encodingNumber } from './piece.ts';

const REQUEST_MAGIC = 'RVRQ';
const ANSWER_MAGIC = 'RVRA';
/** Version 2 asks for a signed answer, and is one. */
const VERSION = 2;
const UNSIGNED = 1;
const SIGNATURE_BYTES = 64;
const ID_BYTES = 16;
const TEXT_BYTES_MAX = 512;

/** Longest body of a request, and longest part of an answer to a GET: with the fields around it a message of 64 KiB. */
export const BROKER_PART_BYTES_MAX = 60 * 1024;
/** Longest answer that is not asked for in parts. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

export interface BrokerRequest {
  /** Its answer is to be signed; false: of a gateway that does not know of signatures yet. */
  readonly signed: boolean;
  /** 16 random bytes: names the call. */
  readonly id: Uint8Array;
  readonly method: 'GET' | 'POST';
  /** As over HTTP. */
  readonly path: string;
  /** Of the body; empty without one. */
  readonly media: string;
  readonly encoding: Encoding;
  /** The value of `Authorization`; empty: none. */
  readonly authorization: string;
  /** The value of `X-Rivulet-Signature`; empty: none. */
  readonly signature: string;
  /** With GET: where the part that is asked for begins. */
  readonly from: number;
  readonly body: Uint8Array;
}

export interface BrokerAnswer {
  readonly id: Uint8Array;
  /** As over HTTP. */
  readonly status: number;
  /** Length of the whole body. */
  readonly length: number;
  readonly from: number;
  readonly part: Uint8Array;
}

/** Where a gateway asks, or with `+` all of them, and where it is answered. */
export const askTopic = (gateway: string): string => `rivulet/cloud/${gateway}/ask`;
export const answerTopic = (gateway: string): string => `rivulet/cloud/${gateway}/answer`;

/** The gateway of an ask topic; null: it is none. */
export function askingGateway(topic: string): string | null {
  return /^rivulet\/cloud\/([A-Za-z0-9._-]{1,64})\/ask$/.exec(topic)?.[1] ?? null;
}

export function encodeBrokerRequest(request: Omit<BrokerRequest, 'signed'>): Buffer {
  return writeBytes([
    { ascii: REQUEST_MAGIC },
    { u16: VERSION },
    { u8: request.method === 'POST' ? 1 : 0 },
    { u8: encodingNumber(request.encoding) },
    { raw: request.id },
    { str: request.path },
    { str: request.media },
    { str: request.authorization },
    { str: request.signature },
    { u32: request.from },
    { bytes: request.body },
  ]);
}

/** @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_TOO_LARGE, RIV_CORRUPT */
export function decodeBrokerRequest(bytes: Uint8Array): BrokerRequest {
  const reader = byteReader(bytes, 'a request over a broker');
  const version = readMagic(reader, REQUEST_MAGIC, VERSION, 'a request over a broker');
  const method = reader.u8();
  const encoding = encodingByNumber(reader.u8());
  const id = reader.raw(ID_BYTES);
  const [path, media, authorization, signature] = [0, 0, 0, 0].map(() => reader.str(TEXT_BYTES_MAX));
  const from = reader.u32();
  const body = reader.bytes(BROKER_PART_BYTES_MAX);
  reader.finish();
  if (method > 1 || encoding === null)
    throw new RivuletError('RIV_CORRUPT', 'a request over a broker of an unknown method or encoding');
  return {
    signed: version > UNSIGNED,
    ...{ id, method: method === 1 ? 'POST' : 'GET', encoding, from, body },
    ...{ path: path ?? '', media: media ?? '', authorization: authorization ?? '', signature: signature ?? '' },
  };
}

/** An answer for a gateway that does not know of signatures yet. */
export function encodeBrokerAnswer(answer: BrokerAnswer): Buffer {
  return answerBytes(answer, UNSIGNED);
}

/** An answer with the coordinator's signature; it holds the id of its request, so it answers no other. */
export async function encodeSignedAnswer(
  answer: BrokerAnswer,
  sign: (bytes: Uint8Array) => Promise<Uint8Array>,
): Promise<Buffer> {
  const signed = answerBytes(answer, VERSION);
  return Buffer.concat([signed, await sign(signed)]);
}

function answerBytes({ id, status, length, from, part }: BrokerAnswer, version: number): Buffer {
  return writeBytes([
    { ascii: ANSWER_MAGIC },
    { u16: version },
    { u16: status },
    { raw: id },
    { u32: length },
    { u32: from },
    { bytes: part },
  ]);
}

/** An answer as it was read; its signature is checked apart. */
export interface ReadAnswer extends BrokerAnswer {
  /** The bytes that the signature is over. */
  readonly signed: Buffer;
  /** Null: it has none. */
  readonly signature: Buffer | null;
}

/** @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_TOO_LARGE, RIV_CORRUPT */
export function decodeBrokerAnswer(bytes: Uint8Array): ReadAnswer {
  const reader = byteReader(bytes, 'an answer over a broker');
  const version = readMagic(reader, ANSWER_MAGIC, VERSION, 'an answer over a broker');
  const status = reader.u16();
  const id = reader.raw(ID_BYTES);
  const [length, from] = [reader.u32(), reader.u32()];
  const part = reader.bytes(ANSWER_BYTES_MAX);
  const signed = Buffer.from(bytes.buffer, bytes.byteOffset, reader.at);
  const signature = version > UNSIGNED ? reader.raw(SIGNATURE_BYTES) : null;
  reader.finish();
  if (from + part.length > length)
    throw new RivuletError('RIV_CORRUPT', `a part of ${part.length} bytes at ${from} of ${length}`);
  return { id, status, length, from, part, signed, signature };
}
