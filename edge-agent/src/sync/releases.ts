/** Releases that came: whether they are what was asked for, and the files that are kept of them for a look. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRelease, RivuletError, releaseHash } from '@rivulet/host';
import type { Head } from './answers.ts';

/** Release files kept for a look. */
const RELEASE_FILES_MAX = 32;

/** Keeps the newest files; the log holds every release that was taken in anyway. */
export async function forgetOldReleases(directory: string): Promise<void> {
  const files = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const path = join(directory, name);
      return { path, atMs: (await stat(path)).mtimeMs };
    }),
  );
  for (const { path } of files.sort((a, b) => b.atMs - a.atMs).slice(RELEASE_FILES_MAX)) {
    await rm(path, { force: true });
  }
}

/** Throws unless the bytes are the release of that head. */
export function checkRelease(bytes: Buffer, head: Head): void {
  const hash = releaseHash(bytes).toString('hex');
  if (hash !== head.release) {
    throw new RivuletError('RIV_CORRUPT', { found: `a release with the hash ${hash}`, expected: String(head.release) });
  }
  const release = decodeRelease(bytes);
  if (release.task !== head.task || Buffer.from(release.schemaHash).toString('hex') !== head.schema) {
    throw new RivuletError('RIV_SCHEMA_MISMATCH', { found: `release ${hash} is for another task or schema` });
  }
}
