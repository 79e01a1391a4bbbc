/** The fold over a real log, with a core that only counts blocks and can be made to trap. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
import { firstPlan, foldLog } from './fold.ts';
import { encodePublish } from './ingest/packet.ts';
import { messagesIn, openBlock } from './packets.ts';
import { type Aside, blocksOf, readSetAside, writeSetAside } from './set_aside.ts';

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

/** A block of messages with these payloads. */
function messages(...texts: string[]): BlockDraft {
  const packets = texts.map((text, n) =>
    encodePublish({ topic: `t/${text}`, payload: text, qos: 1, dup: false, messageId: n + 1 }, 1000),
  );
  return { ...draft(BLOCK_KIND.messagesV4, Buffer.concat(packets)), count: texts.length };
}

/**
 * Its state is the list of what it has folded: sequences, and topics of messages with a QoS that there is. It traps on a
 * sequence or a topic that is poison, and is dead then.
 */
function countingCore(poison: (number | string)[]) {
  let engines = 0;
  const folded: (number | string)[] = [];
  const newEngine = () => {
    engines += 1;
    let state: (number | string)[] = [];
    let dead = false;
    return {
      open: () => undefined,
      restore(bytes: Uint8Array) {
        state = JSON.parse(Buffer.from(bytes).toString());
      },
      checkpoint: () => Buffer.from(JSON.stringify(state)),
      ingest(blocks: Buffer) {
        for (const { at, end, sequence } of blocksOf(blocks)) {
          const block = openBlock(blocks.subarray(at, end));
          const seen = block.kind === BLOCK_KIND.messagesV4 ? topics(block.payload) : [sequence];
          dead ||= [sequence, ...seen].some((item) => poison.includes(item));
          state.push(...seen);
        }
        if (dead) {
          throw new RivuletError('RIV_CORE_TRAPPED', { found: 'unreachable' });
        }
        folded.splice(0, folded.length, ...state);
        return new Uint8Array(0);
      },
    } as unknown as Engine;
  };
  return { core: { newEngine } as unknown as Core, folded, engines: () => engines };
}

/** Topics of a payload's messages; `-` for one whose QoS there is not. */
function topics(payload: Buffer): string[] {
  return messagesIn(payload).map(({ at, body }) =>
    ((payload[at] as number) & 6) === 6
      ? '-'
      : payload.toString('utf8', body + 2, body + 2 + payload.readUInt16BE(body)),
  );
}

const start = { plan: Buffer.from('{}') };
const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('the fold over a log', () => {
  it('goes through all blocks, from the start or from a checkpoint', async () => {
    const { core, folded } = countingCore([]);
    await foldLog({ core, log, setAside: [], start });
    expect(folded).toEqual(all);
    const state = Buffer.from('[0,1,2]');
    await foldLog({ core, log, setAside: [], start: { state, fromSequence: 3 } });
    expect(folded).toEqual(all);
  });

  it('sets aside a block in which no message is to blame, once, and passes over it from then on', async () => {
    const setAside: Aside[] = [];
    const first = countingCore([4, 7]);
    await foldLog({ core: first.core, log, setAside, start });
    expect(setAside).toMatchObject([
      { sequence: 4, at: null, code: 'RIV_CORE_TRAPPED' },
      { sequence: 7, at: null, code: 'RIV_CORE_TRAPPED' },
    ]);
    expect(first.folded).toEqual([0, 1, 2, 3, 5, 6, 8, 9]);
    await writeSetAside(directory, setAside);
    const second = countingCore([4, 7]);
    await foldLog({ core: second.core, log, setAside: await readSetAside(directory), start });
    expect(second.engines()).toBe(1);
    expect(second.folded).toEqual(first.folded);
  });

  it('finds the messages that trap the core by bisection and folds all others of their block', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `m${n}`);
    await log.append([messages('a', 'b'), messages(...names), draft(BLOCK_KIND.tick)]).durable;
    const setAside: Aside[] = [];
    const blamed: [string | null, number][] = [];
    const first = countingCore(['t/m0', 't/m37', 't/m99']);
    await foldLog({
      core: first.core,
      log,
      setAside,
      start,
      blamed: (aside) => blamed.push([aside.topic, aside.offset]),
    });
    expect(blamed).toEqual([
      ['t/m0', 2],
      ['t/m37', 39],
      ['t/m99', 101],
    ]);
    const rest = names.map((name) => (['m0', 'm37', 'm99'].includes(name) ? '-' : `t/${name}`));
    expect(first.folded).toEqual([...all, 't/a', 't/b', ...rest, 12]);
    expect(first.engines()).toBeLessThan(40);
    await writeSetAside(directory, setAside);
    const second = countingCore(['t/m0', 't/m37', 't/m99']);
    await foldLog({ core: second.core, log, setAside: await readSetAside(directory), start });
    expect([second.engines(), second.folded]).toEqual([1, first.folded]);
  });

  it('gives up when more is set aside than a sound core would ask for', async () => {
    await log.append(Array.from({ length: 70 }, (_, n) => messages(`x${n}`))).durable;
    const { core } = countingCore(Array.from({ length: 70 }, (_, n) => `t/x${n}`));
    await expect(foldLog({ core, log, setAside: [], start })).rejects.toMatchObject({ code: 'RIV_CORE_TRAPPED' });
  });

  it('refuses a list of what was set aside that cannot be read', async () => {
    await writeFile(join(directory, 'set_aside.json'), '{');
    await expect(readSetAside(directory)).rejects.toMatchObject({ code: 'RIV_CORRUPT' });
    await writeFile(join(directory, 'set_aside.json'), '{"version":2,"set_aside":[]}');
    await expect(readSetAside(directory)).rejects.toMatchObject({ code: 'RIV_TOO_NEW' });
  });

  it('begins with the plan that the log begins with', async () => {
    const { kernelHash, plan } = await firstPlan(log);
    expect([kernelHash[0], plan.toString()]).toEqual([1, '{}']);
  });
});
