/** Where the demonstration keeps things and listens, checked before anything is started: one clear line when it cannot. */
import { once } from 'node:events';
import { constants, mkdtempSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RivuletError } from '../src/errors.ts';
import { makeDirectory, reason } from '../src/files.ts';

const HOST = '127.0.0.1';

/** The state directory. */
export interface StatePlace {
  readonly root: string;
  /** Made for this run, and removed after it. */
  readonly temporary: boolean;
  readonly coordinator: string;
  gateway(id: string): string;
  config(id: string): string;
  position(id: string): string;
}

/**
 * Makes the state directory, or a temporary one.
 * @throws RIV_STATE_UNUSABLE
 */
export async function openState(named: string | null): Promise<StatePlace> {
  const root = named === null ? mkdtempSync(join(tmpdir(), 'rivulet-')) : resolve(named);
  const folders = ['gateways', 'configs', 'positions'].map((name) => join(root, name));
  for (const folder of folders) {
    await makeDirectory(folder);
    await access(folder, constants.W_OK | constants.X_OK).catch((cause: unknown) => {
      throw new RivuletError('RIV_STATE_UNUSABLE', {
        where: folder,
        found: `it cannot be written (${reason(cause)})`,
        todo: 'Make it writable, or name another directory with --state.',
        cause,
      });
    });
  }
  return {
    root,
    temporary: named === null,
    coordinator: join(root, 'coordinator'),
    gateway: (id) => join(root, 'gateways', id),
    config: (id) => join(root, 'configs', `${id}.yaml`),
    position: (id) => join(root, 'positions', `${id}.json`),
  };
}

/**
 * Checks that a port is free and answers it; for 0 some free one.
 * @throws RIV_PORT_BUSY
 */
export function freePort(port: number): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      fail(
        new RivuletError('RIV_PORT_BUSY', {
          found: `port ${port} cannot be used (${cause.code})`,
          todo: 'Stop what uses it, or choose another one with --port.',
          cause,
        }),
      );
    });
    server.listen(port, HOST, () => {
      const { port: found } = server.address() as { port: number };
      server.close(() => done(found));
    });
  });
}

/** Some free ports, all different: they are held together before they are let go. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, HOST));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
