import { encodeRelease, RivuletError, releaseHash, sha256 } from '@rivulet/host';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqlite } from '../drivers/sqlite.ts';
import type { Store } from '../drivers/store.ts';
import type { OpenMerge } from '../merge.ts';
import { openModels } from './models.ts';

let store: Store;
let opened: number;

beforeEach(() => {
  store = openSqlite(':memory:');
  opened = 0;
});

afterEach(() => store.close());

/** Statistics are a word, in brackets when what was learned on top of releases does not count; "trap" kills the instance, "bad" is refused, "partly" has a part left out, the model is all words in gateway order. */
const merges: OpenMerge = () => {
  opened++;
  const parts = new Map<string, string>();
  return {
    put(gateway, statistics, forked = true) {
      const word = Buffer.from(statistics).toString();
      if (word === 'trap') throw new RivuletError('RIV_CORE_TRAPPED', 'the core trapped');
      if (word === 'bad') throw new RivuletError('RIV_CORE_BAD_NUMBERS', 'numbers that do not add up');
      parts.set(gateway, forked ? word : `(${word})`);
      return word !== 'partly';
    },
    remove: (gateway) => void parts.delete(gateway),
    judge: () => ({ oneWorld: false, suspects: [] }),
    count: () => ({ gateways: parts.size, rows: 0 }),
    measure: () => ({ gateways: parts.size, rows: 0, digest: Buffer.alloc(32), removable: Buffer.alloc(32) }),
    solve() {
      const words = [...parts].sort().map(([, word]) => word);
      return { gateways: words.length, rows: 0, model: Buffer.from(words.join(' ')), digest: Buffer.alloc(32) };
    },
  };
};

const MODEL = { schema: 's', task: 't', schemaText: '{}', form: 1 } as const;

function stored(gateway: string, word: string): void {
  const delta = { ...MODEL, gateway, incarnation: 'aa', seq: 1, payloadHash: word, statistics: Buffer.from(word) };
  store.atomically(() => {
    const offset = store.deltas.append({ ...delta, receivedMs: 0 }, 'accepted', null);
    const head = {
      ...MODEL,
      release: null,
      pinned: null,
      previous: null,
      releaseOffset: 0,
      offset,
      releases: 0,
      revision: 1,
    };
    store.heads.compareAndSet(null, head);
  });
}

/** A release of a classification, on the line of `line` or, without, the first of its own. */
function released(rows: number, line: string | null): string {
  const schema = Buffer.from('{}');
  const bytes = encodeRelease({
    ...{ task: 't', schemaHash: sha256(schema), schema, kernelHash: Buffer.alloc(32), parent: Buffer.alloc(32) },
    ...{ line: line === null ? Buffer.alloc(32) : Buffer.from(line, 'hex'), gateways: 1, rows },
    model: Buffer.from('model'),
  });
  const hash = releaseHash(bytes).toString('hex');
  store.blobs.put(hash, bytes);
  return hash;
}

function open() {
  return openModels(store, merges, () => 7);
}

describe('the live models', () => {
  it('come back from the store as they were', () => {
    stored('a', 'one');
    stored('b', 'two');
    const models = open();
    models.rebuild();
    expect(models.solve(MODEL).model.toString()).toBe('one two');
    expect(opened).toBe(1);
  });

  it('lose what the core now refuses, and nothing else, with the reason kept', () => {
    stored('a', 'one');
    stored('b', 'bad');
    stored('c', 'trap');
    stored('d', 'two');
    const models = open();
    models.rebuild();
    expect(models.solve(MODEL).model.toString()).toBe('one two');
    expect(store.quarantine.list(9).map(({ gateway, code }) => [gateway, code])).toEqual([
      ['c', 'RIV_CORE_TRAPPED'],
      ['b', 'RIV_CORE_BAD_NUMBERS'],
    ]);
    expect(store.deltas.lineage('s').map(({ gateway }) => gateway)).toEqual(['a', 'd']);
    expect(store.counter('quarantined')).toBe(2);
  });

  it('survive a trap: the next use is a new instance without what caused it', () => {
    stored('a', 'one');
    const models = open();
    expect(() => models.put(MODEL, { gateway: 'b', statistics: Buffer.from('trap') })).toThrow(
      expect.objectContaining({ code: 'RIV_CORE_TRAPPED' }),
    );
    expect(models.solve(MODEL).model.toString()).toBe('one');
    expect(opened).toBe(2);
  });

  it('tell of a part left out once, and again after it was whole', () => {
    const models = open();
    const told = ['one', 'partly', 'partly', 'two', 'partly'].map((word) =>
      models.put(MODEL, { gateway: 'b', statistics: Buffer.from(word) }),
    );
    expect(told).toEqual([false, true, false, false, true]);
  });

  it('forget what did not reach the disk', () => {
    stored('a', 'one');
    const models = open();
    const told: boolean[] = [];
    for (let attempt = 0; attempt < 2; attempt++) {
      const lost = () => {
        told.push(models.put(MODEL, { gateway: 'b', statistics: Buffer.from('partly') }));
        throw new Error('the disk is full');
      };
      expect(() => store.atomically(lost)).toThrow('full');
      expect(models.solve(MODEL).model.toString()).toBe('one');
    }
    expect(told).toEqual([true, true]); // nobody knows of the first
  });

  it('forget what was withdrawn when that did not reach the disk', () => {
    stored('a', 'one');
    stored('b', 'bad');
    const models = open();
    const lost = () => {
      models.rebuild();
      throw new Error('the disk is full');
    };
    expect(() => store.atomically(lost)).toThrow('full');
    expect(store.deltas.lineage('s').map(({ gateway }) => gateway)).toEqual(['a', 'b']);
    expect(models.solve(MODEL).model.toString()).toBe('one');
    expect(store.deltas.lineage('s').map(({ gateway }) => gateway)).toEqual(['a']);
  });

  it('are bounded in number, and come back when they are needed again', () => {
    stored('a', 'one');
    const models = open();
    models.solve(MODEL);
    for (let n = 0; n < 64; n++) models.solve({ ...MODEL, schema: `other${n}` });
    expect(models.solve(MODEL).model.toString()).toBe('one');
    expect(opened).toBe(66);
  });
});

it('what a gateway learned on top of releases counts when it goes on from a release of the present line', () => {
  const model = { ...MODEL, form: 2 } as const;
  const gone = released(1, null);
  const first = released(2, null);
  const second = released(3, first);
  const put = (gateway: string, base?: string) => {
    const delta = {
      ...model,
      gateway,
      incarnation: 'aa',
      seq: 1,
      payloadHash: gateway,
      statistics: Buffer.from(gateway),
    };
    return store.deltas.append({ ...delta, receivedMs: 0, ...(base === undefined ? {} : { base }) }, 'accepted', null);
  };
  put('a', gone);
  put('b', first);
  put('c', second);
  const offset = put('d');
  const head = { ...model, release: second, pinned: null, previous: first, releaseOffset: 0, offset, releases: 3 };
  store.heads.compareAndSet(null, { ...head, revision: 1 });
  const models = open();
  expect(models.solve(model).model.toString()).toBe('(a) b c (d)');
  expect(models.solveAnew(model, ['b'], false).model.toString()).toBe('(a) (c) (d)');
  models.put(model, { gateway: 'a', statistics: Buffer.from('again'), base: first });
  models.put(model, { gateway: 'b', statistics: Buffer.from('lost'), base: 'ff'.repeat(32) });
  expect(models.solve(model).model.toString()).toBe('again (lost) c (d)');
  const again = open();
  expect(again.solve(model).model.toString()).toBe('(a) b c (d)');
});
