// What the outside world gives a process: time and the boot it belongs to. Everything below the entry points takes these
// as parameters, so that tests decide what time it is.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32c } from './crc32c.ts';

/** The clocks that block headers carry. */
export interface Clock {
  /** Epoch milliseconds; may jump. */
  wallMs(): number;
  /** Microseconds of the boot's monotonic clock; never goes back within one boot. */
  monoUs(): number;
  /** Names the boot that `monoUs` counts in: readings of two boots do not compare. */
  readonly boot: number;
}

/** The machine's clocks. */
export function systemClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monoUs: () => Number(process.hrtime.bigint() / 1000n),
    boot: bootId(),
  };
}

/** Hash of Linux's boot id; elsewhere a random number, so that every process counts as a boot of its own. */
function bootId(): number {
  try {
    return crc32c(readFileSync('/proc/sys/kernel/random/boot_id'));
  } catch {
    return randomBytes(4).readUInt32LE(0);
  }
}
