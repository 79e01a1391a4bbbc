/** Plays every golden script of this folder on both builds of a folder of built cores. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUILDS, type Build } from '../../wasm-core/sources.ts';
import { wasmFile } from '../../wasm-core/stamp.ts';
import { type Outcome, playScript } from './script.ts';

const here = import.meta.dirname;

/** What each script comes to, by its name. */
export type Digests = Record<string, Outcome>;

/** Names of the scripts in this folder, without their ending. */
export function scriptNames(): string[] {
  return readdirSync(here)
    .filter((name) => name.endsWith('.golden'))
    .map((name) => name.slice(0, -'.golden'.length))
    .sort();
}

/** The committed digests. */
export function goldenDigests(): Digests {
  return JSON.parse(readFileSync(join(here, 'digests.json'), 'utf8')) as Digests;
}

/** The digests that one build in `folder` gives. */
export async function digestsOf(folder: string, build: Build): Promise<Digests> {
  const module = await WebAssembly.compile(readFileSync(join(folder, wasmFile(build))));
  return Object.fromEntries(
    scriptNames().map((name) => [name, playScript(module, readFileSync(join(here, `${name}.golden`)))]),
  );
}

/** Every script and build whose digest is not the committed one. */
export async function digestProblems(folder: string): Promise<string[]> {
  const golden = goldenDigests();
  const problems: string[] = [];
  for (const build of BUILDS) {
    for (const [name, { digest }] of Object.entries(await digestsOf(folder, build))) {
      if (digest !== golden[name]?.digest) problems.push(`${name} on ${build}: ${digest}, not ${golden[name]?.digest}`);
    }
  }
  return problems;
}
