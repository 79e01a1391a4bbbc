/**
 * The outbox: what the coordinator has not yet signed for. Statistics are cumulative, so one envelope per task is enough:
 * the newest. Each is a file that changes all at once, and the numbering is on disk before the envelope that uses it, so
 * that no number is ever given to two different contents.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeEnvelope, type EnvelopeContent, makeDirectory, replaceFile, sha256 } from '@rivulet/host';
import type { Receipt } from './coordinator.ts';

const STATE_FILE = 'state.json';
const SUFFIX = '.rvdl';

/** What is remembered of the deltas that are gone. */
interface OutboxState {
  /** The highest number given out. */
  seq: number;
  /** Per task: hash of the schema and payload last signed for, so that nothing is sent twice. */
  signed: Record<string, string>;
}

/** An envelope that waits. */
export interface Waiting {
  task: string;
  seq: number;
  contents: string;
  bytes: Buffer;
}

export interface Outbox {
  /**
   * Puts a task's statistics in, in place of an older envelope; nothing happens when they are what was signed for or what
   * waits already.
   */
  put(content: Omit<EnvelopeContent, 'seq'>): Promise<void>;
  waiting(): Waiting[];
  /** Forgets an envelope that a receipt names; answers false when the receipt is of another one. */
  signedFor(receipt: Receipt): Promise<boolean>;
  /** Drops an envelope that the coordinator will never take; the same contents are not offered again. */
  refused(seq: number): Promise<void>;
}

/** @param encode numbers, encodes and signs */
export async function openOutbox(
  directory: string,
  incarnation: string,
  encode: (content: EnvelopeContent) => Buffer,
): Promise<Outbox> {
  await makeDirectory(directory);
  const state = await readState(join(directory, STATE_FILE));
  const envelopes = new Map<string, Waiting & { payloadHash: string }>();
  for (const name of (await readdir(directory)).filter((entry) => entry.endsWith(SUFFIX)).sort()) {
    const bytes = await readFile(join(directory, name));
    try {
      const envelope = decodeEnvelope(bytes);
      if (envelope.incarnation.length > 0 && Buffer.from(envelope.incarnation).toString('hex') === incarnation) {
        const { task, seq, payloadHash } = envelope;
        const contents = contentsHash(envelope);
        envelopes.set(task, { task, seq, contents, bytes, payloadHash: payloadHash.toString('hex') });
        state.seq = Math.max(state.seq, seq);
        continue;
      }
    } catch {
      // Not an envelope any more: the next delta takes its place.
    }
    await rm(join(directory, name), { force: true });
  }

  const save = (): Promise<void> => replaceFile(join(directory, STATE_FILE), Buffer.from(JSON.stringify(state)));
  const fileOf = (task: string): string =>
    join(directory, `${sha256(Buffer.from(task)).toString('hex').slice(0, 32)}${SUFFIX}`);

  async function settle(envelope: Waiting): Promise<void> {
    state.signed[envelope.task] = envelope.contents;
    await save();
    await rm(fileOf(envelope.task), { force: true });
    envelopes.delete(envelope.task);
  }

  return {
    async put(content) {
      const contents = contentsHash(content);
      if (state.signed[content.task] === contents || envelopes.get(content.task)?.contents === contents) {
        return;
      }
      state.seq += 1;
      await save();
      const bytes = encode({ ...content, seq: state.seq });
      await replaceFile(fileOf(content.task), bytes);
      const payloadHash = sha256(content.payload).toString('hex');
      envelopes.set(content.task, { task: content.task, seq: state.seq, contents, bytes, payloadHash });
    },
    waiting: () => [...envelopes.values()].sort((a, b) => a.seq - b.seq),
    async signedFor(receipt) {
      const envelope = [...envelopes.values()].find((candidate) => candidate.seq === receipt.seq);
      if (
        envelope === undefined ||
        receipt.incarnation !== incarnation ||
        receipt.payload_hash !== envelope.payloadHash
      ) {
        return false;
      }
      await settle(envelope);
      return true;
    },
    async refused(seq) {
      const envelope = [...envelopes.values()].find((candidate) => candidate.seq === seq);
      if (envelope !== undefined) await settle(envelope);
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
      return { seq: seq as number, signed: { ...signed } };
    }
  } catch {
    // Absent at the first start.
  }
  return { seq: 0, signed: {} };
}
