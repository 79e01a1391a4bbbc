/** Same bytes anywhere (design.md, invariant 5): both builds give the golden digests; a cargo test holds the native one to them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUILDS } from '../../wasm-core/sources.ts';
import { wasmFile } from '../../wasm-core/stamp.ts';
import { digestsOf, goldenDigests, scriptNames } from './digests.ts';
import { makeScripts } from './make.ts';
import { decodeScript, encodeScript, playScript, type Step } from './script.ts';

const pkg = join(import.meta.dirname, '../../wasm-core/pkg');

describe('golden digests', () => {
  it.each(BUILDS)('the %s build gives them', async (build) => {
    expect(await digestsOf(pkg, build), 'after a change of the arithmetic: node test/golden/make.ts').toEqual(
      goldenDigests(),
    );
  });

  it.each([
    ['scalar', 'simd'],
    ['simd', 'scalar'],
  ] as const)('a gateway may go from the %s to the %s build in the middle of its log', async (first, second) => {
    const before = await WebAssembly.compile(readFileSync(join(pkg, wasmFile(first))));
    const after = await WebAssembly.compile(readFileSync(join(pkg, wasmFile(second))));
    const script = readFileSync(join(import.meta.dirname, 'building.golden'));
    expect(playScript(before, script, after)).toEqual(goldenDigests().building);
  });

  it('a gateway that never stopped has the state and the outputs of one that went on from its checkpoint', async () => {
    const module = await WebAssembly.compile(readFileSync(join(pkg, wasmFile('simd'))));
    const steps = [...decodeScript(readFileSync(join(import.meta.dirname, 'building.golden')))];
    // No blocks give the same answer as a resume, and change nothing.
    const idle: Step = { call: 'ingest', input: Buffer.alloc(0) };
    const straight = encodeScript(steps.map((step) => (step.call === 'resume' ? idle : step)));
    expect(steps.some(({ call }) => call === 'resume')).toBe(true);
    expect(playScript(module, straight)).toEqual(goldenDigests().building);
  });

  it('there is one for every script', () => {
    expect(Object.keys(goldenDigests()).sort()).toEqual(scriptNames());
  });

  it('the scripts are what their generator gives', () => {
    const made = makeScripts();
    expect(Object.keys(made).sort()).toEqual(scriptNames());
    for (const [name, steps] of Object.entries(made)) {
      const committed = readFileSync(join(import.meta.dirname, `${name}.golden`));
      expect(encodeScript(steps).equals(committed), name).toBe(true);
    }
  });
});
