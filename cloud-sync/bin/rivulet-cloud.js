#!/usr/bin/env node
// The command `rivulet-cloud`. Plain JavaScript that any Node can read: with a Node that cannot run the TypeScript
// sources it goes on with the one that `npm ci` brought, or says in one line what is missing.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NEEDED = [24, 21];

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) {
  const { main } = await import('../src/cli/main.ts');
  process.exitCode = await main(process.argv.slice(2));
} else {
  const bundled = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
  if (process.env.RIVULET_NODE_TRIED !== undefined || !existsSync(bundled)) {
    console.error(
      `RIV_NODE_TOO_OLD: this is Node ${process.versions.node}, rivulet-cloud needs ${NEEDED.join('.')} or newer. Run \`npm ci\`, which brings it.`,
    );
    process.exit(1);
  }
  const child = spawn(bundled, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, RIVULET_NODE_TRIED: process.versions.node },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 128);
  });
}
