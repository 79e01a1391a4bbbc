#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072 node --max-semi-space-size=1 --max-old-space-size=96 --no-flush-bytecode --single-threaded-gc --v8-pool-size=2
// The command `rivulet`. JavaScript's heap is kept small, 1 MiB for young objects and 96 for old ones (some 25 are in use):
// an agent holds little for long, and a gateway has better uses for garbage that is not yet collected. Compiled functions
// stay: a small heap is collected often, and each collection would throw away what runs only on the commit's beat. It is
// collected on the main thread, without waking others for a millisecond's work. The C library keeps one heap, not one for each
// thread that once compiled something, and gives back what compiling took (words to glibc; others pass over them).
import { launch } from '@rivulet/host/launch';

await launch(import.meta.url, async () => (await import('../src/cli/main.ts')).run);
