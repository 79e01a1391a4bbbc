/** An example of the engine, run natively: what it prints, one JSON document per line. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ENGINE = join(import.meta.dirname, '..', '..', 'wasm-core', 'engine');

/** @throws Error with what cargo said when it does not run */
export function exampleLines<T>(name: string, options: readonly string[]): T[] {
  const args = ['run', '--quiet', '--release', '--example', name, '--', ...options];
  const { status, stdout, stderr, error } = spawnSync('cargo', args, { cwd: ENGINE, encoding: 'utf8' });
  if (status !== 0) throw new Error(`cargo ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}
