/**
 * The embedded store: one SQLite file (`node:sqlite`), WAL, synced on every commit unless told otherwise, held by one process at a time.
 *
 * The file is opened here, brought to the newest layout, and handed to the small drivers in `sqlite/`.
 */
import { DatabaseSync } from 'node:sqlite';
import { RivuletError } from '@rivulet/host';
import { MIGRATIONS } from './migrations.ts';
import { sqliteAudit, sqliteForgotten, sqliteOverrides } from './sqlite/audit.ts';
import { sqliteBlobs } from './sqlite/blobs.ts';
import { sqliteClones } from './sqlite/clones.ts';
import { sqliteCounters } from './sqlite/counters.ts';
import { sqliteCurves } from './sqlite/curves.ts';
import { sqliteDeltaLog } from './sqlite/delta_log.ts';
import { sqliteDirectory } from './sqlite/directory.ts';
import { sqliteHeads } from './sqlite/heads.ts';
import { sqliteKernels } from './sqlite/kernels.ts';
import { sqliteQuarantine } from './sqlite/quarantine.ts';
import { sqliteRelay } from './sqlite/relay.ts';
import { sqliteReleases } from './sqlite/releases.ts';
import type { Forgetful } from './sqlite/remembered.ts';
import { sqliteSuspects } from './sqlite/suspects.ts';
import type { Outcome, Store } from './store.ts';

/** "RIVC": tells a coordinator's file from any other SQLite file. */
const APPLICATION_ID = 0x52495643;
/**
 * How far the write-ahead file grows before it is folded back, in pages of 4 KiB (16 MiB): a page that was written several times
 * until then is folded back once.
 */
const WAL_PAGES = 4_000;

// SQLite result codes, https://www.sqlite.org/rescode.html
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

export interface StoreLimits {
  /** How far the file may grow, in pages of 4 KiB; default: as far as the disk goes. */
  readonly pagesMax?: number;
  /** Commits are not synced: for a file that need not outlive a power cut, as in a simulation. */
  readonly unsynced?: boolean;
}

/** Opens (or makes) the store in `file`. Throws a coded error when it is not ours, too new, or held by another process. */
export function openSqlite(file: string, { pagesMax, unsynced = false }: StoreLimits = {}): Store {
  const db = openFile(file);
  try {
    configure(db);
    if (unsynced) db.exec('PRAGMA synchronous = OFF');
    if (pagesMax !== undefined) db.exec(`PRAGMA max_page_count = ${pagesMax}`);
    checkOwner(db, file);
    migrate(db, file);
  } catch (error) {
    db.close();
    throw translated(error, file);
  }
  return storeOver(db, file);
}

function openFile(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: false });
  } catch (error) {
    throw translated(error, file);
  }
}

function configure(db: DatabaseSync): void {
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec(`PRAGMA wal_autocheckpoint = ${WAL_PAGES}`);
  db.exec('BEGIN IMMEDIATE; COMMIT'); // takes the lock now, so that a second coordinator is told at its start
}

function checkOwner(db: DatabaseSync, file: string): void {
  const owner = number(db, 'PRAGMA application_id', 'application_id');
  const tables = number(db, 'SELECT count(*) AS n FROM sqlite_schema', 'n');
  if (owner === APPLICATION_ID || (owner === 0 && tables === 0)) return;
  throw new RivuletError('RIV_FOREIGN', {
    where: file,
    found: 'a database of another program',
    todo: 'Name another state directory with --state.',
  });
}

function migrate(db: DatabaseSync, file: string): void {
  const version = number(db, 'PRAGMA user_version', 'user_version');
  if (version > MIGRATIONS.length) {
    throw new RivuletError('RIV_TOO_NEW', {
      where: file,
      found: `a store of layout ${version}`,
      expected: `at most ${MIGRATIONS.length}`,
    });
  }
  for (let step = version; step < MIGRATIONS.length; step++) {
    db.exec(
      `BEGIN IMMEDIATE; PRAGMA application_id = ${APPLICATION_ID}; ${MIGRATIONS[step]}; PRAGMA user_version = ${step + 1}; COMMIT`,
    );
  }
}

function storeOver(db: DatabaseSync, file: string): Store {
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const mark = db.prepare('SAVEPOINT work');
  const keep = db.prepare('RELEASE work');
  const undo = db.prepare('ROLLBACK TO work');
  let inside: 'nothing' | 'group' | 'work' = 'nothing';

  const remembers: Forgetful = { forget: [] };
  const counters = sqliteCounters(db);
  /** Who waits for the end of what is being written, in the order they came. */
  let waiting: ((kept: boolean) => void)[] = [];

  /** All that came since the first `from` were waiting is undone, in memory as on disk. */
  function forget(from: number, counted: number): void {
    for (const one of remembers.forget) one();
    counters.takeBack(counted);
    for (const ended of waiting.splice(from).reverse()) ended(false);
  }

  function kept(): void {
    const ends = waiting;
    waiting = [];
    for (const ended of ends) ended(true);
  }

  function atomically<T>(work: () => T): T {
    if (inside === 'work') return work();
    const grouped = inside === 'group';
    const from = waiting.length;
    const counted = counters.waiting;
    let result: T;
    inside = 'work';
    try {
      (grouped ? mark : begin).run();
      result = work();
      if (!grouped) counters.write();
      (grouped ? keep : commit).run();
    } catch (error) {
      if (db.isTransaction && grouped) {
        undo.run();
        keep.run();
      } else if (db.isTransaction) db.exec('ROLLBACK');
      forget(from, counted);
      throw translated(error, file);
    } finally {
      inside = grouped ? 'group' : 'nothing';
    }
    if (!grouped) kept();
    return result;
  }

  function together<T>(works: readonly (() => T)[]): Outcome<T>[] {
    if (inside !== 'nothing') throw new RivuletError('RIV_INTERNAL', 'a group of works inside another');
    let outcomes: Outcome<T>[];
    inside = 'group';
    try {
      begin.run();
      outcomes = works.map((work) => {
        const outcome = outcomeOf(work);
        // A full disk ends the transaction of all: SQLite has rolled back what the others wrote too.
        if (!db.isTransaction) throw 'error' in outcome ? outcome.error : new Error('the transaction is gone');
        return outcome;
      });
      counters.write();
      commit.run();
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK');
      forget(0, 0);
      throw translated(error, file);
    } finally {
      inside = 'nothing';
    }
    kept();
    return outcomes;
  }

  const directory = sqliteDirectory(db, remembers);
  return {
    deltas: sqliteDeltaLog(db, remembers, directory),
    heads: sqliteHeads(db, remembers),
    blobs: sqliteBlobs(db),
    releases: sqliteReleases(db),
    directory: { ...directory, ...sqliteCurves(db) },
    quarantine: sqliteQuarantine(db),
    audit: sqliteAudit(db),
    forgotten: sqliteForgotten(db),
    suspects: sqliteSuspects(db),
    overrides: sqliteOverrides(db),
    clones: sqliteClones(db),
    kernels: sqliteKernels(db, remembers),
    relay: sqliteRelay(db),
    atomically,
    together,
    whenWritten: (ended) => (inside === 'nothing' ? ended(true) : void waiting.push(ended)),
    count(name) {
      counters.count(name);
      if (inside === 'nothing') counters.write();
    },
    counter: counters.counter,
    close: () => db.close(),
  };
}

function outcomeOf<T>(work: () => T): Outcome<T> {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

function number(db: DatabaseSync, sql: string, column: string): number {
  return Number(db.prepare(sql).get()?.[column] ?? 0);
}

/** SQLite's own errors as coded ones; anything else as it is. */
function translated(error: unknown, file: string): unknown {
  const code = (error as { errcode?: number }).errcode;
  if (!(error instanceof Error) || code === undefined) return error;
  const primary = code & 0xff;
  if (primary === SQLITE_BUSY)
    return new RivuletError('RIV_STATE_LOCKED', { where: file, found: 'held by another coordinator', cause: error });
  if (primary === SQLITE_NOTADB)
    return new RivuletError('RIV_FOREIGN', {
      where: file,
      found: 'a file that is no database',
      todo: 'Name another state directory with --state.',
      cause: error,
    });
  if (primary === SQLITE_CANTOPEN || primary === SQLITE_READONLY)
    return new RivuletError('RIV_STATE_UNUSABLE', { where: file, found: error.message, cause: error });
  return new RivuletError('RIV_STORE', { where: file, found: `${error.message} (SQLite ${code})`, cause: error });
}
