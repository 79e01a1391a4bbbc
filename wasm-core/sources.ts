/**
 * What the committed core is built from and how: the list of source files, the compiler flags, and the one hash over
 * both. That hash is the *kernel hash*: it names the arithmetic, whichever compiler made the bytes.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The two builds; they give the same bits. */
export const BUILDS = ['scalar', 'simd'] as const;
/** One of the two builds. */
export type Build = (typeof BUILDS)[number];

/** Version of the wasm-bindgen crate and command line, which must be the same. */
export const WASM_BINDGEN_VERSION = '0.2.130';

/**
 * Memory one instance may grow to: a checkpoint or a batch as input (256 MiB), the same as output, and the state of a
 * coordinator with 100,000 gateways (about 250 MiB); a gateway stays under a tenth of it.
 */
const MEMORY_BYTES_MAX = 2 ** 30;
/** The stack lies below all data, so that running out of it traps; the deepest recursion is bounded by the parsers. */
const STACK_BYTES = 2 ** 20;

/** Compiler flags of a build, without those that only take this machine's paths out of the bytes. */
export function compilerFlags(build: Build): string[] {
  return [
    // Reference types would make wasm-bindgen import a table from JavaScript; the core imports nothing. The standard
    // library comes compiled with them and says so in the section `target_features`, which is left out therefore.
    `-Ctarget-feature=-reference-types${build === 'simd' ? ',+simd128' : ''}`,
    '-Clink-arg=--strip-all',
    '-Clink-arg=--keep-section=__wasm_bindgen_unstable',
    `-Clink-arg=--max-memory=${MEMORY_BYTES_MAX}`,
    `-Clink-arg=-zstack-size=${STACK_BYTES}`,
  ];
}

const SOURCE_FOLDERS = ['src', 'engine/src'];
const SOURCE_FILES = ['Cargo.lock', 'Cargo.toml', 'engine/Cargo.toml'];

/** Paths of the source files below `root` (the folder `wasm-core`), with forward slashes, in byte order. */
export function sourceFiles(root: string): string[] {
  const files = [...SOURCE_FILES];
  for (const folder of SOURCE_FOLDERS) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile() && entry.name.endsWith('.rs')) {
        files.push(
          join(entry.parentPath, entry.name)
            .slice(root.length + 1)
            .replaceAll('\\', '/'),
        );
      }
    }
  }
  return files.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** SHA-256 in hex over flags, and name, length and text of every source file. Line ends do not count. */
export function sourcesHash(root: string): string {
  const hash = createHash('sha256');
  hash.update(`${JSON.stringify(BUILDS.map(compilerFlags))}\n`);
  for (const file of sourceFiles(root)) {
    const text = readFileSync(join(root, file), 'utf8').replaceAll('\r\n', '\n');
    hash.update(`${file} ${Buffer.byteLength(text)}\n${text}\n`);
  }
  return hash.digest('hex');
}
