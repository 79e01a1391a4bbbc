// Little-endian reading and writing of the host's own formats (FORMATS.md). The reader never trusts a length: it asks for
// bytes and refuses with a coded error when they are not there, so that no input can make it allocate more than it is long.

import { RivuletError } from './errors.ts';

/** Takes fields from bytes in the order they were written. What it returns are views, not copies. */
export interface ByteReader {
  /** Position of the next byte. */
  readonly at: number;
  readonly remaining: number;
  u8(): number;
  u16(): number;
  u32(): number;
  i32(): number;
  /** A u64 that must be a safe integer (below 2^53). */
  u64(): number;
  /** A u64 with all its bits. */
  bigU64(): bigint;
  /** An i64 that must be a safe integer. */
  i64(): number;
  f64(): number;
  /** Goes on behind that many bytes. */
  skip(length: number): void;
  raw(length: number): Buffer;
  /** A u32 length, at most `maximum`, and that many bytes. */
  bytes(maximum: number): Buffer;
  /** `bytes` of UTF-8. */
  str(maximum: number): string;
  /** Ends the reading: bytes left over are refused. */
  finish(): void;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads `bytes[start, end)`; `what` names the format in error messages. */
export function byteReader(bytes: Uint8Array, what: string, start = 0, end = bytes.length): ByteReader {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  const take = (length: number): number => {
    if (length > end - at)
      throw new RivuletError('RIV_TRUNCATED', {
        found: `${what} ends at byte ${end - start}`,
        expected: `${length} more bytes at byte ${at - start}`,
      });
    const from = at;
    at += length;
    return from;
  };
  const safe = (value: number): number => {
    if (!Number.isSafeInteger(value))
      throw new RivuletError('RIV_CORRUPT', {
        found: `${what} holds ${value} at byte ${at - start - 8}`,
        expected: 'an integer below 2^53',
      });
    return value;
  };
  // Whether it is exact does not matter beyond 2^53: there it is refused.
  const u64 = (): number => {
    const from = take(8);
    return safe(buffer.readUInt32LE(from) + buffer.readUInt32LE(from + 4) * 0x1_0000_0000);
  };
  const announced = (maximum: number): number => {
    const length = reader.u32();
    if (length > maximum)
      throw new RivuletError('RIV_TOO_LARGE', {
        found: `${what} announces ${length} bytes at byte ${at - start - 4}`,
        expected: `at most ${maximum}`,
      });
    return length;
  };
  const reader: ByteReader = {
    get at() {
      return at - start;
    },
    get remaining() {
      return end - at;
    },
    u8: () => buffer.readUInt8(take(1)),
    u16: () => buffer.readUInt16LE(take(2)),
    u32: () => buffer.readUInt32LE(take(4)),
    i32: () => buffer.readInt32LE(take(4)),
    u64,
    bigU64: () => buffer.readBigUInt64LE(take(8)),
    i64: () => safe(Number(buffer.readBigInt64LE(take(8)))),
    f64: () => buffer.readDoubleLE(take(8)),
    skip: (length) => {
      take(length);
    },
    raw: (length) => {
      const from = take(length);
      return buffer.subarray(from, from + length);
    },
    bytes: (maximum) => reader.raw(announced(maximum)),
    str: (maximum) => {
      const length = announced(maximum);
      const from = take(length);
      // Names are short and mostly ASCII: no view, no decoder.
      if (isAscii(buffer, from, at)) return buffer.toString('latin1', from, at);
      try {
        return utf8.decode(buffer.subarray(from, at));
      } catch {
        throw new RivuletError('RIV_CORRUPT', {
          found: `${what} holds text that is not UTF-8 before byte ${at - start}`,
        });
      }
    },
    finish: () => {
      if (at !== end)
        throw new RivuletError('RIV_CORRUPT', { found: `${what} goes on for ${end - at} bytes after its end` });
    },
  };
  return reader;
}

function isAscii(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if ((bytes[at] as number) > 0x7f) return false;
  return true;
}

/**
 * Reads the magic and version that begin every blob, and tells foreign from too new. `version` is the newest one known.
 */
export function readMagic(reader: ByteReader, magic: string, version: number, what: string): number {
  const found = reader.raw(4).toString('latin1');
  if (found !== magic)
    throw new RivuletError('RIV_FOREIGN', {
      found: `${what} begins with ${JSON.stringify(found)}`,
      expected: `"${magic}"`,
    });
  const foundVersion = reader.u16();
  if (foundVersion > version)
    throw new RivuletError('RIV_TOO_NEW', {
      found: `${what} has format version ${foundVersion}`,
      expected: `at most ${version}`,
    });
  if (foundVersion === 0) throw new RivuletError('RIV_CORRUPT', { found: `${what} has format version 0` });
  return foundVersion;
}

/** A field for `writeBytes`: how it is laid down is in its name. */
export type Field =
  | { u8: number }
  | { u16: number }
  | { u32: number }
  | { u64: number }
  | { i64: number }
  | { f64: number }
  | { raw: Uint8Array }
  | { bytes: Uint8Array }
  | { str: string }
  | { ascii: string };

/** Lays fields down one after the other, in one buffer. */
export function writeBytes(fields: readonly Field[]): Buffer {
  const sized = fields.map(sizedField);
  const out = Buffer.allocUnsafe(sized.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const { length, write } of sized) {
    write(out, at);
    at += length;
  }
  return out;
}

interface SizedField {
  readonly length: number;
  readonly write: (out: Buffer, at: number) => unknown;
}

function sizedField(field: Field): SizedField {
  if ('raw' in field) return { length: field.raw.length, write: (out, at) => out.set(field.raw, at) };
  if ('ascii' in field) return sizedField({ raw: Buffer.from(field.ascii, 'latin1') });
  if ('str' in field) return sizedField({ bytes: Buffer.from(field.str, 'utf8') });
  if ('bytes' in field) {
    const { bytes } = field;
    return { length: 4 + bytes.length, write: (out, at) => out.set(bytes, out.writeUInt32LE(bytes.length, at)) };
  }
  if ('u8' in field) return { length: 1, write: (out, at) => out.writeUInt8(field.u8, at) };
  if ('u16' in field) return { length: 2, write: (out, at) => out.writeUInt16LE(field.u16, at) };
  if ('u32' in field) return { length: 4, write: (out, at) => out.writeUInt32LE(field.u32, at) };
  if ('u64' in field) return { length: 8, write: (out, at) => out.writeBigUInt64LE(BigInt(field.u64), at) };
  if ('i64' in field) return { length: 8, write: (out, at) => out.writeBigInt64LE(BigInt(field.i64), at) };
  return { length: 8, write: (out, at) => out.writeDoubleLE(field.f64, at) };
}
