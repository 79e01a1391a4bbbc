/**
 * Error feedback: what an update's form left out goes into the next one (Karimireddy et al., 2019). It takes contractive codecs
 * only, by its type: with an unbiased one the memory grows without end. What was left out belongs to one device and one
 * line of releases: on another base it would be the error of something else, so a new line begins with none.
 */
import type { ContractiveCodec, Random } from './codecs.ts';

export interface Feedback {
  /** The bytes of `update` and what was left out before. `line` names the line of releases that it is based on. */
  encode(update: Float64Array, line: string, random: Random): Uint8Array;
  /** Length of what is left out now. */
  leftOut(): number;
}

/** The error memory of one device. */
export function openFeedback(codec: ContractiveCodec): Feedback {
  let memory: { line: string; values: Float64Array } | null = null;
  return {
    encode(update, line, random) {
      const before = memory?.line === line && memory.values.length === update.length ? memory.values : null;
      const wanted = before === null ? update : update.map((value, at) => value + (before[at] as number));
      const bytes = codec.encode(wanted, random);
      const said = codec.decode(bytes, wanted.length);
      memory = { line, values: wanted.map((value, at) => value - (said[at] as number)) };
      return bytes;
    },
    leftOut: () => Math.hypot(...(memory?.values ?? [])),
  };
}
