// CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of blocks and slots. Sixteen slicing tables: four words per step
// without a native module.

import { endianness } from 'node:os';

const POLYNOMIAL = 0x82f63b78; // reflected 0x1edc6f41
/** Table t, at t * 256, is what a byte does to the checksum when t more bytes follow in the step. */
const TABLES = makeTables();
/** Words are read as the machine lays them out; elsewhere bytes go one by one. */
const WORDS_FIT = endianness() === 'LE';

function makeTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    tables[byte] = value;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}

/**
 * CRC-32C of `bytes[start, end)`, as an unsigned 32-bit number. `seed` is the result over the bytes before, so that
 * `crc32c(b, crc32c(a)) === crc32c(a ++ b)`.
 */
export function crc32c(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): number {
  let crc = ~seed;
  let at = start;
  const byByte = (until: number): void => {
    // Indexes are below `end` and the table has 256 entries: none of these reads is undefined, nor those of `byWord`.
    for (; at < until; at++) crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[at] as number)) & 0xff] as number);
  };
  if (WORDS_FIT) {
    byByte(Math.min(end, start + (-(bytes.byteOffset + start) & 3)));
    const steps = (end - at) >> 4;
    if (steps > 0) {
      crc = byWord(crc, new Int32Array(bytes.buffer, bytes.byteOffset + at, steps * 4));
      at += steps * 16;
    }
  }
  byByte(end);
  return ~crc >>> 0;
}

function byWord(seed: number, words: Int32Array): number {
  let crc = seed;
  for (let at = 0; at < words.length; at += 4) {
    const a = crc ^ (words[at] as number);
    const b = words[at + 1] as number;
    const c = words[at + 2] as number;
    const d = words[at + 3] as number;
    crc =
      (TABLES[3840 + (a & 0xff)] as number) ^
      (TABLES[3584 + ((a >>> 8) & 0xff)] as number) ^
      (TABLES[3328 + ((a >>> 16) & 0xff)] as number) ^
      (TABLES[3072 + (a >>> 24)] as number) ^
      (TABLES[2816 + (b & 0xff)] as number) ^
      (TABLES[2560 + ((b >>> 8) & 0xff)] as number) ^
      (TABLES[2304 + ((b >>> 16) & 0xff)] as number) ^
      (TABLES[2048 + (b >>> 24)] as number) ^
      (TABLES[1792 + (c & 0xff)] as number) ^
      (TABLES[1536 + ((c >>> 8) & 0xff)] as number) ^
      (TABLES[1280 + ((c >>> 16) & 0xff)] as number) ^
      (TABLES[1024 + (c >>> 24)] as number) ^
      (TABLES[768 + (d & 0xff)] as number) ^
      (TABLES[512 + ((d >>> 8) & 0xff)] as number) ^
      (TABLES[256 + ((d >>> 16) & 0xff)] as number) ^
      (TABLES[d >>> 24] as number);
  }
  return crc;
}
