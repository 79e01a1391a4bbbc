/** Tasks beside the seven, made by `extra.py` from what ships inside the peers' packages and from generators. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jsonLines } from './python.ts';
import { type BenchTask, hashOf } from './tasks.ts';

/** Makes them in `directory` (those that are there are kept). `names` empty: all. */
export async function extraTasks(python: string, directory: string, names: readonly string[]): Promise<BenchTask[]> {
  await mkdir(directory, { recursive: true });
  const tasks: BenchTask[] = [];
  for await (const line of jsonLines(python, 'extra.py', [directory, ...names])) {
    const { name, kind, classes } = line as Pick<BenchTask, 'name' | 'kind' | 'classes'>;
    const path = join(directory, `${name}.csv`);
    tasks.push({ name, kind, classes, path, hash: await hashOf(path) });
  }
  return tasks;
}
