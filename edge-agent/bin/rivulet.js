#!/usr/bin/env node
// The command `rivulet`. Plain JavaScript, so that an old Node can read it: it finds a Node that runs the TypeScript
// sources (24.21 or newer; `npm ci` brings one) and goes on in src/cli/main.ts.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = [24, 21];
const main = new URL('../src/cli/main.ts', import.meta.url);

/** @param {string} version such as `24.21.0` */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
}

/** The Node that `npm ci` brought, in this folder or one above it. */
function broughtNode() {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) {
      return candidate;
    }
    if (at === dirname(at)) {
      return null;
    }
  }
}

if (isNewEnough(process.versions.node)) {
  const { run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
} else {
  const node = process.env.RIVULET_REEXECUTED ? null : broughtNode();
  if (node === null) {
    console.error(
      `RIV_NODE_TOO_OLD: this is Node ${process.versions.node}; expected ${NEEDED.join('.')} or newer. Run \`npm ci\`, which brings it.`,
    );
    process.exitCode = 1;
  } else {
    const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      stdio: 'inherit',
      env: { ...process.env, RIVULET_REEXECUTED: '1' },
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => child.kill(signal));
    }
    child.on('error', (error) => {
      console.error(`RIV_NODE_TOO_OLD: ${node} does not start: ${error.message}. Run \`npm ci\` again.`);
      process.exitCode = 1;
    });
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
    });
  }
}
