#!/usr/bin/env -S node --max-semi-space-size=1
// The command `rivulet`. The young generation is kept at 1 MiB: an agent holds little for long, and a gateway has better
// uses for 60 MB of garbage that is not yet collected.
import { launch } from '@rivulet/host/launch';

await launch(import.meta.url, async () => (await import('../src/cli/main.ts')).run);
