/** Same bytes anywhere (design.md, invariant 5): both builds give the golden digests; a cargo test holds the native one to them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUILDS } from '../../wasm-core/sources.ts';
import { digestsOf, goldenDigests, scriptNames } from './digests.ts';
import { makeScripts } from './make.ts';
import { encodeScript } from './script.ts';

const pkg = join(import.meta.dirname, '../../wasm-core/pkg');

describe('golden digests', () => {
  it.each(BUILDS)('the %s build gives them', async (build) => {
    expect(await digestsOf(pkg, build), 'after a change of the arithmetic: node test/golden/make.ts').toEqual(
      goldenDigests(),
    );
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
