/** A live process whose positional writes are short: the system takes a part of each and says so, as it may [POSIX, pwrite]. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/types.h>
static ssize_t part(const char *name, int fd, const void *bytes, size_t length, off64_t at) {
  ssize_t (*whole)(int, const void *, size_t, off64_t) = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, name);
  return whole(fd, bytes, length > 100 ? length / 3 : length, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return part("pwrite", fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return part("pwrite64", fd, bytes, length, at); }
`;

const compiler = spawnSync('cc', ['--version']);

/** Null when such a process can be had. */
export const shortWritesAbsent: string | null =
  process.platform === 'linux' && compiler.error === undefined && compiler.status === 0
    ? null
    : '(skipped: needs Linux and a C compiler)';

/** Compiles what makes writes short into a directory; answers the command line to go in front of a process. */
export function withShortWrites(directory: string): string[] {
  const [source, library] = [join(directory, 'short.c'), join(directory, 'short.so')];
  writeFileSync(source, SOURCE);
  const { status, stderr } = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  if (status !== 0) {
    throw new Error(`cc: ${stderr}`);
  }
  return ['env', `LD_PRELOAD=${library}`];
}
