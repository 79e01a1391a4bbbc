/**
 * `npm start` as a newcomer runs it, with real processes: every gateway learns, the ledgers add up, a gateway that is killed
 * comes back with every message counted once, a second start goes on, replay gives the same digest, Ctrl-C leaves nothing behind.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayOutcome, Outcome } from '../../host/start/outcome.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const state = mkdtempSync(join(tmpdir(), 'rivulet-e2e-start-'));
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(state, { recursive: true, force: true });
});

interface Run {
  child: ChildProcess;
  /** Resolves at the end with all of standard output. */
  output: Promise<string>;
}

function npmStart(argv: string[]): Run {
  const child = spawn(process.execPath, [join(ROOT, 'host/start/start.js'), '--port', '0', ...argv], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const output = new Promise<string>((resolve) => {
    child.on('close', () => {
      running.delete(child);
      resolve(text);
    });
  });
  return { child, output };
}

async function outcomeOf(run: Run): Promise<Outcome> {
  return JSON.parse((await run.output).trim().split('\n').at(-1) ?? '') as Outcome;
}

/** Processes whose command line holds all of the words. */
function processesWith(...words: string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        return words.every((word) => line.includes(word));
      } catch {
        return false; // it has ended
      }
    })
    .map(Number);
}

async function until(met: () => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!met() && performance.now() < deadline) await sleep(50);
  expect(met()).toBe(true);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface PublisherPosition {
  sent: { readings: number; repeats: number; labels: number };
}

function sentBy(id: string): PublisherPosition['sent'] {
  return (JSON.parse(readFileSync(join(state, 'positions', `${id}.json`), 'utf8')) as PublisherPosition).sent;
}

function expectLedgerAddsUp({ ledger, messages }: GatewayOutcome): void {
  const { received, used, late, duplicate, retained, filtered, quarantined } = ledger;
  expect(used + late + duplicate + retained + filtered + quarantined).toBe(received);
  expect(received).toBe(messages);
}

/** What the publisher numbered and the gateway acknowledged is there, each once; repeats are known as such. */
function expectCountedOnce({ id, ledger }: GatewayOutcome): void {
  const { readings, repeats, labels } = sentBy(id);
  expect([id, ledger.used + ledger.late]).toEqual([id, readings + labels]);
  expect(ledger.duplicate).toBeGreaterThanOrEqual(repeats);
  expect(ledger.filtered + ledger.quarantined + ledger.retained).toBe(0);
}

function gateway(outcome: Outcome, id: string): GatewayOutcome {
  return outcome.gateways.find((one) => one.id === id) ?? expect.fail(`no ${id}`);
}

describe.runIf(process.platform === 'linux')('npm start', () => {
  let first: Outcome;

  beforeAll(async () => {
    const run = npmStart(['--state', state, '--stop-after', '40s', '--json']);
    await sleep(15_000);
    const [pid] = processesWith('rivulet.js', 'run', join(state, 'configs', 'building-1.yaml'));
    process.kill(pid ?? expect.fail('building-1 is not there'), 'SIGKILL');
    first = await outcomeOf(run);
  }, 80_000);

  test('every gateway takes messages, and its ledger adds up', () => {
    expect(first.gateways.map((one) => one.id)).toEqual(['machine', 'building-1', 'building-2']);
    for (const one of first.gateways) {
      expect(one.messages).toBeGreaterThan(50);
      expectLedgerAddsUp(one);
    }
  });

  test('no acknowledged message is missing and none counts twice, kill -9 in the middle included', () => {
    for (const id of ['building-1', 'building-2']) expectCountedOnce(gateway(first, id));
  });

  test('the building is forecast at least 20 % better than by its last value', () => {
    for (const id of ['building-1', 'building-2']) {
      const task = gateway(first, id).tasks.find((one) => one.name === 'temp_in_30m');
      expect(task?.error ?? 99).toBeLessThan(0.8 * (task?.error_last_value ?? 0));
    }
  });

  test('releases are made and taken', () => {
    expect(first.coordinator.deltas).toBeGreaterThan(0);
    expect(first.coordinator.releases).toBeGreaterThan(0);
    for (const id of ['building-1', 'building-2']) expect(gateway(first, id).releases_accepted).toBeGreaterThan(0);
  });

  test('replay folds the log to the digest of the gateway that wrote it', () => {
    for (const id of ['machine', 'building-1', 'building-2']) {
      const rivulet = join(ROOT, 'edge-agent/bin/rivulet.js');
      const said = execFileSync(process.execPath, [rivulet, 'replay', join(state, 'gateways', id), '--json'], {
        encoding: 'utf8',
      });
      const { digest, messages } = JSON.parse(said.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
      expect([id, digest, messages]).toEqual([id, gateway(first, id).digest, gateway(first, id).messages]);
    }
  }, 60_000);

  test('Ctrl-C ends all within five seconds, and a start with that state goes on from it', async () => {
    const run = npmStart(['--state', state, '--json']);
    await until(() => processesWith('--with-parent', state).length === 3, 15_000);
    await sleep(4000);
    const began = performance.now();
    run.child.kill('SIGINT');
    const second = await outcomeOf(run);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(processesWith('rivulet', state)).toEqual([]);
    for (const one of second.gateways) {
      expect(one.messages).toBeGreaterThan(gateway(first, one.id).messages);
      expectLedgerAddsUp(one);
    }
    for (const id of ['building-1', 'building-2']) expectCountedOnce(gateway(second, id));
  }, 60_000);

  const occupancy = join(ROOT, '..', 'shared', 'data', 'occupancy');
  test.skipIf(!existsSync(occupancy))(
    'recorded tables are played, one gateway each, to their end (skipped where ../shared/data is absent)',
    async () => {
      const played = await outcomeOf(npmStart(['--data', occupancy, '--speed', 'max', '--json']));
      expect(played.gateways.map((one) => one.id)).toEqual(['datatest', 'datatest2', 'datatraining']);
      for (const [index, rows] of [2665, 9752, 8143].entries()) {
        const one = played.gateways[index] ?? expect.fail();
        expectLedgerAddsUp(one);
        expect([one.id, one.ledger.used]).toEqual([one.id, 2 * rows]);
        // Automatic features are chosen by the first 64 messages; the first prediction is made with the last of them.
        const predictions = rows - 63;
        expect(one.tasks).toMatchObject([{ name: 'occupancy', kind: 'classification', predictions }]);
      }
    },
    60_000,
  );
});
