/**
 * What the operator should see without the agent having to stop: each notice is passed on once while it lasts, and the
 * last one stands in the status.
 */
import { RivuletError } from '@rivulet/host';

/** The same notice again within this time is not passed on: a broker that is away would fill the screen. */
const REPEAT_MS = 60_000;
/** Different messages remembered for that. */
const REMEMBERED_MAX = 64;

export interface Notices {
  add(error: RivuletError): void;
  last(): RivuletError | null;
  /** Whatever was noticed with a code of this beginning (and at this place) is over. */
  clear(codePrefix: string, where?: string): void;
}

export function createNotices(show: (error: RivuletError) => void, nowMs: () => number): Notices {
  let last: RivuletError | null = null;
  const shown = new Map<string, number>();
  return {
    add(error) {
      last = error;
      const before = shown.get(error.message) ?? Number.NEGATIVE_INFINITY;
      if (nowMs() - before < REPEAT_MS) {
        return;
      }
      shown.delete(error.message);
      shown.set(error.message, nowMs());
      if (shown.size > REMEMBERED_MAX) {
        shown.delete(shown.keys().next().value as string);
      }
      show(error);
    },
    last: () => last,
    clear(codePrefix, where) {
      if (last?.code.startsWith(codePrefix) && (where === undefined || last.message.startsWith(`${where}: `))) {
        last = null;
      }
    },
  };
}

/** What the operator is told while the disk is full. */
export function fullNotice(cause: RivuletError, where: string): RivuletError {
  return new RivuletError('RIV_LOG_FULL', {
    found: 'the disk is full: no messages are taken, and none that came is acknowledged',
    todo: 'Free disk space; the gateway goes on by itself.',
    ...{ where, cause },
  });
}
