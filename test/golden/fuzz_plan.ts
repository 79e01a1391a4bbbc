/**
 * Compiles wasm-core/fuzz/plan.yaml to the canonical plan that the fuzz targets fold under: `node test/golden/fuzz_plan.ts`,
 * after a change of the plan's format.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compilePlan, parseConfig } from '@rivulet/host';

const folder = join(import.meta.dirname, '../../wasm-core/fuzz');
const yaml = join(folder, 'plan.yaml');
writeFileSync(join(folder, 'plan.canonical'), compilePlan(parseConfig(readFileSync(yaml, 'utf8'), yaml)));
