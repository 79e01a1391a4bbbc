/**
 * The beat: group commit. Blocks of all doors that came since the last commit go into the log in one durable write,
 * the core folds them while that write is under way, and nothing leaves (no acknowledgement, no output) before it is
 * done. Doors read again when the next beat is due, so that wake-ups and syncs do not grow with the messages; what is
 * not read stays in the kernel, which is the back-pressure.
 *
 * Invariants:
 * - one write at a time; blocks reach the log in the order they were put;
 * - `durable` is called once per entry, in order, and only after a successful sync;
 * - after a failed write nothing is called any more: the agent stops, it never acks on hope.
 *
 * Leading edge: the first block after a quiet time is committed at once; idle costs no timer. A beat costs much the same
 * whatever it brings, so those that bring little may be longer, within the user's bounds.
 */
import type { BlockDraft, CommitConfig } from '@rivulet/host';

/** What a beat is laid down in is used again up to this much; a larger one is given back. */
const REUSED_BYTES_MAX = 1024 * 1024;

/**
 * Above this much in one beat the receive window is the limit, not the disk: do not wait for the next beat. Behind a full beat
 * half of it is enough: a sender that waits for our acknowledgements may be read in the middle of what they allowed.
 */
const FULL_BEAT_BYTES = 131_072;

/**
 * When this many beats in a row carry the same number of acknowledged messages, the senders' in-flight window is the
 * limit: waiting would only make them wait. The same holds for two beats that share such a number.
 */
const WINDOW_BOUND_BEATS = 3;

/** A beat that brings fewer messages than this costs more than they do: the next ones may take as long as they are allowed. */
const WORTHWHILE_MESSAGES = 100;

/** Nobody waits for an acknowledgement of QoS 0: its beats may be this many times longer ... */
const UNACKED_STRETCH = 5;
/** ... up to this long, so that predictions stay prompt. */
const UNACKED_BEAT_MS_MAX = 200;

/** One block on its way into the log. */
export interface Entry {
  /** Closes the block: called once, when the commit that takes it begins. Nothing may be added to it afterwards. */
  seal(): BlockDraft;
  /** The block is on disk: acknowledgements may leave. */
  durable?(): void;
  /**
   * The next read may begin. Never called from inside a read callback. True: it is done, and what there was has been put, so
   * that the next commit need not wait for a turn of the event loop.
   */
  proceed?(): boolean;
  /** Messages in it whose sender waits for an acknowledgement; asked after `seal`. */
  ackable?(): number;
}

/** What the beat needs of the log: one durable write of several blocks. `done`: it is on disk already. */
export interface BeatLog {
  append(drafts: readonly BlockDraft[], into?: Buffer): { bytes: Buffer; durable: Promise<void>; done: boolean };
}

export interface BeatOptions {
  log: BeatLog;
  /**
   * Folds the blocks just handed to the log, while they are being written; returns what may be done once they are
   * durable (sending outputs). The next commit waits for a promise that this returns, and then uses `bytes` again.
   */
  fold(bytes: Buffer): () => unknown;
  /** How long a beat is, and how long where that would bring few messages: the user's `log.commit`. */
  commit: CommitConfig;
  /** Called once, when the log could not be written or the fold could not go on; the beat is dead then. */
  failed(error: unknown): void;
  /** Called after each durable commit, when everything folded so far is durable: the place for checkpoints. */
  settled?(): void;
}

export interface Beat {
  /** Puts a block into the next commit. */
  put(entry: Entry): void;
  /** Resolves when everything put so far is durable; rejects when the beat failed. */
  drained(): Promise<void>;
  /** Takes nothing more, so that what is folded now is all there will be; resolves like `drained`. */
  end(): Promise<void>;
  /** Commits made so far. */
  commits(): number;
  /** True between commits: everything folded is durable. */
  settled(): boolean;
}

/** What one beat brought. */
export interface Brought {
  bytes: number;
  messages: number;
  /** Those of them whose sender waits for an acknowledgement. */
  ackable: number;
  /** Milliseconds from the commit before it to its own. */
  spanMs: number;
}

/** The last beat, and how those before it went: what the decision below looks at. */
export interface BeatHistory extends Brought {
  /** So much that the next one need not wait. */
  full: boolean;
  /** Beats in a row with that same, non-zero number of ackable messages. */
  sameAckable: number;
  /** That number, when two beats in a row last had it. */
  window: number;
  /** It brought what a full beat had left of that window. */
  rest: boolean;
}

export const NO_BEATS: BeatHistory = {
  ...{ bytes: 0, messages: 0, ackable: 0, spanMs: 0 },
  ...{ full: false, sameAckable: 0, window: 0, rest: false },
};

/** The history with one more beat. */
export function remembered(before: BeatHistory, brought: Brought): BeatHistory {
  const { bytes, ackable } = brought;
  const same = ackable > 0 && ackable === before.ackable;
  return {
    ...brought,
    full: bytes > (before.full ? FULL_BEAT_BYTES / 2 : FULL_BEAT_BYTES),
    sameAckable: same ? before.sameAckable + 1 : ackable > 0 ? 1 : 0,
    window: same ? ackable : before.window,
    rest: before.full && ackable > 0 && ackable + before.ackable === before.window,
  };
}

/** Milliseconds from the start of a commit to the earliest start of the next. */
export function beatLength(history: BeatHistory, { beatMs, fewMs }: CommitConfig): number {
  if (history.full || history.rest || history.sameAckable >= WINDOW_BOUND_BEATS) {
    return 0;
  }
  const { messages, spanMs, ackable } = history;
  if (messages > 0 && ackable === 0) {
    return Math.max(fewMs, Math.min(beatMs * UNACKED_STRETCH, UNACKED_BEAT_MS_MAX));
  }
  return messages * beatMs < WORTHWHILE_MESSAGES * spanMs ? fewMs : beatMs;
}

export function createBeat(options: BeatOptions): Beat {
  const { log } = options;
  let pending: Entry[] = [];
  /** `settled`: all is durable and the beat's time is not over; `due`: the next commit comes in this turn or the next. */
  let state: 'idle' | 'due' | 'writing' | 'settled' | 'dead' = 'idle';
  /** Entries of the last commit, whose doors wait for the next beat. */
  let held: Entry[] = [];
  /** Blocks are laid down here, commit after commit. */
  let buffer: Buffer = Buffer.alloc(0);
  /** One timer for all beats of a length: making one costs more than setting it again. */
  let timer: NodeJS.Timeout | null = null;
  let timerMs = 0;
  let timeIsOver = true;
  let failure: unknown;
  let ended = false;
  let commits = 0;
  let committedMs = 0;
  let history = NO_BEATS;
  let waiters: { resolve: () => void; reject: (error: unknown) => void }[] = [];

  function put(entry: Entry): void {
    if (state === 'dead' || ended) {
      return;
    }
    pending.push(entry);
    if (state === 'idle') {
      // Not at once: what other doors read in this turn of the event loop joins the same write.
      state = 'due';
      setImmediate(commit);
    }
  }

  function commit(): void {
    if (state === 'dead') {
      return;
    }
    if (pending.length === 0) {
      state = 'idle';
      settleWaiters();
      return;
    }
    const entries = pending;
    pending = [];
    state = 'writing';
    try {
      const drafts = entries.map((entry) => entry.seal());
      // Begins the write: the disk is at work while the core is.
      const { bytes, durable, done: onDisk } = log.append(drafts, buffer);
      if (bytes.length > buffer.length && bytes.length <= REUSED_BYTES_MAX) {
        buffer = bytes;
      }
      // A rejection while the fold runs below must not count as unhandled.
      if (!onDisk) durable.catch(() => undefined);
      remember(bytes.length, drafts, entries);
      begin(beatLength(history, options.commit));
      const release = options.fold(bytes);
      if (onDisk) {
        written(entries, release)?.catch(die);
      } else {
        durable.then(() => written(entries, release)).catch(die);
      }
    } catch (error) {
      die(error);
    }
  }

  /** The commit is on disk. What it answers is waited for. */
  function written(entries: Entry[], release: () => unknown): Promise<void> | undefined {
    if (state === 'dead') {
      return;
    }
    commits += 1;
    // Outputs first: a broker takes packets one by one, and a prediction would wait behind hundreds of acknowledgements.
    const released = release();
    for (const entry of entries) {
      entry.durable?.();
    }
    if (released instanceof Promise) {
      return released.then(() => settle(entries));
    }
    settle(entries);
  }

  function settle(entries: Entry[]): void {
    state = 'settled';
    held = entries;
    options.settled?.();
    if (timeIsOver || waiters.length > 0) {
      state = 'due';
      setImmediate(next);
    }
  }

  /** Of this beat's time. */
  function begin(lengthMs: number): void {
    timeIsOver = lengthMs === 0;
    if (timeIsOver) {
      return;
    }
    if (timer !== null && timerMs === lengthMs) {
      timer.refresh();
      return;
    }
    clearTimeout(timer ?? undefined);
    timerMs = lengthMs;
    timer = setTimeout(() => {
      timeIsOver = true;
      if (state === 'settled') {
        next();
      }
    }, lengthMs);
  }

  /** The next beat: doors read again. */
  function next(): void {
    if (state === 'dead') {
      return;
    }
    state = 'due';
    const doors = held;
    held = [];
    let read = true;
    for (const door of doors) {
      read = (door.proceed?.() ?? true) && read;
    }
    if (read && pending.length > 0) {
      commit();
    } else {
      // What the doors read in this turn joins what they had read before.
      setImmediate(commit);
    }
  }

  function remember(bytes: number, drafts: BlockDraft[], entries: Entry[]): void {
    const messages = drafts.reduce((sum, draft) => sum + draft.count, 0);
    let ackable = 0;
    for (const entry of entries) {
      ackable += entry.ackable?.() ?? 0;
    }
    const nowMs = performance.now();
    history = remembered(history, { bytes, messages, ackable, spanMs: nowMs - committedMs });
    committedMs = nowMs;
  }

  function die(error: unknown): void {
    if (state === 'dead') {
      return;
    }
    state = 'dead';
    failure = error;
    pending = [];
    held = [];
    clearTimeout(timer ?? undefined);
    for (const waiter of waiters) {
      waiter.reject(error);
    }
    waiters = [];
    options.failed(error);
  }

  function settleWaiters(): void {
    const settled = waiters;
    waiters = [];
    for (const waiter of settled) {
      waiter.resolve();
    }
  }

  function drained(): Promise<void> {
    if (state === 'dead') {
      return Promise.reject(failure);
    }
    if (state === 'idle') {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
  }

  return {
    put,
    drained,
    end() {
      ended = true;
      return drained();
    },
    commits: () => commits,
    settled: () => state === 'idle' || state === 'settled' || state === 'due',
  };
}
