/** Faults put into the system calls of a live process with strace; and why that is not possible here. */
import { spawnSync } from 'node:child_process';

const probe = spawnSync('strace', ['-qq', '-e', 'trace=none', 'true']);

/** Null when processes can be traced. */
export const straceAbsent: string | null =
  probe.error !== undefined
    ? '(skipped: needs strace; .ci/run installs it)'
    : probe.status === 0
      ? null
      : '(skipped: strace may not trace processes here)';

/**
 * A command line to go in front of a process: it has one thread for its file operations, so that their count is that of the
 * process, and the fault meets calls on this path only.
 * @param fault as strace's `inject=`: `pwrite64:error=EIO:when=20`
 */
export function withFault(fault: string, path: string): string[] {
  const call = fault.split(':')[0] as string;
  return [
    ...['env', 'UV_THREADPOOL_SIZE=1'],
    // -D: the traced process is the one that was started, and gets the signals.
    ...['strace', '-D', '-f', '-qq', '-o', '/dev/null', '-P', path, '-e', `trace=${call}`, '-e', `inject=${fault}`],
  ];
}
