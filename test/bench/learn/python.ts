/** The Python that the peers live in: a venv inside the cache, made only when asked for. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What is measured against; one version each, so that a figure can be repeated. */
const PACKAGES = ['river==0.26.1', 'vowpalwabbit==9.11.9', 'scikit-learn==1.9.1'];

/** The interpreter of the peers, or null when it was never installed. */
export function pythonIn(cache: string): string | null {
  const python = join(cache, 'venv', 'bin', 'python');
  return existsSync(python) ? python : null;
}

/** Makes the venv and installs the peers from PyPI. */
export function installPeers(cache: string): void {
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', join(cache, 'venv')]],
    [join(cache, 'venv', 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--no-input', ...PACKAGES]],
  ];
  for (const [command, args] of steps) {
    const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `exit code ${status}`}`);
  }
}

/** Runs a script of this folder; yields its lines of JSON. */
export async function* jsonLines(python: string, script: string, args: string[]): AsyncGenerator<unknown> {
  const child = spawn(python, [join(import.meta.dirname, script), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve, reject) => child.once('close', resolve).once('error', reject));
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString()).slice(-2000);
  });
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
  const code = await ended;
  if (code !== 0) throw new Error(`${script} ended with ${code}: ${complaint}`);
}
