// What `npm start` runs. Plain JavaScript, so that an old Node can read it: it looks for a Node that runs the TypeScript
// sources (24.21 or newer; `npm ci` brings one) and goes on in main.ts.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NEEDED = [24, 21];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const newEnough = major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);

if (newEnough) {
  const { main } = await import(new URL('./main.ts', import.meta.url).href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  const brought = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url));
  if (process.env.RIVULET_REEXECUTED || !existsSync(brought)) {
    console.error(
      `RIV_NODE_TOO_OLD: this is Node ${process.versions.node}; expected ${NEEDED.join('.')} or newer. Run \`npm ci\`, which brings it, then \`npm start\`.`,
    );
    process.exitCode = 1;
  } else {
    const child = spawn(brought, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      stdio: 'inherit',
      env: { ...process.env, RIVULET_REEXECUTED: '1' },
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
    child.on('error', (error) => {
      console.error(`RIV_NODE_TOO_OLD: ${brought} does not start: ${error.message}. Run \`npm ci\` again.`);
      process.exitCode = 1;
    });
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
    });
  }
}
