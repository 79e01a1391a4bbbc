/**
 * One process of the demonstration: started, listened to line by line, started again when it dies, stopped when asked, first
 * with SIGTERM and later with SIGKILL. In a process group of its own, so that a Ctrl-C reaches the launcher alone and the
 * order of stopping is the launcher's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { verdictOn } from './restart.ts';

/** Longest line of standard error that is kept for display. */
const LINE_LENGTH_MAX = 300;
/** Eight processes share the machine: small heaps, as `edge-agent/bin/rivulet.js` asks for, keep each near what it holds. */
const NODE_FLAGS = [
  '--max-semi-space-size=1',
  '--max-old-space-size=96',
  '--no-flush-bytecode',
  '--single-threaded-gc',
  '--v8-pool-size=2',
];

/** How to run it and what to tell whom. */
export interface ChildSpec {
  /** For people. */
  readonly name: string;
  /** Script and arguments for Node. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** A line of standard output. */
  line(text: string): void;
  /** It died and is started again after a pause, or it cannot be helped. */
  died(reason: string, hopeless: boolean): void;
  /** It ended well without being asked. */
  finished?(): void;
}

/** A supervised process. */
export interface Child {
  readonly name: string;
  /** Runs now. */
  readonly running: boolean;
  /** Times it was started again. */
  readonly restarts: number;
  start(): void;
  /** Asks it to end; resolves when it has, by force after `deadline_ms`. */
  stop(deadline_ms: number): Promise<void>;
  kill(): void;
}

/** A process that is not yet started. */
export function createChild(spec: ChildSpec): Child {
  let process_: ChildProcess | null = null;
  let again: NodeJS.Timeout | null = null;
  let ended: Promise<void> = Promise.resolve();
  let asked = false;
  let failures = 0;
  let restarts = 0;

  function start(): void {
    again = null;
    const began = performance.now();
    let lastLine = '';
    const child = spawn(process.execPath, [...NODE_FLAGS, ...spec.argv], {
      cwd: spec.cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    });
    process_ = child;
    createInterface({ input: child.stdout }).on('line', spec.line);
    createInterface({ input: child.stderr }).on('line', (text) => {
      if (text.trim() !== '') lastLine = text.trim().slice(0, LINE_LENGTH_MAX);
    });
    ended = new Promise((resolve) => {
      const onEnd = (code: number | null, why: string) => {
        if (process_ !== child) return; // both `error` and `close` came
        process_ = null;
        resolve();
        const aliveMs = performance.now() - began;
        const verdict = verdictOn({ asked, code, lastLine, aliveMs, failures });
        if (verdict.kind === 'done') {
          if (!asked) spec.finished?.();
          return;
        }
        const words = code === null && lastLine !== '' ? `${why} (last line: ${lastLine})` : lastLine || why;
        spec.died(words, verdict.kind === 'hopeless');
        if (verdict.kind === 'hopeless') return;
        failures = verdict.failures;
        restarts++;
        again = setTimeout(start, verdict.pauseMs);
      };
      child.on('error', (error) => onEnd(null, error.message));
      child.on('close', (code, signal) => onEnd(code, signal === null ? `exit code ${code}` : `killed by ${signal}`));
    });
  }

  async function stop(deadline_ms: number): Promise<void> {
    asked = true;
    if (again !== null) clearTimeout(again);
    if (process_ === null) return;
    process_.kill('SIGTERM');
    const force = setTimeout(() => process_?.kill('SIGKILL'), deadline_ms);
    await ended;
    clearTimeout(force);
  }

  return {
    name: spec.name,
    get running() {
      return process_ !== null;
    },
    get restarts() {
      return restarts;
    },
    start,
    stop,
    kill() {
      asked = true;
      if (again !== null) clearTimeout(again);
      process_?.kill('SIGKILL');
    },
  };
}
