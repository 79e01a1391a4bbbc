/**
 * Checkpoints: the fold's state to the older of two slots, so that a start folds seconds of log and not days. Taken only at
 * a moment when everything folded is durable; one at a time; a failed one is noticed and tried again at the next turn,
 * since the log still has everything. What keeps the fold waiting is the copy of what has changed since the one before;
 * checksums and writing are done between other turns.
 */
import {
  type Clock,
  type Core,
  type Engine,
  type Log,
  planHash,
  RivuletError,
  type Slots,
  type Snapshot,
  toRivuletError,
} from '@rivulet/host';

export interface CheckpointContext {
  core: Pick<Core, 'kernelHash'>;
  /** The plan that is followed. */
  plan(): Uint8Array;
  clock: Clock;
  engine: Pick<Engine, 'checkpoint' | 'checkpointParts'>;
  log: Log;
  slots: Slots;
  notice(error: RivuletError): void;
  /** The state directory is gone: what is written now would be lost. */
  failed(error: RivuletError): void;
  /** A checkpoint was written: what was noticed about the disk is over. */
  well(): void;
}

export interface Checkpoints {
  /** Takes one now, unless one is under way or nothing has come since the last; call it only when all is durable. */
  take(): void;
  /** Resolves when none is under way. */
  idle(): Promise<void>;
  /** The last one, when nothing comes any more; answers the digest of the state. */
  last(): Promise<string>;
}

export function createCheckpoints(context: CheckpointContext): Checkpoints {
  const { core, clock, engine, log, slots } = context;
  let taken = -1;
  /** Where the older slot stands: should the newer one not verify at a start, the log must reach back to there. */
  let older = 0;
  let running: Promise<void> | null = null;

  function place(): Omit<Snapshot, 'whole' | 'parts'> {
    const { nextSequence, nextOffset } = log;
    return {
      nextSequence,
      nextOffset,
      wallMs: clock.wallMs(),
      planHash: planHash(context.plan()),
      kernelHash: core.kernelHash,
    };
  }

  async function append(snapshot: Snapshot): Promise<void> {
    try {
      await slots.append(snapshot);
      await log.truncateBefore(older, { wallMs: clock.wallMs(), monoUs: clock.monoUs() });
      older = snapshot.nextSequence;
      await log.compress();
      context.well();
    } catch (error) {
      taken = -1;
      if (isGone(error)) {
        context.failed(goneError(error));
      } else {
        context.notice(toRivuletError(error));
      }
    }
  }

  return {
    take() {
      if (running === null && log.nextSequence !== taken) {
        taken = log.nextSequence;
        let snapshot: Snapshot;
        try {
          snapshot = { ...place(), ...engine.checkpointParts(slots.wantsWhole()) };
        } catch (error) {
          // The next fold finds the instance dead and rebuilds it.
          context.notice(toRivuletError(error));
          return;
        }
        running = append(snapshot).finally(() => {
          running = null;
        });
      }
    },
    async idle() {
      await running;
    },
    async last() {
      await running;
      return slots.save({ ...place(), state: engine.checkpoint() });
    },
  };
}

/** True when a directory has vanished under us: the log's open file can still be written, but nobody will ever find it. */
function isGone(error: unknown): error is RivuletError {
  return error instanceof RivuletError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

function goneError(cause: RivuletError): RivuletError {
  return new RivuletError('RIV_LOG_WRITE', {
    found: `the state directory was removed while the gateway ran (${cause.message})`,
    todo: 'Restore it or start anew: what was acknowledged since the last checkpoint before may be lost.',
    cause,
  });
}
