/** The stamp beside the committed core (`pkg/stamp.json`): what it was built from and with, and the hash of each file. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILDS, type Build } from './sources.ts';

/** One built file. */
export interface StampedFile {
  file: string;
  bytes: number;
  sha256: string;
}

/** Contents of `stamp.json`. */
export interface Stamp {
  stamp: 1;
  /** Hash of sources and flags, in hex: the kernel hash. */
  sources: string;
  /** The tools that made the bytes, each by its own words. */
  tools: { rustc: string; wasm_bindgen: string; wasm_opt: string };
  builds: Record<Build, StampedFile>;
}

/** Name of a built file in `pkg/`. */
export function wasmFile(build: Build): string {
  return `rivulet_${build}.wasm`;
}

/** Length and hash of a built file in `folder`. */
export function stampFile(folder: string, build: Build): StampedFile {
  const bytes = readFileSync(join(folder, wasmFile(build)));
  return { file: wasmFile(build), bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Reads the stamp of a folder; throws when there is none or it is of another version. */
export function readStamp(folder: string): Stamp {
  const stamp = JSON.parse(readFileSync(join(folder, 'stamp.json'), 'utf8')) as Stamp;
  if (stamp.stamp !== 1) throw new Error(`${join(folder, 'stamp.json')} has version ${stamp.stamp}, expected 1`);
  return stamp;
}

/** Everything in which a folder of built files differs from its stamp and from the sources' hash; empty when nothing does. */
export function stampProblems(folder: string, sources: string): string[] {
  const stamp = readStamp(folder);
  const problems: string[] = [];
  if (stamp.sources !== sources) {
    problems.push(`built from sources ${stamp.sources.slice(0, 12)}…, the checkout has ${sources.slice(0, 12)}…`);
  }
  for (const build of BUILDS) {
    const found = stampFile(folder, build);
    if (found.sha256 !== stamp.builds[build].sha256) {
      problems.push(
        `${found.file} has hash ${found.sha256.slice(0, 12)}…, not ${stamp.builds[build].sha256.slice(0, 12)}…`,
      );
    }
  }
  return problems;
}
