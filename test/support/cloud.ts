/** A coordinator as a process of its own, for tests that kill it, trace it or take its disk away. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const COMMAND = fileURLToPath(new URL('../../cloud-sync/bin/rivulet-cloud.js', import.meta.url));

export interface CloudProcess {
  readonly url: string;
  readonly events: Record<string, unknown>[];
  /** Resolves when it has ended; answers the signal that did it, or null. */
  ended(): Promise<NodeJS.Signals | null>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** @param options a command in front of node's (such as strace), and more of its own options */
export async function startCloudProcess(
  state: string,
  options: { before?: string[]; port?: number; more?: string[] } = {},
): Promise<CloudProcess> {
  const command = [...(options.before ?? []), process.execPath, COMMAND, 'run', '--state', state, '--status-json'];
  command.push('--port', String(options.port ?? 0), '--release-every', '50ms', ...(options.more ?? []));
  const child: ChildProcess = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const events: Record<string, unknown>[] = [];
  let complaints = '';
  child.stderr?.on('data', (data) => {
    complaints += String(data);
  });
  const exit = once(child, 'close');
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exit;
  };
  const url = await new Promise<string>((ready, failed) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const event = JSON.parse(line) as Record<string, unknown>;
      events.push(event);
      if (event.event === 'ready') ready(event.url as string);
    });
    void exit.then(() => failed(new Error(`ended before it was ready: ${complaints}`)));
  });
  return {
    url,
    events,
    async ended() {
      await exit;
      return child.signalCode;
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}
