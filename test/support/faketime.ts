/** A wall clock of one process that can be set while it runs (libfaketime); and why that is not possible here. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';

const LIBRARIES = ['x86_64', 'aarch64', 'arm'].flatMap((machine) =>
  ['gnu', 'gnueabihf'].map((abi) => `/usr/lib/${machine}-linux-${abi}/faketime/libfaketimeMT.so.1`),
);
const library = LIBRARIES.find((path) => existsSync(path));

/** Null when a process's clock can be set. */
export const faketimeAbsent: string | null =
  library === undefined ? '(skipped: needs libfaketime; .ci/run installs it)' : null;

/**
 * A clock file, and the command line to go in front of the process that follows it. Its monotonic clock stays as it is, as
 * when somebody sets a machine's clock.
 */
export function openClock(path: string): { before: string[]; set(seconds: number): void } {
  const set = (seconds: number): void => {
    writeFileSync(`${path}.new`, `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}`);
    renameSync(`${path}.new`, path);
  };
  set(0);
  return {
    before: [
      ...['env', `LD_PRELOAD=${library}`, `FAKETIME_TIMESTAMP_FILE=${path}`],
      ...['FAKETIME_DONT_FAKE_MONOTONIC=1', 'FAKETIME_CACHE_DURATION=1'],
    ],
    set,
  };
}
