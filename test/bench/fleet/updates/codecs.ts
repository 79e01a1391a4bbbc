/**
 * Inexact forms of an update, that is of the difference between a model's parameters and those of the release that it went on
 * from. Two kinds, told apart by their types, since what may be done with them differs:
 *
 * - *unbiased*: what is read is what was written on average over the draws. Errors of many gateways cancel; error feedback
 *   would diverge, since one reading may be farther off than nothing at all.
 * - *contractive*: what is read is always nearer to what was written than zero is. Errors do not cancel, so they are fed
 *   back (`feedback.ts`).
 *
 * Papers: Alistarh et al., "QSGD" (2017); Wen et al., "TernGrad" (2017); Vargaftik et al., "DRIVE" (2021); Sattler et al.,
 * "Robust and communication-efficient federated learning from non-i.i.d. data" (2019: sparse ternary compression).
 */
import { RivuletError } from '@rivulet/host';
import { type BitCoder, bitReader, bitWriter, codeNumber, newContext, newNumberContexts } from './range_coder.ts';
import { rotate, rotateBack } from './rotation.ts';

/** Parameters of one update. */
export const PARAMETERS_MAX = 1 << 20;
const SCALE_BYTES = 4;

/** In [0, 1). */
export type Random = () => number;

interface Codec {
  readonly name: string;
  /** @throws RIV_CORRUPT for numbers that are not finite, RIV_TOO_LARGE */
  encode(update: Float64Array, random: Random): Uint8Array;
  /**
   * Reads an update of `length` parameters.
   * @throws RIV_CORRUPT for bytes that `encode` would not have written
   */
  decode(bytes: Uint8Array, length: number): Float64Array;
}

export interface UnbiasedCodec extends Codec {
  readonly kind: 'unbiased';
}

export interface ContractiveCodec extends Codec {
  readonly kind: 'contractive';
}

export type UpdateCodec = UnbiasedCodec | ContractiveCodec;

/** Codes `wanted` (null: reads) with `coder`; answers the whole numbers that stand for the parameters. */
type Format = (coder: BitCoder, wanted: Int32Array | null, length: number) => Int32Array;

/** A scale in single precision, then whole numbers. All zeros: no bytes at all. */
function write(scale: number, numbers: Int32Array, format: Format): Uint8Array {
  if (scale === 0) return new Uint8Array(0);
  const coder = bitWriter();
  format(coder, numbers, numbers.length);
  const coded = coder.finish();
  const bytes = new Uint8Array(SCALE_BYTES + coded.length);
  new DataView(bytes.buffer).setFloat32(0, scale, true);
  bytes.set(coded, SCALE_BYTES);
  return bytes;
}

function read(bytes: Uint8Array, length: number, format: Format): { scale: number; numbers: Int32Array } {
  checkLength(length);
  if (bytes.length === 0) return { scale: 0, numbers: new Int32Array(length) };
  if (bytes.length < SCALE_BYTES) throw corrupt('an update without a whole scale');
  const scale = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  if (!(scale > 0 && scale < Number.POSITIVE_INFINITY)) throw corrupt(`an update of scale ${scale}`);
  const numbers = format(bitReader(bytes.subarray(SCALE_BYTES)), null, length);
  if (numbers.every((number) => number === 0)) throw corrupt('an update of a scale and nothing to scale');
  // One update has one form: what was cut off, lengthened or made up is found by writing it again.
  if (Buffer.compare(write(scale, numbers, format), bytes) !== 0)
    throw corrupt('an update in bytes that none is written in');
  return { scale, numbers };
}

function corrupt(found: string): RivuletError {
  return new RivuletError('RIV_CORRUPT', { found });
}

function checkLength(length: number): void {
  if (length <= PARAMETERS_MAX) return;
  throw new RivuletError('RIV_TOO_LARGE', {
    found: `an update of ${length} parameters`,
    expected: `at most ${PARAMETERS_MAX}`,
  });
}

function checkUpdate(update: Float64Array): void {
  checkLength(update.length);
  if (!update.every((value) => Math.fround(value) === 0 || Number.isFinite(Math.fround(value)))) {
    throw corrupt('an update with a number that is not finite');
  }
}

/** Zero or not, sign, magnitude: each by what came before. */
const signedNumbers =
  (most: number): Format =>
  (coder, wanted, length) => {
    const read = new Int32Array(length);
    const zero = [newContext(), newContext()];
    const sign = newContext();
    const magnitude = newNumberContexts();
    let before = 0;
    for (let at = 0; at < length; at++) {
      const number = wanted?.[at] ?? 0;
      before = coder.bit(zero[before] as (typeof zero)[0], Number(number !== 0));
      if (before === 0) continue;
      const negative = coder.bit(sign, Number(number < 0));
      const size = most === 1 ? 1 : 1 + codeNumber(coder, magnitude, Math.abs(number) - 1);
      if (size > most) throw corrupt(`an update with ${size} steps of ${most}`);
      read[at] = negative === 1 ? -size : size;
    }
    return read;
  };

/** Stochastic quantisation in `steps` steps either side of zero, of the largest magnitude: 127 is int8, 7 int4, 1 ternary. */
export function stochastic(name: string, steps: number): UnbiasedCodec {
  const format = signedNumbers(steps);
  return {
    kind: 'unbiased',
    name,
    encode(update, random) {
      checkUpdate(update);
      // rounded up, so that no number is beyond the last step
      const scale = upwards(update.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
      const numbers = Int32Array.from(update, (value) => {
        const steady = scale === 0 ? 0 : (value / scale) * steps;
        const below = Math.floor(steady);
        return below + Number(random() < steady - below);
      });
      // a draw that is all zeros says nothing, whatever its scale
      return write(numbers.some((number) => number !== 0) ? scale : 0, numbers, format);
    },
    decode(bytes, length) {
      const { scale, numbers } = read(bytes, length, format);
      return Float64Array.from(numbers, (number) => (number * scale) / steps);
    },
  };
}

function upwards(value: number): number {
  const near = Math.fround(value);
  return near >= value ? near : Math.fround(near * (1 + 2 ** -23) + 2 ** -149);
}

/** The share of largest magnitudes, all as their mean: positions and signs, entropy-coded. */
export function sparseTernary(name: string, share: number): ContractiveCodec {
  const format = signedNumbers(1);
  return {
    kind: 'contractive',
    name,
    encode(update) {
      checkUpdate(update);
      const count = Math.max(1, Math.round(share * update.length));
      const order = [...update.keys()].sort(
        (a, b) => Math.abs(update[b] as number) - Math.abs(update[a] as number) || a - b,
      );
      const numbers = new Int32Array(update.length);
      let sum = 0;
      for (const at of order.slice(0, count)) {
        numbers[at] = Math.sign(update[at] as number);
        sum += Math.abs(update[at] as number);
      }
      const taken = numbers.reduce((all, number) => all + Math.abs(number), 0);
      return write(taken === 0 ? 0 : Math.fround(sum / taken), numbers, format);
    },
    decode(bytes, length) {
      const { scale, numbers } = read(bytes, length, format);
      return Float64Array.from(numbers, (number) => number * scale);
    },
  };
}

/** One bit a parameter, after a rotation that spreads each over all others, at the scale of the least squared error. */
export function rotatedSigns(name: string, seed: number): ContractiveCodec {
  return {
    kind: 'contractive',
    name,
    encode(update) {
      checkUpdate(update);
      const rotated = rotate(update, seed);
      const scale = Math.fround(rotated.reduce((sum, value) => sum + Math.abs(value), 0) / Math.max(1, rotated.length));
      return write(
        scale,
        Int32Array.from(rotated, (value) => (value < 0 ? -1 : 1)),
        signs,
      );
    },
    decode(bytes, length) {
      const { scale, numbers } = read(bytes, length, signs);
      return rotateBack(
        Float64Array.from(numbers, (number) => number * scale),
        seed,
      );
    },
  };
}

/** Signs only: after a rotation there is nothing to learn from one for the next. */
const signs: Format = (coder, wanted, length) =>
  Int32Array.from({ length }, (_, at) => (coder.bit(newContext(), Number((wanted?.[at] ?? 1) < 0)) === 1 ? -1 : 1));
