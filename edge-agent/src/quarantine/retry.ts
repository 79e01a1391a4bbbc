/**
 * What would happen to a message of the quarantine now: a dry run in an engine of its own, which goes on from the newest
 * checkpoint under the current plan (or another). Nothing is written.
 */
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type BlockKind,
  type Core,
  type Engine,
  encodeBlockHeader,
  encodePlanPayload,
  fromCoreOfMessage,
  type Ledger,
  type Output,
  toRivuletError,
} from '@rivulet/host';
import { ingest } from '../core_call.ts';
import { messagesIn } from '../packets.ts';
import type { QuarantineRecord } from './record.ts';

const FATES = ['used', 'late', 'duplicate', 'retained', 'filtered', 'quarantined'] as const;
const FLAG_DUP = 0x08;

/** Where a dry run begins. */
export interface RetryStart {
  core: Core;
  /** State of a checkpoint and the sequence it goes on with; null: nothing but the plan. */
  state: { bytes: Uint8Array; nextSequence: number } | null;
  /** Plan to follow; null: that of the state. */
  plan: Uint8Array | null;
}

export interface RetryOutcome {
  /** A fate of the ledger, or that the core would trap. */
  outcome: (typeof FATES)[number] | 'trapped';
  /** The account it would be booked on. */
  source: string | null;
  code: string | null;
  reason: string | null;
  /** What it would give rise to. */
  outputs: Output[];
}

export function retry(start: RetryStart, record: QuarantineRecord): RetryOutcome {
  const nothing = { source: null, code: null, reason: null, outputs: [] };
  try {
    const { engine, nextSequence } = open(start);
    const before = engine.report();
    const packet = Buffer.from(record.packet);
    const messages = messagesIn(packet);
    for (const { at } of messages) {
      // It was not taken then, so it is no repeat now.
      packet[at] = (packet[at] as number) & ~FLAG_DUP;
    }
    const count = Math.max(messages.length, 1);
    const { kind, door, wallMs } = record;
    const block = encode({ kind, door, wallMs, count, payload: packet, offset: before.offset, sequence: nextSequence });
    const outputs = ingest(engine, block);
    const after = engine.report();
    const refused = outputs.find((output) => output.kind === 'quarantine');
    const error = refused === undefined ? null : fromCoreOfMessage(refused.code);
    for (const [index, account] of after.sources.entries()) {
      const fate = fateOf(before.sources[index], account);
      if (fate !== undefined) {
        const given = outputs.filter((output) => output.kind !== 'quarantine');
        const why = { code: error?.code ?? null, reason: error?.message ?? null };
        return { outcome: fate, source: account.name, ...why, outputs: given };
      }
    }
    return { ...nothing, outcome: 'filtered' };
  } catch (thrown) {
    const { code, message } = toRivuletError(thrown);
    return { ...nothing, outcome: 'trapped', code, reason: message };
  }
}

function open({ core, state, plan }: RetryStart): { engine: Engine; nextSequence: number } {
  const engine = core.newEngine();
  if (state === null) {
    engine.open(plan ?? Buffer.alloc(0));
    return { engine, nextSequence: 0 };
  }
  engine.restore(state.bytes);
  if (plan === null) {
    return { engine, nextSequence: state.nextSequence };
  }
  const payload = encodePlanPayload(core.kernelHash, plan);
  const place = { offset: engine.report().offset, sequence: state.nextSequence };
  engine.ingest(encode({ kind: BLOCK_KIND.plan, door: 0, wallMs: 0, count: 0, payload, ...place }));
  return { engine, nextSequence: state.nextSequence + 1 };
}

function fateOf(before: Ledger | undefined, after: Ledger): (typeof FATES)[number] | undefined {
  return FATES.find((fate) => after[fate] > (before?.[fate] ?? 0));
}

interface Draft {
  kind: BlockKind;
  door: number;
  wallMs: number;
  count: number;
  payload: Buffer;
  offset: number;
  sequence: number;
}

function encode({ kind, door, wallMs, count, payload, offset, sequence }: Draft): Buffer {
  const block = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), payload]);
  encodeBlockHeader(block, 0, {
    ...{ kind, door, payloadLength: payload.length, count, firstOffset: offset, sequence, wallMs },
    ...{ monoUs: 0, boot: 0, epoch: 0, segment: 0, beginsWrite: true },
  });
  return block;
}
