/**
 * What was read or written last, kept in memory in front of a table: an envelope asks for its gateway's rows five times.
 * Only for tables whose every write goes through its driver. After a rollback all of it is forgotten, so it never knows
 * what the disk does not.
 */

/** Rows in one of them; beyond it all is forgotten and read anew. */
const ENTRIES_MAX = 20_000;

/** Forgets what all of a store's drivers remember. */
export interface Forgetful {
  readonly forget: (() => void)[];
}

export interface Remembered<T> {
  /** What is remembered under `key`, else what `read` answers. */
  get(key: string, read: () => T): T;
  set(key: string, value: T): void;
  drop(key: string): void;
}

export function remembered<T>({ forget }: Forgetful): Remembered<T> {
  const values = new Map<string, T>();
  forget.push(() => values.clear());

  function set(key: string, value: T): void {
    if (values.size >= ENTRIES_MAX) values.clear();
    values.set(key, value);
  }

  return {
    get(key, read) {
      const known = values.get(key);
      if (known !== undefined) return known;
      const value = read();
      set(key, value);
      return value;
    },
    set,
    drop: (key) => void values.delete(key),
  };
}
