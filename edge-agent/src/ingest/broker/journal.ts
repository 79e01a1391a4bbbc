/**
 * The file behind the embedded broker's memory (FORMATS.md section 9): lines of JSON, each with its checksum, appended in
 * group commits and written anew, shorter, when most of them are out of date.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { crc32c, RivuletError, replaceFile } from '@rivulet/host';

const VERSION = 1;
/** Below this size a file is not worth writing anew. */
const REWRITE_BYTES_MIN = 4 * 1024 * 1024;

export interface Journal {
  /** Resolves when the record is on disk; rejects with RIV_STATE_UNUSABLE when it cannot be. */
  append(record: object): Promise<void>;
  close(): Promise<void>;
}

/**
 * Reads what there is and opens the file for more.
 * @param restore called with each record, oldest first
 * @param snapshot all records that are still true, for a file written anew
 * @returns the journal, and how many lines were damaged and left out (a torn last line is not damage)
 * @throws RIV_STATE_UNUSABLE, RIV_TOO_NEW
 */
export async function openJournal(
  path: string,
  restore: (record: Record<string, unknown>) => void,
  snapshot: () => object[],
): Promise<{ journal: Journal; damaged: number }> {
  const damaged = replay(await readText(path), path, restore);
  let file: FileHandle;
  let size = 0;
  let rewriteAt = 0;
  let pending: { lines: string[]; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let writing: Promise<void> | null = null;
  /** A write failed half-way: the file is written anew before anything else. */
  let broken = false;

  async function rewrite(): Promise<void> {
    const bytes = Buffer.from([{ broker: VERSION }, ...snapshot()].map(lineOf).join(''));
    await replaceFile(path, bytes);
    await file?.close();
    file = await open(path, 'a');
    size = bytes.length;
    rewriteAt = Math.max(REWRITE_BYTES_MIN, 2 * size);
    broken = false;
  }

  async function write(): Promise<void> {
    while (pending.length > 0) {
      const batch = pending;
      pending = [];
      try {
        if (broken || size > rewriteAt) {
          await rewrite(); // What is pending is already in the memory that the snapshot is made of.
        } else {
          const bytes = Buffer.from(batch.flatMap(({ lines }) => lines).join(''));
          broken = true;
          await file.appendFile(bytes);
          await file.datasync();
          broken = false;
          size += bytes.length;
        }
        batch.forEach(({ resolve }) => {
          resolve();
        });
      } catch (cause) {
        const found = `cannot write the broker's sessions (${(cause as NodeJS.ErrnoException).code ?? cause})`;
        const error = new RivuletError('RIV_STATE_UNUSABLE', { found, where: path, cause });
        batch.forEach(({ reject }) => {
          reject(error);
        });
      }
    }
    writing = null;
  }

  await rewrite();
  return {
    damaged,
    journal: {
      append: (record) =>
        new Promise((resolve, reject) => {
          pending.push({ lines: [lineOf(record)], resolve, reject });
          writing ??= Promise.resolve().then(write);
        }),
      async close() {
        await writing;
        await file.close();
      },
    },
  };
}

function lineOf(record: object): string {
  const text = JSON.stringify(record);
  return `${checksum(text)} ${text}\n`;
}

function checksum(text: string): string {
  return crc32c(Buffer.from(text)).toString(16).padStart(8, '0');
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      return '';
    }
    const found = `cannot read the broker's sessions (${(cause as NodeJS.ErrnoException).code})`;
    throw new RivuletError('RIV_STATE_UNUSABLE', { found, where: path, cause });
  }
}

function replay(text: string, path: string, restore: (record: Record<string, unknown>) => void): number {
  const lines = text.split('\n');
  lines.pop(); // Empty behind the last line end, or a torn line.
  let damaged = 0;
  for (const line of lines) {
    const record = recordOf(line);
    if (record === null) {
      damaged += 1;
    } else if (typeof record.broker === 'number' && record.broker > VERSION) {
      throw new RivuletError('RIV_TOO_NEW', { found: `broker sessions of version ${record.broker}`, where: path });
    } else {
      restore(record);
    }
  }
  return damaged;
}

function recordOf(line: string): Record<string, unknown> | null {
  const text = line.slice(9);
  try {
    return line.slice(0, 9) === `${checksum(text)} ` ? (JSON.parse(text) as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
