/** A gateway as a process of its own, with its events collected; for tests that stop, kill and restart it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AgentEvent, AgentStatus } from '@rivulet/host';

const COMMAND = fileURLToPath(new URL('../../edge-agent/bin/rivulet.js', import.meta.url));
/** Longer than a call over a broker that nobody answers, and enough for a machine that is busy. */
const WAIT_MS_MAX = 40_000;

export interface AgentProcess {
  pid: number;
  events: AgentEvent[];
  /** What it said on standard error. */
  complaints(): string;
  /** The newest status. */
  status(): AgentStatus | undefined;
  /** Resolves when an event or a moment satisfies the condition. */
  until(condition: () => boolean, what: string): Promise<void>;
  ready(): Promise<{ brokerPort: number }>;
  /** SIGTERM; answers the event `stopped`. */
  stop(): Promise<AgentStatus & { digest: string }>;
  kill(): Promise<void>;
  /** Its exit code, when it has ended. */
  ended(): Promise<number | null>;
}

/** @param options a command in front of node's (such as `prlimit`), node's own options, and more of the agent's */
export function startAgentProcess(
  config: string,
  options: { before?: string[]; node?: string[]; more?: string[] } = {},
): AgentProcess {
  const command = [
    ...(options.before ?? []),
    ...[process.execPath, ...(options.node ?? []), COMMAND, 'run', '--config', config, '--status-json', '100ms'],
    ...(options.more ?? []),
  ];
  const child: ChildProcess = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const events: AgentEvent[] = [];
  let complaints = '';
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => events.push(JSON.parse(line)));
  child.stderr?.on('data', (data) => {
    complaints += String(data);
  });
  const exit = once(child, 'close');
  const over = (): boolean => child.exitCode !== null || child.signalCode !== null;

  async function until(condition: () => boolean, what: string): Promise<void> {
    for (let waited = 0; waited < WAIT_MS_MAX; waited += 20) {
      if (condition()) {
        return;
      }
      if (over()) {
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (!condition()) {
      throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}; it said: ${complaints} ${JSON.stringify(events.at(-1))}`);
    }
  }

  const status = (): AgentStatus | undefined =>
    events.findLast((event): event is AgentStatus => event.event === 'status' || event.event === 'stopped');

  return {
    pid: child.pid as number,
    events,
    complaints: () => complaints,
    status,
    until,
    async ready() {
      await until(() => events.some(({ event }) => event === 'ready'), 'the agent is ready');
      const ready = events.find((event) => event.event === 'ready');
      return { brokerPort: ready?.broker_port ?? 0 };
    },
    async stop() {
      child.kill('SIGTERM');
      await exit;
      const stopped = events.at(-1);
      if (stopped?.event !== 'stopped' || stopped.digest === undefined) {
        throw new Error(`no clean stop: ${complaints} ${JSON.stringify(stopped)}`);
      }
      return { ...stopped, digest: stopped.digest };
    },
    async kill() {
      if (!over()) {
        child.kill('SIGKILL');
      }
      await exit;
    },
    async ended() {
      await exit;
      return child.exitCode;
    },
  };
}

/** Runs a command to its end. */
export async function runRivulet(...argv: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [COMMAND, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => {
    out += String(data);
  });
  child.stderr.on('data', (data) => {
    err += String(data);
  });
  await once(child, 'close');
  return { code: child.exitCode, out, err };
}
