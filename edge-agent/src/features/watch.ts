/**
 * Continuous proof that served vectors can be rebuilt: now and then `rivulet features verify --recent` in a process of its own,
 * of low priority, so that taking messages never waits for it. What differs is noticed and stays in the status.
 */
import { spawn } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type AgentStatus, type Config, RivuletError } from '@rivulet/host';
import type { Verified } from './verify.ts';

const COMMAND = fileURLToPath(new URL('../../bin/rivulet.js', import.meta.url));
/** An answer names each key that differs; a sample has at most some thousand. */
const ANSWER_CHARS_MAX = 4 << 20;

export interface Watch {
  status(): NonNullable<AgentStatus['features_verified']>;
  stop(): void;
}

export interface WatchContext {
  directory: string;
  wallMs(): number;
  notice(error: RivuletError): void;
}

export function watchFeatures({ everyMs, keys }: NonNullable<Config['verify']>, context: WatchContext): Watch {
  const { directory, wallMs, notice } = context;
  const counts = { at: null as number | null, rounds: 0, vectors: 0, different: 0 };
  let child: ReturnType<typeof spawn> | null = null;

  function look(): void {
    if (child !== null) {
      return;
    }
    const argv = ['features', 'verify', directory, '--recent', '--json', '--keys', String(keys)];
    const running = spawn(process.execPath, [COMMAND, ...argv], { stdio: ['ignore', 'pipe', 'ignore'] });
    child = running;
    let answer = '';
    running.stdout?.on('data', (data) => {
      answer = answer.length < ANSWER_CHARS_MAX ? answer + String(data) : answer;
    });
    running.on('spawn', () => {
      try {
        setPriority(running.pid as number, constants.priority.PRIORITY_LOW);
      } catch {
        // It is a courtesy.
      }
    });
    running.on('error', () => {
      child = null;
    });
    running.on('close', (code, signal) => {
      child = null;
      // Without an answer there was nothing to prove: one checkpoint only, or one that was just being written.
      if (signal === null && code !== null && answer !== '') {
        judge(answer);
      }
    });
  }

  function judge(answer: string): void {
    let verified: Verified;
    try {
      verified = JSON.parse(answer) as Verified;
    } catch {
      return; // cut off above its limit, or by the end of the process
    }
    counts.at = wallMs();
    counts.rounds += 1;
    counts.vectors += verified.vectors;
    counts.different += verified.different.length;
    const [first] = verified.different;
    if (first !== undefined) {
      const found = `vectors of ${first.task} for ${first.key}, messages ${verified.fromOffset} to ${verified.toOffset}, are not as they were served`;
      notice(new RivuletError('RIV_FEATURES_DIFFER', { found, where: directory }));
    }
  }

  const timer = setInterval(look, everyMs);
  return {
    status: () => ({ ...counts }),
    stop() {
      clearInterval(timer);
      child?.kill();
    },
  };
}
