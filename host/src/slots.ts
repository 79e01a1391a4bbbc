/** A checkpoint: the fold's state at a place in the log (FORMATS.md section 5). */
export interface Slot {
  /** Sequence of the first block that is not folded in. */
  nextSequence: number;
  nextOffset: number;
  wallMs: number;
  planHash: Uint8Array;
  kernelHash: Uint8Array;
  state: Uint8Array;
}

/** A slot as it was found. */
export interface LoadedSlot extends Slot {
  /** SHA-256 of the state in hex. */
  digest: string;
  /** Its file, and why it was taken. */
  file: string;
  why: string;
}

/** The two slots of a directory. */
export interface Slots {
  /** The newest slot that verifies; null when there is none. */
  load(): Promise<LoadedSlot | null>;
  /** Writes over the older slot (or one that does not verify) and syncs; answers the digest. */
  save(slot: Slot): Promise<string>;
}

export async function openSlots(_directory: string): Promise<Slots> {
  throw new Error('follows');
}
