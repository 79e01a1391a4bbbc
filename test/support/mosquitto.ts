/**
 * A real mosquitto for tests: on a free port, with a configuration that does not hold back a burst, stopped with the test.
 * Absent (it is not an npm package), tests that need it are skipped with a message.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINARY = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/usr/bin/mosquitto'].find((path) =>
  existsSync(path),
);

/** Why tests that need mosquitto cannot run here; null when they can. */
export const mosquittoAbsent = BINARY === undefined ? 'mosquitto is not installed (apt-get install mosquitto)' : null;

export interface Mosquitto {
  port: number;
  url: string;
  /** As it says itself: `mosquitto version 2.0.11`. */
  version: string;
  /** Kills it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it had saved. */
  start(): Promise<void>;
  /** Stops and continues the process (SIGSTOP, SIGCONT): it keeps its connections and answers nothing. */
  freeze(): void;
  thaw(): void;
  /** Stops it cleanly, so that it saves what it has, and starts it again. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param options.saves false: nothing is persisted and queues are not bounded, so that the broker costs least (benches)
 * @param options.more further lines of its configuration, for its one listener (TLS, passwords)
 */
export async function startMosquitto({ saves = true, more = '' } = {}): Promise<Mosquitto> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-mosquitto-'));
  const config = join(directory, 'mosquitto.conf');
  // `autosave_on_changes` with 1: sessions survive a kill.
  await writeFile(
    config,
    `listener ${port} 127.0.0.1\n${more === '' ? 'allow_anonymous true\n' : more}max_inflight_messages 5000\nuser root\n${
      saves
        ? `max_queued_messages 100000\npersistence true\npersistence_location ${directory}/\nautosave_interval 1\nautosave_on_changes true\n`
        : 'max_queued_messages 0\nset_tcp_nodelay true\nsys_interval 1\n'
    }`,
  );
  let child: ChildProcess | null = null;

  async function start(): Promise<void> {
    child = spawn(BINARY as string, ['-c', config], { stdio: 'ignore' });
    await untilListening(port);
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child !== null && child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
    child = null;
  }

  await start();
  return {
    port,
    url: `${more.includes('certfile') ? 'mqtts' : 'mqtt'}://127.0.0.1:${port}`,
    version: /mosquitto version (\S+)/.exec(String(spawnSync(BINARY as string, ['-h']).stdout))?.[0] ?? 'mosquitto',
    start,
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await start();
    },
    async stop() {
      await end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function untilListening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const up = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (up) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`mosquitto does not listen on port ${port}`);
}
