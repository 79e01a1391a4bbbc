/**
 * A coordinator with three made-up gateways, in one process and a temporary directory: for looking at the console.
 *
 *   node test/support/serve_fleet.ts [--port 8787]
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadCore, publicKeyBytes, systemClock } from '@rivulet/host';
import { startServer } from '../../cloud-sync/src/api/server.ts';
import { openCoordinator } from '../../cloud-sync/src/coordinator.ts';
import { openSqlite } from '../../cloud-sync/src/drivers/sqlite.ts';
import { mergesBy } from '../../cloud-sync/src/merge.ts';
import { beat, newFleet, postEnrolment } from './fleet.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '8787' } } });
const state = mkdtempSync(join(tmpdir(), 'rivulet-fleet-'));
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const core = await loadCore();
const coordinator = openCoordinator({
  store: openSqlite(join(state, 'coordinator.sqlite')),
  openMerge: mergesBy(core),
  kernelHash: core.kernelHash,
  identity: { publicKey: publicKeyBytes(publicKey), sign: (bytes) => sign(null, bytes, privateKey) },
  clock: systemClock(),
  releaseEveryMs: 5_000,
  version: '0.1.0',
});
const server = await startServer({
  coordinator,
  version: '0.1.0',
  host: '127.0.0.1',
  port: Number(values.port),
  token: null,
  consoleDirectory: fileURLToPath(new URL('../../cloud-sync/console/dist', import.meta.url)),
});
const fleet = newFleet();
for (const gateway of fleet) await postEnrolment(server.url, gateway);
console.log(`${server.url}: a coordinator and three made-up gateways; Ctrl-C ends it`);
const timer = setInterval(() => void Promise.all(fleet.map((gateway) => beat(server.url, gateway))), 1_000);
process.once('SIGINT', async () => {
  clearInterval(timer);
  await server.stop();
  coordinator.stop();
  rmSync(state, { recursive: true });
  process.exit(0);
});
