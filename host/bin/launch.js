// What every command begins with. Plain JavaScript, so that an old Node can read it: it goes on in the TypeScript sources
// when this Node can run them (24.21 or newer), else with the Node that `npm ci` brought, else it says so in one line.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NEEDED = [24, 21];

/** @param {string} version such as `24.21.0` */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
}

/**
 * The Node that `npm ci` brought, in a folder of the script or one above it.
 * @param {string} script
 */
function broughtNode(script) {
  for (let at = dirname(script); ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (at === dirname(at)) return null;
  }
}

/**
 * Runs a command; its answer becomes the exit code.
 * @param {string} self `import.meta.url` of the calling script
 * @param {() => Promise<(argv: string[]) => Promise<number>>} load imports the command's sources
 */
export async function launch(self, load) {
  const script = fileURLToPath(self);
  if (isNewEnough(process.versions.node)) {
    // Sources are kept with their types taken off (below the system's temporary directory): a quicker start, 40 MB less.
    module.enableCompileCache();
    const command = await load();
    process.exitCode = await command(process.argv.slice(2));
    return;
  }
  const node = process.env.RIVULET_REEXECUTED === undefined ? broughtNode(script) : null;
  if (node === null) {
    console.error(
      `RIV_NODE_TOO_OLD: this is Node ${process.versions.node}; expected ${NEEDED.join('.')} or newer. Run \`npm ci\`, which brings it.`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [...process.execArgv, script, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, RIVULET_REEXECUTED: '1' },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`RIV_NODE_TOO_OLD: ${node} does not start: ${error.message}. Run \`npm ci\` again.`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
  });
}
