/**
 * `node test/golden/make.ts`: writes the golden scripts and the digests that the scalar build of `wasm-core/pkg` gives.
 * The scripts come from fixed seeds by arithmetic that is exact on every machine; the digests change with the engine's
 * arithmetic or formats, and a change of them belongs into the commit that means it.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildingScript } from './building.ts';
import { digestsOf } from './digests.ts';
import { evaluationScript } from './evaluation.ts';
import { fleetScript } from './fleet.ts';
import { encodeScript, type Step } from './script.ts';

/** Every golden script by its name. */
export function makeScripts(): Record<string, Step[]> {
  return {
    building: buildingScript(1),
    'evaluate-classification': evaluationScript('classification', 2),
    'evaluate-forecast': evaluationScript('forecast', 3),
    'evaluate-regression': evaluationScript('regression', 4),
    'fleet-classes': fleetScript('classes', 5),
    'fleet-co-moments': fleetScript('co-moments', 6),
  };
}

if (import.meta.main) {
  for (const [name, steps] of Object.entries(makeScripts())) {
    const script = encodeScript(steps);
    writeFileSync(join(import.meta.dirname, `${name}.golden`), script);
    console.log(`${name}: ${script.length} bytes, ${createHash('sha256').update(script).digest('hex').slice(0, 12)}`);
  }
  const digests = await digestsOf(join(import.meta.dirname, '../../wasm-core/pkg'), 'scalar');
  writeFileSync(join(import.meta.dirname, 'digests.json'), `${JSON.stringify(digests, null, 2)}\n`);
}
