/** The fold over a real log, with a core that only counts blocks and can be made to trap. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BLOCK_KIND,
  type BlockDraft,
  type Core,
  type Engine,
  encodePlanPayload,
  type Log,
  openLog,
  RivuletError,
} from '@rivulet/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { blocksOf, firstPlan, foldLog, readSkipped, type Skipped, writeSkipped } from './fold.ts';

let directory = '';
let log: Log;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-fold-'));
  log = await openLog({ directory: join(directory, 'log') });
  const plan = encodePlanPayload(Buffer.alloc(32, 1), Buffer.from('{}'));
  await log.append([draft(BLOCK_KIND.plan, plan), ...Array.from({ length: 9 }, () => draft(BLOCK_KIND.tick))]).durable;
});
afterEach(async () => {
  await log.close();
  await rm(directory, { recursive: true, force: true });
});

function draft(kind: BlockDraft['kind'], payload: Uint8Array = Buffer.alloc(0)): BlockDraft {
  return { kind, door: 0, epoch: 0, count: 0, payload, wallMs: 0, monoUs: 0, boot: 0 };
}

/** Its state is the list of the sequences it has folded. */
function countingCore(poison: number[]) {
  let engines = 0;
  const folded: number[] = [];
  const newEngine = () => {
    engines += 1;
    folded.length = 0;
    return {
      open: () => undefined,
      restore: (state: Uint8Array) => folded.push(...JSON.parse(Buffer.from(state).toString())),
      ingest(blocks: Buffer) {
        const sequences = [...blocksOf(blocks)].map(({ sequence }) => sequence);
        if (sequences.some((sequence) => poison.includes(sequence))) {
          throw new RivuletError('RIV_CORE_TRAPPED', { found: 'unreachable' });
        }
        folded.push(...sequences);
        return new Uint8Array(0);
      },
    } as unknown as Engine;
  };
  return { core: { newEngine } as unknown as Core, folded, engines: () => engines };
}

const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('the fold over a log', () => {
  it('goes through all blocks, from the start or from a checkpoint', async () => {
    const { core, folded } = countingCore([]);
    await foldLog({ core, log, skipped: new Map(), start: { plan: Buffer.from('{}') } });
    expect(folded).toEqual(all);
    const state = Buffer.from('[0,1,2]');
    await foldLog({ core, log, skipped: new Map(), start: { state, fromSequence: 3 } });
    expect(folded).toEqual(all);
  });

  it('sets aside a block that traps the core, once, and passes over it from then on', async () => {
    const skipped: Skipped = new Map();
    const first = countingCore([4, 7]);
    await foldLog({ core: first.core, log, skipped, start: { plan: Buffer.from('{}') } });
    expect([...skipped]).toEqual([
      [4, 'RIV_CORE_TRAPPED'],
      [7, 'RIV_CORE_TRAPPED'],
    ]);
    expect(first.folded).toEqual([0, 1, 2, 3, 5, 6, 8, 9]);
    await writeSkipped(directory, skipped);
    const second = countingCore([4, 7]);
    await foldLog({
      core: second.core,
      log,
      skipped: await readSkipped(directory),
      start: { plan: Buffer.from('{}') },
    });
    expect(second.engines()).toBe(1);
    expect(second.folded).toEqual(first.folded);
  });

  it('begins with the plan that the log begins with', async () => {
    const { kernelHash, plan } = await firstPlan(log);
    expect([kernelHash[0], plan.toString()]).toEqual([1, '{}']);
  });
});
