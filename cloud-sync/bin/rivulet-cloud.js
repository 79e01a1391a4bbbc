#!/usr/bin/env node
// The command `rivulet-cloud`.
import { launch } from '@rivulet/host/launch';

await launch(import.meta.url, async () => (await import('../src/cli/main.ts')).main);
