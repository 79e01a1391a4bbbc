/**
 * An adaptive binary range coder: each bit costs what its context has found it worth so far. The probabilities are those of
 * Krichevsky and Trofimov (1981), which learn fast: an update has some hundred numbers, not some million. Carries as in
 * Martin, "Range encoding" (1979).
 */
import { RivuletError } from '@rivulet/host';

const TOP = 2 ** 32;
const LEAST_RANGE = 2 ** 24;
/** Probabilities are whole numbers of so many parts, and neither bit is ever impossible. */
const PARTS = 2 ** 16;
const PARTS_MIN = 32;
/** Bits of the longest magnitude. */
const MAGNITUDE_BITS_MAX = 16;

/** How often a bit was 0 and 1 in one context. */
export interface Context {
  zeros: number;
  ones: number;
}

export function newContext(): Context {
  return { zeros: 0, ones: 0 };
}

/** Contexts of whole numbers from 0 up: those that say how many bits there are, and the bits. */
export interface NumberContexts {
  readonly length: readonly Context[];
  readonly bits: readonly Context[];
}

export function newNumberContexts(): NumberContexts {
  const contexts = () => Array.from({ length: MAGNITUDE_BITS_MAX + 1 }, newContext);
  return { length: contexts(), bits: contexts() };
}

function partsOfZero({ zeros, ones }: Context): number {
  const parts = Math.floor((PARTS * (2 * zeros + 1)) / (2 * (zeros + ones + 1)));
  return Math.min(PARTS - PARTS_MIN, Math.max(PARTS_MIN, parts));
}

function learn(context: Context, bit: number): void {
  if (bit === 0) context.zeros += 1;
  else context.ones += 1;
}

/** Takes bits in, or gives them back: one description of a format serves for both. */
export interface BitCoder {
  /** Codes `bit` (ignored when reading) and answers it. */
  bit(context: Context, bit: number): number;
}

export interface BitWriter extends BitCoder {
  /** The bytes, without the zeros at their end. */
  finish(): Uint8Array;
}

export function bitWriter(): BitWriter {
  const out: number[] = [];
  let [low, range, cache, pending] = [0, TOP - 1, 0, 1];

  /** Moves the highest byte out, once no carry can reach it any more. */
  function shift(): void {
    if (low < 0xff000000 || low >= TOP) {
      const carry = low >= TOP ? 1 : 0;
      for (let byte = cache; pending > 0; pending--, byte = 0xff) out.push((byte + carry) & 0xff);
      cache = Math.floor(low / LEAST_RANGE) & 0xff;
    }
    pending += 1;
    low = (low % LEAST_RANGE) * 256;
  }

  return {
    bit(context, bit) {
      const bound = Math.floor(range / PARTS) * partsOfZero(context);
      if (bit === 0) range = bound;
      else {
        low += bound;
        range -= bound;
      }
      learn(context, bit);
      while (range < LEAST_RANGE) {
        range *= 256;
        shift();
      }
      return bit;
    },
    finish() {
      // of all that would be read alike, the number that ends in most zeros
      for (const unit of [2 ** 24, 2 ** 16, 2 ** 8, 1]) {
        const round = Math.ceil(low / unit) * unit;
        if (round >= low + range) continue;
        low = round;
        break;
      }
      for (let byte = 0; byte < 5; byte++) shift();
      const end = out.findLastIndex((byte) => byte !== 0) + 1;
      return Uint8Array.from(out.slice(1, Math.max(1, end)));
    },
  };
}

/** Behind their end the bytes are read as zeros: whoever reads must know how much there is. */
export function bitReader(bytes: Uint8Array): BitCoder {
  let at = 0;
  let [code, range] = [0, TOP - 1];
  const next = () => bytes[at++] ?? 0;
  for (let byte = 0; byte < 4; byte++) code = code * 256 + next();
  return {
    bit(context) {
      const bound = Math.floor(range / PARTS) * partsOfZero(context);
      const bit = code < bound ? 0 : 1;
      if (bit === 0) range = bound;
      else {
        code -= bound;
        range -= bound;
      }
      learn(context, bit);
      while (range < LEAST_RANGE) {
        range *= 256;
        code = code * 256 + next();
      }
      return bit;
    },
  };
}

/** Codes a whole number below 2^16 in the manner of Elias' gamma: its length in unary, then its bits. */
export function codeNumber(coder: BitCoder, { length, bits }: NumberContexts, number: number): number {
  const value = number + 1;
  const wanted = 31 - Math.clz32(value);
  let count = 0;
  while (coder.bit(length[count] as Context, Number(count < wanted)) === 1) {
    count += 1;
    if (count > MAGNITUDE_BITS_MAX)
      throw new RivuletError('RIV_CORRUPT', { found: 'an update with a number too large' });
  }
  let read = 1;
  for (let bit = count - 1; bit >= 0; bit--) read = read * 2 + coder.bit(bits[bit] as Context, (value >> bit) & 1);
  return read - 1;
}
