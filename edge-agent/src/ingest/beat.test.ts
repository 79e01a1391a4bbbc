import { BLOCK_KIND, type BlockDraft } from '@rivulet/host';
import { describe, expect, it } from 'vitest';
import { type BeatHistory, type BeatLog, beatLength, createBeat, type Entry, NO_BEATS, remembered } from './beat.ts';

/** A log whose writes finish when the test says so. */
function heldLog() {
  const writes: { drafts: readonly BlockDraft[]; finish: () => void; fail: (error: Error) => void }[] = [];
  const log: BeatLog = {
    append(drafts) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      writes.push({ drafts, finish: resolve, fail: reject });
      return {
        bytes: Buffer.alloc(64 * drafts.length),
        firstOffsets: drafts.map(() => 0),
        durable: promise,
        done: false,
      };
    },
  };
  return { log, writes };
}

function draft(count = 1): BlockDraft {
  const payload = Buffer.alloc(0);
  return { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count, payload, wallMs: 0, monoUs: 0, boot: 0 };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

function setUp() {
  const { log, writes } = heldLog();
  const events: string[] = [];
  const beat = createBeat({
    log,
    fold: () => {
      events.push('folded');
      return () => events.push('released');
    },
    commit: { beatMs: 10, fewMs: 10 },
    failed: (error) => events.push(`failed: ${(error as Error).message}`),
  });
  const entry = (name: string): Entry => ({
    seal: () => draft(),
    ackable: () => 1,
    durable: () => events.push(`ack ${name}`),
    proceed: () => {
      events.push(`proceed ${name}`);
      return false;
    },
  });
  return { beat, writes, events, entry };
}

describe('beat', () => {
  it('acknowledges and releases outputs only after the write, though it folds before', async () => {
    const { beat, writes, events, entry } = setUp();
    beat.put(entry('a'));
    beat.put(entry('b'));
    await turn();
    expect(writes.length).toBe(1);
    expect(writes[0]?.drafts.length).toBe(2);
    expect(events).toEqual(['folded']);
    writes[0]?.finish();
    await turn();
    expect(events.slice(0, 4)).toEqual(['folded', 'released', 'ack a', 'ack b']);
    await beat.drained();
    expect(events.slice(4)).toEqual(['proceed a', 'proceed b']);
  });

  it('collects what comes during a write into one next write', async () => {
    const { beat, writes, entry } = setUp();
    beat.put(entry('a'));
    await turn();
    beat.put(entry('b'));
    beat.put(entry('c'));
    await turn();
    expect(writes.length).toBe(1);
    writes[0]?.finish();
    const drained = beat.drained();
    await turn();
    expect(writes[1]?.drafts.length).toBe(2);
    writes[1]?.finish();
    await drained;
  });

  it('goes through in one turn where the disk answers at once and the doors read at once', async () => {
    const events: string[] = [];
    let left = 2;
    const beat = createBeat({
      log: {
        append(drafts) {
          events.push(`wrote ${drafts.length}`);
          return { bytes: Buffer.alloc(64), durable: Promise.resolve(), done: true };
        },
      },
      fold: () => () => events.push('released'),
      commit: { beatMs: 10, fewMs: 10 },
      failed: (error) => events.push(`failed: ${(error as Error).message}`),
      settled: () => events.push('settled'),
    });
    const entry = (): Entry => ({
      seal: () => draft(),
      durable: () => events.push('acked'),
      proceed() {
        left -= 1;
        if (left > 0) {
          beat.put(entry());
          // Nothing but the commit of what was just put may come between this and the end of the turn.
          queueMicrotask(() => events.push('end of the turn'));
        }
        return left > 0;
      },
    });
    beat.put(entry());
    await beat.drained();
    const once = ['wrote 1', 'released', 'acked', 'settled'];
    expect(events).toEqual([...once, ...once, 'end of the turn']);
  });

  it('acknowledges nothing after a failed write, and takes nothing more', async () => {
    const { beat, writes, events, entry } = setUp();
    beat.put(entry('a'));
    await turn();
    writes[0]?.fail(new Error('EIO'));
    await turn();
    beat.put(entry('b'));
    await turn();
    expect(events).toEqual(['folded', 'failed: EIO']);
    expect(writes.length).toBe(1);
    await expect(beat.drained()).rejects.toThrow('EIO');
  });

  it('chooses its length by what the last beats brought', () => {
    const commit = { beatMs: 10, fewMs: 20 };
    const few = { ...NO_BEATS, bytes: 1000, messages: 5, spanMs: 10, ackable: 5, sameAckable: 1 };
    const table: [BeatHistory, number][] = [
      [few, 20],
      [{ ...few, messages: 99, spanMs: 20 }, 20],
      [{ ...few, messages: 100, ackable: 100 }, 10],
      [{ ...few, messages: 200, ackable: 200, spanMs: 20 }, 10],
      [{ ...few, full: true, messages: 1000, ackable: 1000 }, 0],
      [{ ...few, sameAckable: 3 }, 0],
      [{ ...few, rest: true }, 0],
      [{ ...few, ackable: 0, sameAckable: 0 }, 50],
      [{ ...few, messages: 0, ackable: 0, sameAckable: 0 }, 20],
    ];
    for (const [history, length] of table) {
      expect(beatLength(history, commit)).toBe(length);
    }
    expect(beatLength({ ...few, ackable: 0 }, { beatMs: 500, fewMs: 500 })).toBe(500);
  });

  it('knows a window by what came twice, and what was left of it', () => {
    let history: BeatHistory = NO_BEATS;
    const beats = [
      { ackable: 1000, bytes: 145_000, full: true, rest: false },
      { ackable: 1000, bytes: 145_000, full: true, rest: false },
      { ackable: 600, bytes: 87_000, full: true, rest: false },
      { ackable: 400, bytes: 58_000, full: false, rest: true },
      // Nothing is known of what comes behind a beat that was not full.
      { ackable: 600, bytes: 87_000, full: false, rest: false },
    ];
    for (const { ackable, bytes, full, rest } of beats) {
      history = remembered(history, { bytes, ackable, messages: ackable, spanMs: 3 });
      expect(history).toMatchObject({ full, rest });
    }
  });
});
