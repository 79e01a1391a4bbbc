/**
 * Builds the console when it is missing or older than its sources, so that a fresh clone shows it. A start never fails for
 * it: without a console the coordinator still serves its API.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A build takes a second or two; a machine that needs longer starts without. */
const BUILD_MS_MAX = 10_000;

/** Answers null when the console is ready, else a sentence on why it is not. */
export async function readyConsole(root: string): Promise<string | null> {
  const folder = join(root, 'cloud-sync', 'console');
  if (!existsSync(join(folder, 'index.html'))) return 'there is no console in this tree';
  const built = newest(join(folder, 'dist'));
  if (built > newest(folder, 'dist')) return null;
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  if (!existsSync(vite)) return built > 0 ? null : 'vite is not installed';
  const failure = await build(vite, folder, root);
  return failure === null || built > 0 ? null : `the console was not built: ${failure}`;
}

function build(vite: string, folder: string, root: string): Promise<string | null> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [vite, 'build', folder, '--logLevel', 'error'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: BUILD_MS_MAX,
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2000);
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => resolve(code === 0 ? null : (said.trim().split('\n')[0] ?? `exit code ${code}`)));
  });
}

/** Time of the newest file in a folder, 0 without any; `except` names a folder to pass over. */
function newest(folder: string, except?: string): number {
  if (!existsSync(folder)) return 0;
  let time = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === except || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return time;
}
