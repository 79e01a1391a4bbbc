/**
 * How long a gateway is away after a crash: killed with many messages behind its last checkpoint, started again, until
 * its first prediction about a message that came after the start.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { baseNow, startAgent, startFeeder } from './runs.ts';

export interface RestartFigures {
  messages_behind: number;
  /** From the start of the process to the first prediction about a new message. */
  restart_ms: number;
}

const MESSAGES_BEHIND = 1_000_000;

export async function measureRestart(directory: string, short: boolean): Promise<RestartFigures> {
  const state = await mkdtemp(join(directory, 'restart-'));
  const count = short ? MESSAGES_BEHIND / 4 : MESSAGES_BEHIND;
  const options = { qos: 1, state, commit: null, checkpointEvery: '1h' } as const;
  const feed = { mode: 'broker', port: 0, qos: 1, baseMs: baseNow() } as const;
  const first = startFeeder({ ...feed, rate: 0, first: 0, count });
  try {
    const agent = await startAgent({ ...options, port: await portOf(first) });
    await first.until((line) => line.event === 'subscribed', 'the agent subscribes');
    first.child.stdin?.write('play\n');
    await agent.until((event) => event.event === 'status' && event.messages >= count, 'all is taken');
    agent.child.kill('SIGKILL');
    await agent.end();
    await first.end();

    const second = startFeeder({ ...feed, rate: 10_000, first: count, count: 100_000 });
    try {
      const port = await portOf(second);
      second.child.stdin?.write('play\n');
      const began = Date.now();
      const again = await startAgent({ ...options, port });
      try {
        const heard = await second.until((line) => line.event === 'prediction', 'a prediction about a new message');
        return { messages_behind: count, restart_ms: heard.event === 'prediction' ? heard.at_ms - began : Number.NaN };
      } finally {
        again.child.kill('SIGKILL');
        await again.end();
      }
    } finally {
      await second.end();
    }
  } finally {
    await first.end();
    await rm(state, { recursive: true, force: true });
  }
}

async function portOf(feeder: ReturnType<typeof startFeeder>): Promise<number> {
  const listening = await feeder.until((line) => line.event === 'listening', 'the feeder listens');
  return listening.event === 'listening' ? listening.port : 0;
}
