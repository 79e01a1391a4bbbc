import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIGRATIONS } from './migrations.ts';
import { openSqlite } from './sqlite.ts';
import type { Delta, Head, ReleaseRecord, Store } from './store.ts';

let directory: string;
let file: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-store-'));
  file = join(directory, 'coordinator.sqlite');
  store = openSqlite(file);
});

afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

function delta(over: Partial<Delta> = {}): Delta {
  return {
    gateway: 'north',
    incarnation: 'aa',
    seq: 1,
    task: 'temp',
    schema: 's1',
    payloadHash: 'p1',
    schemaText: '{}',
    form: 1,
    statistics: Buffer.from('one'),
    receivedMs: 5,
    ...over,
  };
}

function accept(over: Partial<Delta>): number {
  const written = delta(over);
  store.directory.seeIncarnation(written.gateway, written.incarnation);
  return store.deltas.append(written, 'accepted', null);
}

const HEAD: Head = {
  schema: 's1',
  task: 'temp',
  schemaText: '{}',
  form: 1,
  release: null,
  pinned: null,
  previous: null,
  releaseOffset: 0,
  offset: 1,
  releases: 0,
  revision: 1,
};

describe('delta log', () => {
  it('tells new, repeated, overtaken and contradicting deltas apart', () => {
    accept({ seq: 5, payloadHash: 'p5' });
    const cases: [Partial<Delta>, string][] = [
      [{ seq: 6, payloadHash: 'p6' }, 'newest'],
      [{ seq: 5, payloadHash: 'p5' }, 'duplicate'],
      [{ seq: 5, payloadHash: 'other' }, 'conflict'],
      [{ seq: 4, payloadHash: 'p4' }, 'superseded'],
      [{ seq: 4, payloadHash: 'p4', schema: 's2' }, 'newest'],
      [{ seq: 5, payloadHash: 'p5', gateway: 'south' }, 'newest'],
    ];
    for (const [over, standing] of cases) expect([over, store.deltas.standing(delta(over))]).toEqual([over, standing]);
  });

  it('ranks incarnations in the order they were first seen, whatever their numbers', () => {
    accept({ incarnation: 'ff', seq: 900 });
    expect(store.deltas.standing(delta({ incarnation: '00', seq: 1 }))).toBe('newest');
    accept({ incarnation: '00', seq: 1 });
    expect(store.deltas.standing(delta({ incarnation: 'ff', seq: 901, payloadHash: 'x' }))).toBe('superseded');
  });

  it('keeps only the newest statistics of a gateway', () => {
    accept({ seq: 1, statistics: Buffer.from('one') });
    accept({ seq: 2, statistics: Buffer.from('two') });
    accept({ seq: 1, gateway: 'south', statistics: Buffer.from('three') });
    const found = store.deltas.contributions('s1');
    expect(found.map(({ gateway, seq, statistics }) => [gateway, seq, Buffer.from(statistics).toString()])).toEqual([
      ['north', 2, 'two'],
      ['south', 1, 'three'],
    ]);
    expect(store.deltas.lineage('s1')).toEqual([
      { gateway: 'north', incarnation: 'aa', seq: 2 },
      { gateway: 'south', incarnation: 'aa', seq: 1 },
    ]);
  });

  it('forgets numbers far behind the newest, and still does not merge them again', () => {
    store.atomically(() => {
      for (let seq = 1; seq <= 1_300; seq++) accept({ seq, payloadHash: `p${seq}` });
    });
    expect(store.deltas.outcome('north', 'aa', 1)).toBeNull();
    expect(store.deltas.outcome('north', 'aa', 1_300)).toEqual({ outcome: 'accepted', reason: null });
    expect(store.deltas.standing(delta({ seq: 1, payloadHash: 'p1' }))).toBe('superseded');
  });
});

describe('heads', () => {
  it('moves a head only from the revision it was read at', () => {
    expect(store.heads.compareAndSet(null, HEAD)).toBe(true);
    expect(store.heads.compareAndSet(null, HEAD)).toBe(false);
    expect(store.heads.compareAndSet(1, { ...HEAD, release: 'r', revision: 2 })).toBe(true);
    expect(store.heads.compareAndSet(1, { ...HEAD, release: 'lost', revision: 2 })).toBe(false);
    expect(store.heads.get('s1')).toEqual({ ...HEAD, release: 'r', revision: 2 });
  });
});

describe('transactions', () => {
  it('undoes everything when one part fails, and goes on working', () => {
    const failing = () =>
      store.atomically(() => {
        accept({ seq: 1 });
        store.count('deltas');
        throw new Error('no');
      });
    expect(failing).toThrow('no');
    expect(store.counter('deltas')).toBe(0);
    expect(store.deltas.standing(delta())).toBe('newest');
    store.atomically(() => store.count('deltas'));
    expect(store.counter('deltas')).toBe(1);
  });

  it('keeps what was committed for the next process', () => {
    store.atomically(() => {
      accept({ seq: 3 });
      store.heads.compareAndSet(null, HEAD);
      store.count('deltas');
    });
    store.close();
    store = openSqlite(file);
    expect(store.deltas.lineage('s1')).toEqual([{ gateway: 'north', incarnation: 'aa', seq: 3 }]);
    expect(store.heads.list()).toEqual([HEAD]);
    expect(store.counter('deltas')).toBe(1);
  });
});

describe('bounds', () => {
  it('keeps a thousand releases of a model, with their bytes, and drops older ones', () => {
    const release = (n: number): ReleaseRecord => ({
      hash: `r${n}`,
      parent: n === 0 ? null : `r${n - 1}`,
      task: 'temp',
      schema: 's1',
      form: 1,
      gateways: 1,
      rows: 2,
      createdMs: n,
      lineage: [{ gateway: 'north', incarnation: 'aa', seq: n }],
    });
    store.atomically(() => {
      for (let n = 0; n < 1_003; n++) {
        store.blobs.put(`r${n}`, Buffer.from([n & 255]));
        store.releases.add(release(n));
      }
    });
    expect(store.releases.get('r2')).toBeNull();
    expect(store.blobs.get('r2')).toBeNull();
    expect(store.releases.get('r3')).toEqual(release(3));
    expect(store.releases.list({ task: 'temp', limit: 2 }).map(({ hash }) => hash)).toEqual(['r1002', 'r1001']);
    expect(store.releases.list({ schema: 'other', limit: 2 })).toEqual([]);
  });

  it('keeps the newest quarantined inputs, each cut to a bounded length', () => {
    store.atomically(() => {
      for (let n = 0; n < 300; n++) {
        store.quarantine.add({
          atMs: n,
          gateway: null,
          code: 'RIV_FOREIGN',
          reason: 'x',
          bytes: Buffer.alloc(100_000),
        });
      }
    });
    const entries = store.quarantine.list(1_000);
    expect(entries.length).toBe(256);
    expect(entries[0]?.atMs).toBe(299);
    expect(entries[0]?.bytes.length).toBe(65_536);
  });
});

describe('opening', () => {
  it('says so when another coordinator holds the file', () => {
    expect(() => openSqlite(file)).toThrow(expect.objectContaining({ code: 'RIV_STATE_LOCKED' }));
  });

  it('refuses a file that is no database', () => {
    const path = join(directory, 'text');
    writeFileSync(path, 'this is no database at all, but it is long enough to be read as one'.repeat(20));
    expect(() => openSqlite(path)).toThrow(expect.objectContaining({ code: 'RIV_FOREIGN' }));
  });

  it('refuses the database of another program, and leaves it as it is', () => {
    const path = join(directory, 'other.sqlite');
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)');
    other.close();
    expect(() => openSqlite(path)).toThrow(expect.objectContaining({ code: 'RIV_FOREIGN' }));
    const again = new DatabaseSync(path);
    expect(again.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 1 });
    again.close();
  });

  it('refuses a file that a newer coordinator wrote', () => {
    store.close();
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => openSqlite(file)).toThrow(expect.objectContaining({ code: 'RIV_TOO_NEW' }));
    const back = new DatabaseSync(file);
    back.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
    back.close();
    store = openSqlite(file);
  });

  it('brings a file of the first layout to the present one, with what it held', () => {
    const path = join(directory, 'first.sqlite');
    const first = new DatabaseSync(path);
    first.exec(`PRAGMA application_id = ${0x52495643}; ${MIGRATIONS[0]}; PRAGMA user_version = 1`);
    first.exec(`INSERT INTO heads VALUES ('s1', 't1', '{}', 1, 'r1', 3, 4, 2, 5)`);
    first.close();
    const migrated = openSqlite(path);
    expect(migrated.heads.list()).toMatchObject([
      {
        schema: 's1',
        release: 'r1',
        pinned: null,
        previous: null,
        releaseOffset: 3,
        offset: 4,
        releases: 2,
        revision: 5,
      },
    ]);
    expect([migrated.audit.list(9), migrated.forgotten.has('g1')]).toEqual([[], false]);
    migrated.close();
  });
});

describe('a group of works', () => {
  it('is one transaction in which each work is whole or not at all', () => {
    const outcomes = store.together([
      () => store.atomically(() => accept({ gateway: 'north' })),
      () =>
        store.atomically(() => {
          accept({ gateway: 'south' });
          store.directory.incarnations('south'); // read while it was there
          throw new Error('half of it');
        }),
      () => store.atomically(() => accept({ gateway: 'west' })),
    ]);
    expect(outcomes.map((outcome) => 'value' in outcome)).toEqual([true, false, true]);
    expect(store.deltas.lineage('s1').map(({ gateway }) => gateway)).toEqual(['north', 'west']);
    expect(store.directory.incarnations('south')).toEqual([]);
    expect(store.deltas.contributionsOf('south')).toEqual([]);
    store.close();
    store = openSqlite(file);
    expect(store.deltas.lineage('s1').map(({ gateway }) => gateway)).toEqual(['north', 'west']);
  });

  it('leaves nothing of any work when there is no room for all, not even in memory', () => {
    store.heads.compareAndSet(null, HEAD);
    store.close();
    store = openSqlite(file, { pagesMax: 64 });
    const large = Buffer.alloc(200_000, 1);
    expect(() =>
      store.together<unknown>([
        () => store.atomically(() => accept({})),
        () => store.heads.compareAndSet(1, { ...HEAD, revision: 2 }),
        () => store.atomically(() => accept({ gateway: 'south', statistics: large })),
        () => store.atomically(() => accept({ gateway: 'west' })),
      ]),
    ).toThrow(/full/);
    expect(store.deltas.lineage('s1')).toEqual([]);
    expect(store.directory.incarnations('north')).toEqual([]);
    expect(store.heads.get('s1')).toEqual(HEAD);
    expect(store.together([() => store.atomically(() => accept({}))])).toEqual([{ value: 1 }]);
  });
});

describe('memory beside the store', () => {
  /** Notes how what is being written ends. */
  let ends: string[];
  const note = (name: string) => store.whenWritten((kept) => ends.push(`${name} ${kept ? 'kept' : 'lost'}`));
  const fail = () => {
    throw new Error('the disk is full');
  };
  beforeEach(() => {
    ends = [];
  });

  it('is told when what it goes with is on disk, and when it never will be, newest first', () => {
    note('outside');
    store.atomically(() => {
      note('first');
      store.atomically(() => note('inner'));
      expect(ends).toEqual(['outside kept']);
    });
    const lost = () =>
      store.atomically(() => {
        note('second');
        note('third');
        fail();
      });
    expect(lost).toThrow('full');
    expect(ends).toEqual(['outside kept', 'first kept', 'inner kept', 'third lost', 'second lost']);
  });

  it('of a group hears of its own work at once when that fails, else with the whole group', () => {
    const works = [
      () => {
        store.atomically(() => note('first'));
        note('after it');
      },
      () =>
        store.atomically(() => {
          note('second');
          fail();
        }),
      () => expect(ends).toEqual(['second lost']),
    ];
    store.together(works);
    expect(ends).toEqual(['second lost', 'first kept', 'after it kept']);
  });

  it('of a group that does not get to disk hears that nothing did', () => {
    store.close();
    store = openSqlite(file, { pagesMax: 64 });
    const large = Buffer.alloc(200_000, 1);
    const works = [
      () => store.atomically(() => note('first')),
      () =>
        store.atomically(() => {
          note('second');
          accept({ statistics: large });
        }),
    ];
    expect(() => store.together(works)).toThrow(/full/);
    expect(ends).toEqual(['second lost', 'first lost']);
  });
});
