// Whoever copies a configuration out of the documents gets one that opens.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compilePlan, loadCore, parseConfig } from '@rivulet/host';
import { expect, test } from 'vitest';

const core = await loadCore();

test.each(['README.md', 'CONFIGURATION.md'])('every_configuration_in_%s_opens', (document) => {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-documents-'));
  try {
    writeFileSync(join(directory, 'presses.csv'), 'press,age\nhall/7,12\n');
    const text = readFileSync(new URL(`../../${document}`, import.meta.url), 'utf8');
    const examples = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, yaml]) => yaml ?? '');
    expect(examples.length).toBeGreaterThan(0);
    for (const yaml of examples) {
      const config = parseConfig(yaml, join(directory, 'gateway.yaml'));
      core.newEngine().open(compilePlan(config));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
