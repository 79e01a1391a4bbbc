/** What sync keeps on disk: a fault there is told, and the next round tries again; the gateway itself goes on. */
import { RivuletError, reason } from '@rivulet/host';

/**
 * Waits for something to be done to a file.
 * @throws RIV_SYNC_DISK
 */
export async function onDisk<T>(where: string, done: Promise<T>, what: 'read' | 'written' = 'written'): Promise<T> {
  try {
    return await done;
  } catch (cause) {
    // `replaceFile` words the operating system's error; that is its cause.
    const why = reason(cause instanceof RivuletError ? cause.cause : cause);
    throw new RivuletError('RIV_SYNC_DISK', { where, found: `cannot be ${what} (${why})`, cause });
  }
}
