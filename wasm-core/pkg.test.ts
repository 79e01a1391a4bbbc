/** Holds the committed core to its contract: no imports, a frozen list of exports, numbers only, built from these sources. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUILDS, sourcesHash } from './sources.ts';
import { stampProblems, wasmFile } from './stamp.ts';

const pkg = join(import.meta.dirname, 'pkg');

/** Every function export with its parameters and result. Changing this list is changing the boundary: raise `abi_version`. */
const FUNCTIONS = {
  abi_version: '() -> i32',
  checkpoint: '(i32) -> i32',
  delta: '() -> i32',
  ingest: '(i32) -> i32',
  input_reserve: '(i32) -> i32',
  merge: '(i32) -> i32',
  next_due_ms: '() -> f64',
  open: '(i32) -> i32',
  output_pointer: '() -> i32',
  report: '() -> i32',
  restore: '(i32) -> i32',
  rows: '(i32) -> i32',
  trace: '(i32) -> i32',
};
/** Beside the functions: the memory, and two globals that wasm-bindgen puts into every module. */
const OTHERS = ['__abort_handler', '__instance_terminated', 'memory'];
const EXPORTS_MAX = 16;
const MEMORY_PAGES_MAX = 2 ** 14;

describe.each(BUILDS)('the %s build', async (build) => {
  const bytes = readFileSync(join(pkg, wasmFile(build)));
  const module = await WebAssembly.compile(bytes);

  it('has no imports', () => {
    expect(WebAssembly.Module.imports(module)).toEqual([]);
  });

  it('exports the frozen list and nothing else', () => {
    const names = WebAssembly.Module.exports(module).map((entry) => entry.name);
    expect(names.sort()).toEqual([...Object.keys(FUNCTIONS), ...OTHERS].sort());
    expect(names.length).toBeLessThanOrEqual(EXPORTS_MAX);
  });

  it('takes and returns only numbers', () => {
    expect(readShape(bytes).functions).toEqual(FUNCTIONS);
  });

  it('declares how far its memory may grow', () => {
    expect(readShape(bytes).memoryPagesMax).toBe(MEMORY_PAGES_MAX);
  });

  it('answers a call before open with the code for it, and a merge with its own', () => {
    const exports = new WebAssembly.Instance(module).exports as unknown as typeof import('./pkg/rivulet.d.ts');
    expect(exports.abi_version()).toBe(1);
    expect(exports.checkpoint(0)).toBe(-6);
    expect(exports.merge(0)).toBe(-1);
  });
});

describe('the committed core', () => {
  it('was built from the sources of this checkout', () => {
    expect(stampProblems(pkg, sourcesHash(import.meta.dirname)), 'run npm run build:wasm').toEqual([]);
  });

  it('describes its exports to TypeScript as they are', () => {
    const described = [...readFileSync(join(pkg, 'rivulet.d.ts'), 'utf8').matchAll(/export const (\w+)/g)];
    expect(described.map((match) => match[1]).sort()).toEqual([...Object.keys(FUNCTIONS), 'memory'].sort());
  });

  it('uses 128-bit lanes in the simd build only', () => {
    const lanes = (build: 'scalar' | 'simd') =>
      readFileSync(join(pkg, wasmFile(build)))
        .toString('latin1')
        .split('\xfd').length;
    expect(lanes('simd')).toBeGreaterThan(lanes('scalar') + 100);
  });
});

/** What the binary format says of exported functions and of the memory (WebAssembly core specification 2.0, section 5.5). */
function readShape(bytes: Uint8Array): { functions: Record<string, string>; memoryPagesMax: number | undefined } {
  let at = 8;
  const byte = () => bytes[at++] ?? expect.fail('the module ends too soon');
  const number = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const part = byte();
      value += (part & 0x7f) * scale;
      if (part < 0x80) return value;
    }
  };
  const list = <T>(read: () => T): T[] => Array.from({ length: number() }, read);
  const type = () => ({ 127: 'i32', 126: 'i64', 125: 'f32', 124: 'f64' })[byte()] ?? 'not a number';

  let types: string[] = [];
  let functionTypes: number[] = [];
  let memoryPagesMax: number | undefined;
  const functions: Record<string, string> = {};
  while (at < bytes.length) {
    const section = byte();
    const end = number() + at;
    if (section === 1) {
      types = list(() => {
        byte(); // 0x60: a function type
        return `(${list(type).join(', ')}) -> ${list(type).join(', ')}`;
      });
    } else if (section === 3) functionTypes = list(number);
    else if (section === 5) {
      [memoryPagesMax] = list(() => {
        const flags = byte();
        number();
        return flags & 1 ? number() : undefined;
      });
    } else if (section === 7) {
      list(() => {
        const length = number();
        const name = Buffer.from(bytes.subarray(at, at + length)).toString('utf8');
        at += length;
        const kind = byte();
        const index = number();
        // There are no imports, so indexes count from the module's own functions.
        if (kind === 0) functions[name] = types[functionTypes[index] ?? -1] ?? 'no type';
      });
    }
    at = end;
  }
  return { functions, memoryPagesMax };
}
