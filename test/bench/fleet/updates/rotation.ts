/**
 * A random rotation that costs n log n: signs by chance, then Hadamard's transform, block by block, since it needs powers of two.
 * Of a vector turned so the numbers are of about one size, whatever they were before.
 */

/** Turns the update; `seed` names the signs. */
export function rotate(update: Float64Array, seed: number): Float64Array {
  const turned = flipped(update, seed);
  for (const block of blocksOf(turned)) hadamard(block);
  return turned;
}

/** Undoes `rotate`, up to rounding: the transform is its own inverse. */
export function rotateBack(rotated: Float64Array, seed: number): Float64Array {
  const turned = rotated.slice();
  for (const block of blocksOf(turned)) hadamard(block);
  return flipped(turned, seed);
}

/** Views of lengths that are powers of two, the largest first. */
function blocksOf(values: Float64Array): Float64Array[] {
  const blocks: Float64Array[] = [];
  for (let at = 0; at < values.length; ) {
    const length = 2 ** (31 - Math.clz32(values.length - at));
    blocks.push(values.subarray(at, at + length));
    at += length;
  }
  return blocks;
}

function hadamard(block: Float64Array): void {
  for (let half = 1; half < block.length; half *= 2) {
    for (let from = 0; from < block.length; from += 2 * half) {
      for (let at = from; at < from + half; at++) {
        const [a, b] = [block[at] as number, block[at + half] as number];
        block[at] = a + b;
        block[at + half] = a - b;
      }
    }
  }
  const norm = Math.sqrt(block.length);
  for (let at = 0; at < block.length; at++) block[at] = (block[at] as number) / norm;
}

/** Each number or its negative, by xorshift from the seed: both ends draw the same. */
function flipped(values: Float64Array, seed: number): Float64Array {
  let state = seed | 0 || 1;
  return values.map((value) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state < 0 ? -value : value;
  });
}
