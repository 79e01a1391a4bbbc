// The direction of imports (design.md section 9): edge-agent → host ← cloud-sync, host → wasm-core, and nobody imports the
// launcher in host/start. Read off the sources themselves, so that it holds for types as well.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
/** The folders of the product, and for each the folders beside itself that it may import. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'wasm-core': [],
  'host/src': ['wasm-core'],
  'host/start': ['host/src'],
  'edge-agent': ['host/src'],
  'cloud-sync': ['host/src'],
};
/** Packages of the workspace by name, and the folder an import of them reaches. */
const PACKAGES: Record<string, string> = {
  '@rivulet/host': 'host/src',
  '@rivulet/wasm-core': 'wasm-core',
  '@rivulet/edge-agent': 'edge-agent',
  '@rivulet/cloud-sync': 'cloud-sync',
};
const SKIPPED = new Set(['node_modules', 'dist', 'target', 'pkg']);
const SPECIFIER = /(?:\bfrom\s*|\bimport\s*\(?\s*|\bimport\.meta\.resolve\s*\(\s*)(['"`])([^'"`\n]+)\1/g;

interface Import {
  file: string;
  specifier: string;
}

function sourceFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sourceFiles(path);
    return /\.(?:[cm]?[jt]sx?)$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(path: string, text = readFileSync(path, 'utf8')): Import[] {
  const file = relative(ROOT, path).split(sep).join('/');
  return [...text.matchAll(SPECIFIER)].map((match) => ({ file, specifier: match[2] as string }));
}

function folderOf(file: string): string | undefined {
  return Object.keys(MAY_IMPORT).find((folder) => file === folder || file.startsWith(`${folder}/`));
}

/** The folder of the product that an import reaches; undefined for Node's and third-party modules. */
function reached({ file, specifier }: Import): string | undefined {
  if (specifier.startsWith('.'))
    return folderOf(
      relative(ROOT, resolve(ROOT, dirname(file), specifier))
        .split(sep)
        .join('/'),
    );
  const name = Object.keys(PACKAGES).find((known) => specifier === known || specifier.startsWith(`${known}/`));
  return name === undefined ? undefined : PACKAGES[name];
}

/** What is wrong with an import; null when it may be. */
function judge(found: Import): string | null {
  const from = folderOf(found.file);
  const to = reached(found);
  if (from === undefined || to === undefined || to === from) return null;
  if (!(MAY_IMPORT[from] as readonly string[]).includes(to))
    return `${found.file} imports ${found.specifier}: ${from} may not reach ${to}`;
  // Between packages only the public face: what index.ts exports.
  if (found.specifier.startsWith('.') && !found.file.startsWith('host/'))
    return `${found.file} imports ${found.specifier}: other packages are imported by their name`;
  return null;
}

test('imports_point_one_way', () => {
  const files = Object.keys(MAY_IMPORT).flatMap((folder) => sourceFiles(join(ROOT, folder)));
  const imports = files.flatMap((file) => importsOf(file));
  // A check over nothing would always succeed.
  expect(files.length).toBeGreaterThan(20);
  expect(imports.filter((found) => found.specifier === '@rivulet/host').length).toBeGreaterThan(5);
  expect(imports.map(judge).filter((wrong) => wrong !== null)).toEqual([]);
});

test.each([
  ['edge-agent/src/a.ts', "import { x } from '@rivulet/cloud-sync';"],
  ['edge-agent/src/a.ts', "import type { X } from '../../cloud-sync/src/x.ts';"],
  ['cloud-sync/src/a.ts', "const x = await import('@rivulet/edge-agent/x');"],
  ['cloud-sync/console/src/a.tsx', "export * from '../../../host/src/log.ts';"],
  ['host/src/a.ts', "import '../start/main.ts';"],
  ['host/src/a.ts', "import { x } from '@rivulet/edge-agent';"],
  ['edge-agent/src/a.ts', "import { x } from '../../host/start/main.ts';"],
  ['wasm-core/build.ts', "import { x } from '@rivulet/host';"],
])('a_forbidden_import_in_%s_is_seen', (file, text) => {
  expect(importsOf(join(ROOT, file), text).map(judge)).toEqual([expect.stringContaining(file)]);
});

test.each([
  ['edge-agent/src/cli/a.ts', "import { x } from '@rivulet/host'; import y from '../b.ts'; import z from 'node:fs';"],
  ['host/start/a.ts', "import { x } from '../src/index.ts';"],
  ['host/src/a.ts', "const x = import.meta.resolve('@rivulet/wasm-core/pkg/stamp.json');"],
])('an_allowed_import_in_%s_passes', (file, text) => {
  expect(
    importsOf(join(ROOT, file), text)
      .map(judge)
      .filter((wrong) => wrong !== null),
  ).toEqual([]);
});
