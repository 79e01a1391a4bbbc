// Pieces in which a long envelope travels (FORMATS.md section 10), and the encodings that bodies are compressed with. Each
// piece is signed: what is put together on the other side takes memory there, so strangers must not be able to begin it.

import { inflateSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { byteReader, readMagic, writeBytes } from './bytes.ts';
import { RivuletError } from './errors.ts';
import { sha256 } from './signing.ts';

const PIECE_MAGIC = 'RVPC';
const PIECE_VERSION = 1;
const SIGNATURE_BYTES = 64;
const GATEWAY_BYTES_MAX = 256;

/** Longest part of the whole that one piece carries. */
export const PIECE_BYTES_MAX = 64 * 1024 - 512;
/** Longest envelope that is sent, before and after compression: 1,024 features as class statistics of some classes. */
export const UPLOAD_BYTES_MAX = 20 * 1024 * 1024;

/** How a body is compressed, as in `Content-Encoding`. */
export type Encoding = 'identity' | 'zstd' | 'deflate';
/** By their number in a piece. */
const ENCODINGS: readonly Encoding[] = ['identity', 'zstd', 'deflate'];

/** The number of an encoding in a header. */
export function encodingNumber(encoding: Encoding): number {
  return ENCODINGS.indexOf(encoding);
}

/** The encoding of a number; null: none that is known. */
export function encodingByNumber(number: number): Encoding | null {
  return ENCODINGS[number] ?? null;
}

export interface PieceContent {
  gateway: string;
  encoding: Encoding;
  /** SHA-256 of the whole as it travels (compressed), 32 bytes. */
  hash: Uint8Array;
  /** Length of the whole. */
  length: number;
  /** Where in the whole `part` begins. */
  offset: number;
  part: Uint8Array;
}

export interface Piece extends PieceContent {
  /** The bytes that the signature is over. */
  signed: Buffer;
  signature: Buffer;
}

/** The piece of `whole` that begins at `offset`, signed; `partBytesMax` of it at most. */
export function encodePiece(
  { gateway, encoding, offset }: Pick<PieceContent, 'gateway' | 'encoding' | 'offset'>,
  whole: Uint8Array,
  sign: (bytes: Uint8Array) => Uint8Array,
  partBytesMax: number = PIECE_BYTES_MAX,
): Buffer {
  const signed = writeBytes([
    { ascii: PIECE_MAGIC },
    { u16: PIECE_VERSION },
    { u8: encodingNumber(encoding) },
    { u8: 0 },
    { str: gateway },
    { raw: sha256(whole) },
    { u32: whole.length },
    { u32: offset },
    { bytes: whole.subarray(offset, offset + partBytesMax) },
  ]);
  return Buffer.concat([signed, sign(signed)]);
}

/**
 * Reads a piece; its signature is checked apart.
 * @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_TOO_LARGE, RIV_CORRUPT
 */
export function decodePiece(bytes: Uint8Array): Piece {
  const reader = byteReader(bytes, 'a piece');
  readMagic(reader, PIECE_MAGIC, PIECE_VERSION, 'a piece');
  const encoding = ENCODINGS[reader.u8()];
  reader.u8();
  const gateway = reader.str(GATEWAY_BYTES_MAX);
  const hash = reader.raw(32);
  const length = reader.u32();
  const offset = reader.u32();
  const part = reader.bytes(PIECE_BYTES_MAX);
  const signed = Buffer.from(bytes.buffer, bytes.byteOffset, reader.at);
  const signature = reader.raw(SIGNATURE_BYTES);
  reader.finish();
  if (length > UPLOAD_BYTES_MAX)
    throw new RivuletError('RIV_TOO_LARGE', {
      found: `an upload of ${length} bytes`,
      expected: `${UPLOAD_BYTES_MAX} at most`,
    });
  if (encoding === undefined) throw new RivuletError('RIV_CORRUPT', { found: 'a piece of an unknown encoding' });
  if (part.length === 0 || offset + part.length > length)
    throw new RivuletError('RIV_CORRUPT', { found: `a piece of ${part.length} bytes at ${offset} of ${length}` });
  return { gateway, encoding, hash, length, offset, part, signed, signature };
}

/** The shorter of the bytes and their compressed form; statistics are mostly noise, their schema is not. */
export function compressBody(bytes: Uint8Array): { encoding: Encoding; body: Uint8Array } {
  const body = zstdCompressSync(bytes);
  return body.length < bytes.length ? { encoding: 'zstd', body } : { encoding: 'identity', body: bytes };
}

/**
 * What a body was before its compression, `bytesMax` at most whatever it says.
 * @throws RIV_TOO_LARGE, RIV_CORRUPT
 */
export function expandBody(body: Uint8Array, encoding: Encoding, bytesMax: number): Uint8Array {
  if (encoding === 'identity') return body;
  const expand = encoding === 'zstd' ? zstdDecompressSync : inflateSync;
  try {
    return expand(body, { maxOutputLength: bytesMax });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new RivuletError('RIV_TOO_LARGE', { found: `a body that unpacks to more than ${bytesMax} bytes`, cause });
    throw new RivuletError('RIV_CORRUPT', { found: `a body that is not ${encoding} (${message})`, cause });
  }
}

/** The encoding that a `Content-Encoding` names; null: none that is known. */
export function encodingOf(header: string): Encoding | null {
  const name = header.trim().toLowerCase();
  return name === '' ? 'identity' : (ENCODINGS.find((encoding) => encoding === name) ?? null);
}
