/**
 * Counts of what came, in SQLite. What is counted within a transaction is written once, before its commit: a group of 256
 * deltas would else rewrite the same row 256 times.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { CounterName } from '../store.ts';

export interface Counters {
  count(name: CounterName): void;
  counter(name: CounterName): number;
  /** What was counted and is not written yet. */
  readonly waiting: number;
  /** Writes what waits; to be called within the transaction that it belongs to. */
  write(): void;
  /** Takes back what was counted since `waiting` was that. */
  takeBack(waiting: number): void;
}

export function sqliteCounters(db: DatabaseSync): Counters {
  const add = db.prepare(
    'INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2',
  );
  const read = db.prepare('SELECT value FROM counters WHERE name = ?');
  const counted: CounterName[] = [];
  const of = (name: CounterName) => counted.filter((one) => one === name).length;
  return {
    count: (name) => void counted.push(name),
    counter: (name) => ((read.get(name)?.value as number | undefined) ?? 0) + of(name),
    get waiting() {
      return counted.length;
    },
    write() {
      for (const name of new Set(counted)) add.run(name, of(name));
      counted.length = 0;
    },
    takeBack: (waiting) => void counted.splice(waiting),
  };
}
