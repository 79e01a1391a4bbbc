/**
 * The outbox: what the coordinator has not yet signed for. Statistics are cumulative, so one envelope per task is enough:
 * the newest. Each is a file that changes all at once, and the numbering is on disk before the envelope that uses it, so
 * that no number is ever given to two different contents.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeEnvelope, type EnvelopeContent, makeDirectory, replaceFile, sha256 } from '@rivulet/host';
import type { Held, Receipt } from './answers.ts';
import { onDisk } from './disk.ts';

const STATE_FILE = 'state.json';
const SUFFIX = '.rvdl';

/** What is remembered of the deltas that are gone. */
interface OutboxState {
  /** The highest number given out. */
  seq: number;
  /** Per task: what was last signed for, so that nothing is sent twice. */
  signed: Record<string, Signed>;
}

interface Signed {
  /** Hash of the schema and payload. */
  contents: string;
  /** Where the coordinator must hold it from then on; absent: it was not taken in (superseded, quarantined). */
  held?: { schema: string; seq: number };
  /** It was refused since the gateway is not in the fleet any more. */
  forgotten?: true;
  /** It was set aside since the coordinator does not take statistics of its core. */
  kernel?: true;
}

/** Why something is not in that may be wanted again. */
export type Unwanted = 'forgotten' | 'kernel';

/** An envelope that waits. */
export interface Waiting {
  task: string;
  seq: number;
  contents: string;
  /** Schema hash in hex. */
  schema: string;
  bytes: Buffer;
}

export interface Outbox {
  /**
   * Puts a task's statistics in, in place of an older envelope; nothing happens when they are what was signed for or what
   * waits already: then it answers false.
   */
  put(content: Omit<EnvelopeContent, 'seq'>): Promise<boolean>;
  waiting(): Waiting[];
  /** The highest number given out. */
  seq(): number;
  /** Forgets everything, numbers too: they were those of another incarnation. */
  clear(): Promise<void>;
  /** Forgets an envelope that a receipt names; answers false when the receipt is of another one. */
  signedFor(receipt: Receipt): Promise<boolean>;
  /** Drops an envelope that is not wanted, since the gateway was taken out of the fleet; it is not offered again until `offerAgain`. */
  refused(seq: number): Promise<void>;
  /** The reason is gone: what was refused for it meanwhile counts as never sent. Answers how many tasks that is. */
  offerAgain(reason: Unwanted): Promise<number>;
  /**
   * Compares what was signed for with what the coordinator holds: what it has lost since (it was restored from a backup,
   * or refuses now what it took then) counts as never sent. Answers how many tasks that is.
   */
  compare(held: readonly Held[]): Promise<number>;
  /** Drops a waiting envelope that the coordinator cannot take as it is; the next `put` makes it anew. */
  drop(waiting: Waiting): Promise<void>;
}

/** @param encode numbers, encodes and signs */
export async function openOutbox(
  directory: string,
  incarnation: () => string,
  encode: (content: EnvelopeContent) => Buffer,
): Promise<Outbox> {
  await makeDirectory(directory);
  const state = await readState(join(directory, STATE_FILE));
  const envelopes = new Map<string, Waiting & { payloadHash: string }>();
  for (const name of (await readdir(directory)).filter((entry) => entry.endsWith(SUFFIX)).sort()) {
    const bytes = await readFile(join(directory, name));
    try {
      const envelope = decodeEnvelope(bytes);
      if (envelope.incarnation.length > 0 && Buffer.from(envelope.incarnation).toString('hex') === incarnation()) {
        const { task, seq, payloadHash } = envelope;
        const [contents, schema] = [contentsHash(envelope), envelope.schemaHash.toString('hex')];
        envelopes.set(task, { task, seq, contents, schema, bytes, payloadHash: payloadHash.toString('hex') });
        state.seq = Math.max(state.seq, seq);
        continue;
      }
    } catch {
      // Not an envelope any more: the next delta takes its place.
    }
    await rm(join(directory, name), { force: true });
  }

  const put = (path: string, bytes: Buffer): Promise<void> => onDisk(path, replaceFile(path, bytes));
  const remove = (path: string): Promise<void> => onDisk(path, rm(path, { force: true }));
  const save = (): Promise<void> => put(join(directory, STATE_FILE), Buffer.from(JSON.stringify(state)));
  const fileOf = (task: string): string =>
    join(directory, `${sha256(Buffer.from(task)).toString('hex').slice(0, 32)}${SUFFIX}`);

  /** @param what whether the coordinator holds it from now on, or why it may want it later; null: it never will */
  async function settle({ task, contents, schema, seq }: Waiting, what: 'held' | Unwanted | null): Promise<void> {
    const kept = what === 'held' ? { held: { schema, seq } } : what === null ? {} : { [what]: true as const };
    state.signed[task] = { contents, ...kept };
    await save();
    await remove(fileOf(task));
    envelopes.delete(task);
  }

  return {
    async put(content) {
      const contents = contentsHash(content);
      if (state.signed[content.task]?.contents === contents || envelopes.get(content.task)?.contents === contents) {
        return false;
      }
      state.seq += 1;
      await save();
      const bytes = encode({ ...content, seq: state.seq });
      await put(fileOf(content.task), bytes);
      const payloadHash = sha256(content.payload).toString('hex');
      const schema = sha256(content.schema).toString('hex');
      envelopes.set(content.task, { task: content.task, seq: state.seq, contents, schema, bytes, payloadHash });
      return true;
    },
    seq: () => state.seq,
    async clear() {
      for (const task of envelopes.keys()) {
        await remove(fileOf(task));
      }
      envelopes.clear();
      [state.seq, state.signed] = [0, {}];
      await save();
    },
    waiting: () => [...envelopes.values()].sort((a, b) => a.seq - b.seq),
    async signedFor(receipt) {
      const envelope = [...envelopes.values()].find((candidate) => candidate.seq === receipt.seq);
      if (
        envelope === undefined ||
        receipt.incarnation !== incarnation() ||
        receipt.payload_hash !== envelope.payloadHash
      ) {
        return false;
      }
      const { outcome, reason, code } = receipt;
      const held = outcome === 'accepted' || (outcome === 'duplicate' && reason === undefined);
      // Whose first receipt got lost hears "duplicate" and the reason without its code: then one more offer tells.
      const kernel = code === 'RIV_KERNEL_UNKNOWN' || (outcome === 'duplicate' && code === undefined);
      await settle(envelope, held ? 'held' : kernel ? 'kernel' : null);
      return true;
    },
    async refused(seq) {
      const envelope = [...envelopes.values()].find((candidate) => candidate.seq === seq);
      if (envelope !== undefined) await settle(envelope, 'forgotten');
    },
    async offerAgain(reason) {
      const wanted = Object.entries(state.signed).filter(([, entry]) => entry[reason] === true);
      for (const [task] of wanted) {
        delete state.signed[task];
      }
      if (wanted.length > 0) {
        await save();
      }
      return wanted.length;
    },
    async compare(held) {
      const seqs = new Map(held.filter((entry) => entry.incarnation === incarnation()).map((e) => [e.schema, e.seq]));
      const lost = Object.entries(state.signed).filter(
        ([, { held: mine }]) => mine !== undefined && (seqs.get(mine.schema) ?? 0) < mine.seq,
      );
      for (const [task] of lost) {
        delete state.signed[task];
      }
      if (lost.length > 0) {
        await save();
      }
      return lost.length;
    },
    async drop({ task, seq }) {
      if (envelopes.get(task)?.seq === seq) {
        await remove(fileOf(task));
        envelopes.delete(task);
      }
    },
  };
}

/** What makes a delta worth sending: other statistics, or statistics of other features. */
function contentsHash({ schema, payload }: Pick<EnvelopeContent, 'schema' | 'payload'>): string {
  return sha256(Buffer.concat([sha256(schema), sha256(payload)])).toString('hex');
}

async function readState(path: string): Promise<OutboxState> {
  try {
    const { seq, signed } = JSON.parse(await readFile(path, 'utf8')) as Partial<OutboxState>;
    if (Number.isSafeInteger(seq) && typeof signed === 'object' && signed !== null) {
      const current = Object.entries(signed).map(([task, entry]) => [task, signedOf(entry)] as const);
      return { seq: seq as number, signed: Object.fromEntries(current) };
    }
  } catch {
    // Absent at the first start.
  }
  return { seq: 0, signed: {} };
}

/** Earlier versions kept the hash of the contents only. */
function signedOf(entry: Signed | string): Signed {
  return typeof entry === 'string' ? { contents: entry } : entry;
}
