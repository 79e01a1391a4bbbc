// The signed envelope in which a gateway's statistics travel (FORMATS.md section 6). Decoding checks everything that can
// be checked without a key; the signature is checked apart, since only the coordinator knows whose key it must be.

import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { RivuletError } from './errors.ts';
import { type KeyObject, sha256, signatureVerifies } from './signing.ts';

const ENVELOPE_MAGIC = 'RVDL';
const ENVELOPE_VERSION = 1;
const SIGNATURE_BYTES = 64;

/** Longest gateway id and task name. */
const NAME_BYTES_MAX = 256;
/** Longest schema: some thousands of feature names. */
export const SCHEMA_BYTES_MAX = 1024 * 1024;
/** Longest statistics: 1,024 features in double precision are 4.2 MB. */
export const STATISTICS_BYTES_MAX = 16 * 1024 * 1024;

/** What is signed. Hashes are 32 bytes, `incarnation` 16; a `baseRelease` of zeros means none. */
export interface EnvelopeContent {
  gateway: string;
  incarnation: Uint8Array;
  seq: number;
  wallMs: number;
  task: string;
  baseRelease: Uint8Array;
  kernelHash: Uint8Array;
  schema: Uint8Array;
  payload: Uint8Array;
}

/** An envelope as it was read: hashes have been compared, the signature has not. */
export interface Envelope extends EnvelopeContent {
  schemaHash: Buffer;
  payloadHash: Buffer;
  /** The bytes that the signature is over. */
  signed: Buffer;
  signature: Buffer;
}

/** Encodes and signs. */
export function encodeEnvelope(content: EnvelopeContent, sign: (bytes: Uint8Array) => Uint8Array): Buffer {
  const signed = writeBytes([
    { ascii: ENVELOPE_MAGIC },
    { u16: ENVELOPE_VERSION },
    { u16: 0 },
    { str: content.gateway },
    { raw: content.incarnation },
    { u64: content.seq },
    { i64: content.wallMs },
    { str: content.task },
    { raw: sha256(content.schema) },
    { raw: content.baseRelease },
    { raw: content.kernelHash },
    { raw: sha256(content.payload) },
    { bytes: content.schema },
    { bytes: content.payload },
  ]);
  return Buffer.concat([signed, sign(signed)]);
}

/**
 * Reads an envelope.
 * @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_TOO_LARGE, RIV_CORRUPT (a hash does not fit its bytes)
 */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const reader = byteReader(bytes, 'an envelope');
  readMagic(reader, ENVELOPE_MAGIC, ENVELOPE_VERSION, 'an envelope');
  reader.u16();
  const gateway = reader.str(NAME_BYTES_MAX);
  const incarnation = reader.raw(16);
  const seq = reader.u64();
  const wallMs = reader.i64();
  const task = reader.str(NAME_BYTES_MAX);
  const schemaHash = reader.raw(32);
  const baseRelease = reader.raw(32);
  const kernelHash = reader.raw(32);
  const payloadHash = reader.raw(32);
  const schema = reader.bytes(SCHEMA_BYTES_MAX);
  const payload = reader.bytes(STATISTICS_BYTES_MAX);
  const signed = Buffer.from(bytes.buffer, bytes.byteOffset, reader.at);
  const signature = reader.raw(SIGNATURE_BYTES);
  reader.finish();
  if (!sha256(schema).equals(schemaHash))
    throw new RivuletError('RIV_CORRUPT', { found: 'an envelope whose schema has another hash than it says' });
  if (!sha256(payload).equals(payloadHash))
    throw new RivuletError('RIV_CORRUPT', { found: 'an envelope whose payload has another hash than it says' });
  return {
    gateway,
    incarnation,
    seq,
    wallMs,
    task,
    schemaHash,
    baseRelease,
    kernelHash,
    payloadHash,
    schema,
    payload,
    signed,
    signature,
  };
}

/** True when the envelope was signed by the owner of `key`. */
export function verifyEnvelope(envelope: Envelope, key: KeyObject): boolean {
  return signatureVerifies(envelope.signed, envelope.signature, key);
}
