/**
 * A file system in memory that loses power. It promises what `Storage` promises and no more: what was not synced is kept,
 * dropped or torn as the seed says, each write for itself (so they are reordered), each sector for itself, each change of a
 * directory for itself. A process can also be killed on it: then its cache stays, and a later power cut takes that too.
 */
import { dirname } from 'node:path';
import type { Storage, StorageFile } from '@rivulet/host';

/** The smallest thing that a disk writes whole. */
const SECTOR_BYTES = 512;

/** What every call answers when the power is off or the process is dead. */
export class Ended extends Error {}

/** How much of what was not synced is there after a power cut. */
export const FATES = ['nothing', 'everything', 'the first part', 'any part'] as const;
export type Fate = (typeof FATES)[number];

type Change = { write: Buffer; at: number } | { truncate: number };
interface Inode {
  /** As the processes see it, as it is on the disk, and the changes in between, oldest first. */
  cache: Buffer;
  disk: Buffer;
  pending: Change[];
}
type EntryChange = { name: string; inode: Inode | null; from?: string };
interface Directory {
  cache: Map<string, Inode>;
  disk: Map<string, Inode>;
  pending: EntryChange[];
}

export interface SimulatedDisk {
  /** A file system for one process; earlier ones are dead. It ends at its `endsAt`-th operation that changes something, in the middle of it. */
  process(endsAt?: number): Storage & { operations(): number };
  /** After `Ended`: what was not durable meets its fate. */
  powerCut(fate: Fate): void;
}

/** @param random in [0, 1), seeded */
export function createSimulatedDisk(random: () => number): SimulatedDisk {
  const directories = new Map<string, Directory>();
  let generation = 0;

  const directoryOf = (path: string): Directory => {
    const directory = directories.get(path);
    if (directory === undefined) {
      throw errno('ENOENT');
    }
    return directory;
  };

  function process(endsAt = Number.POSITIVE_INFINITY): Storage & { operations(): number } {
    generation += 1;
    const mine = generation;
    let operations = 0;
    let over = false;

    /** Counts a change; true: this is the one that ends it, to be done by half. */
    function lastOne(): boolean {
      alive();
      operations += 1;
      over = operations >= endsAt;
      return over;
    }
    function alive(): void {
      if (over || mine !== generation) {
        throw new Ended('ended');
      }
    }
    function end(): never {
      throw new Ended('ended');
    }

    function changeEntry(directory: Directory, change: EntryChange): void {
      const last = lastOne();
      if (!last || random() < 0.5) {
        applyEntry(directory.cache, change);
        directory.pending.push(change);
      }
      if (last) {
        end();
      }
    }

    async function open(path: string, mode: string, options?: { durable: boolean }): Promise<StorageFile> {
      alive();
      const directory = directoryOf(dirname(path));
      let inode = directory.cache.get(path);
      if (inode === undefined) {
        if (mode === 'read' || mode === 'write') {
          throw errno('ENOENT');
        }
        inode = { cache: Buffer.alloc(0), disk: Buffer.alloc(0), pending: [] };
        changeEntry(directory, { name: path, inode });
      } else if (mode === 'create') {
        throw errno('EEXIST');
      }
      return file(inode, options?.durable === true);
    }

    function file(inode: Inode, durable: boolean): StorageFile {
      function change(what: Change): void {
        inode.cache = applied(inode.cache, what);
        inode.pending.push(what);
      }
      function write(bytes: Uint8Array, at: number, length: number, position: number): number {
        const last = lastOne();
        const part = Buffer.from(bytes.subarray(at, at + length));
        if (last) {
          // A killed process may have come as far as any byte; a cut of the power decides anew about what came so far.
          const came = random() < 0.5 ? length : Math.floor(random() * (length + 1));
          change({ write: part.subarray(0, came), at: position });
          end();
        }
        // A short write now and then: it is allowed.
        const taken = random() < 0.05 ? Math.ceil(length / 2) : length;
        change({ write: part.subarray(0, taken), at: position });
        if (durable) {
          flush(inode, inode.pending.length);
        }
        return taken;
      }
      return {
        async size() {
          alive();
          return inode.cache.length;
        },
        async read(target, at, length, position) {
          alive();
          const { cache } = inode;
          return position < cache.length
            ? cache.copy(target, at, position, Math.min(position + length, cache.length))
            : 0;
        },
        write: async (...what) => write(...what),
        writeAtOnce: (...what) => (durable && random() < 0.5 ? write(...what) : null),
        async truncate(length) {
          if (lastOne()) {
            if (random() < 0.5) {
              change({ truncate: length });
            }
            end();
          }
          change({ truncate: length });
        },
        async sync() {
          if (lastOne()) {
            flush(inode, Math.floor(random() * (inode.pending.length + 1)));
            end();
          }
          flush(inode, inode.pending.length);
        },
        async close() {
          alive();
        },
      };
    }

    return {
      operations: () => operations,
      open,
      async list(path) {
        alive();
        return [...directoryOf(path).cache.keys()].map((name) => name.slice(path.length + 1));
      },
      async rename(from, to) {
        alive();
        const directory = directoryOf(dirname(to));
        const inode = directory.cache.get(from);
        if (inode === undefined) {
          throw errno('ENOENT');
        }
        changeEntry(directory, { name: to, inode, from });
      },
      async remove(path) {
        alive();
        const directory = directoryOf(dirname(path));
        if (directory.cache.has(path)) {
          changeEntry(directory, { name: path, inode: null });
        }
      },
      async makeDirectory(path) {
        alive();
        if (!directories.has(path)) {
          directories.set(path, { cache: new Map(), disk: new Map(), pending: [] });
        }
      },
      async syncDirectory(path) {
        const directory = directoryOf(path);
        if (lastOne()) {
          end();
        }
        directory.disk = new Map(directory.cache);
        directory.pending = [];
      },
    };
  }

  return {
    process,
    powerCut(fate) {
      generation += 1;
      for (const directory of directories.values()) {
        for (const change of survivors(directory.pending, fate)) {
          applyEntry(directory.disk, change);
        }
        directory.pending = [];
        directory.cache = new Map(directory.disk);
        for (const inode of directory.cache.values()) {
          for (const change of survivors(inode.pending, fate)) {
            inode.disk = fate === 'any part' ? torn(inode.disk, change) : applied(inode.disk, change);
          }
          inode.pending = [];
          inode.cache = Buffer.from(inode.disk);
        }
      }
    },
  };

  function survivors<T>(changes: readonly T[], fate: Fate): T[] {
    switch (fate) {
      case 'nothing':
        return [];
      case 'everything':
        return [...changes];
      case 'the first part':
        return changes.slice(0, Math.floor(random() * (changes.length + 1)));
      case 'any part':
        return changes.filter(() => random() < 0.5);
    }
  }

  /** A write of which each sector came to the disk or did not; the file is as long as if all had. */
  function torn(disk: Buffer, change: Change): Buffer {
    const whole = applied(disk, change);
    if ('truncate' in change) {
      return whole;
    }
    for (let at = change.at; at < change.at + change.write.length; at += SECTOR_BYTES) {
      if (random() < 0.5) {
        const to = Math.min(at + SECTOR_BYTES, change.at + change.write.length);
        whole.fill(0, at, to);
        if (at < disk.length) {
          disk.copy(whole, at, at, Math.min(to, disk.length));
        }
      }
    }
    return whole;
  }
}

function flush(inode: Inode, count: number): void {
  for (const change of inode.pending.splice(0, count)) {
    inode.disk = applied(inode.disk, change);
  }
}

function applied(bytes: Buffer, change: Change): Buffer {
  const length = 'truncate' in change ? change.truncate : Math.max(bytes.length, change.at + change.write.length);
  const result = Buffer.alloc(length);
  bytes.copy(result);
  if ('write' in change) {
    change.write.copy(result, change.at);
  }
  return result;
}

function applyEntry(entries: Map<string, Inode>, { name, inode, from }: EntryChange): void {
  if (from !== undefined) {
    entries.delete(from);
  }
  if (inode === null) {
    entries.delete(name);
  } else {
    entries.set(name, inode);
  }
}

function errno(code: string): Error {
  return Object.assign(new Error(code), { code });
}
