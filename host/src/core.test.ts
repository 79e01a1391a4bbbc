import { existsSync } from 'node:fs';
import binaryen from 'binaryen';
import { describe, expect, test } from 'vitest';
import { byteReader, writeBytes } from './bytes.ts';
import { type CoreBuild, coreFromBytes, type Engine, loadCore } from './core.ts';
import { RivuletError } from './errors.ts';

/**
 * A small module with the core's face: `ingest` answers its input and grows the memory, `report` a text, `merge` the
 * first byte as a negative code, `rows` traps, `delta` points outside of the memory.
 */
const FACE = `(module
  (memory (export "memory") 1)
  (data (i32.const 16) "{\\"rows\\":3}")
  (global $at (mut i32) (i32.const 1024))
  (func (export "abi_version") (result i32) (i32.const 1))
  (func (export "input_reserve") (param i32) (result i32)
    (if (result i32) (i32.gt_u (local.get 0) (i32.const 60000)) (then (i32.const 0)) (else (i32.const 1024))))
  (func (export "output_pointer") (result i32) (global.get $at))
  (func (export "open") (param i32) (result i32) (i32.const 0))
  (func (export "ingest") (param i32) (result i32)
    (drop (memory.grow (i32.const 1))) (global.set $at (i32.const 1024)) (local.get 0))
  (func (export "trace") (param i32) (result i32) (i32.const 0))
  (func (export "checkpoint") (result i32) (global.set $at (i32.const 16)) (i32.const 10))
  (func (export "restore") (param i32) (result i32) (i32.const -4))
  (func (export "report") (result i32) (global.set $at (i32.const 16)) (i32.const 10))
  (func (export "next_due_ms") (result f64) (f64.const inf))
  (func (export "delta") (result i32) (global.set $at (i32.const 16)) (i32.const 2147483647))
  (func (export "rows") (param i32) (result i32) unreachable)
  (func (export "merge") (param i32) (result i32) (i32.sub (i32.const 0) (i32.load8_u (i32.const 1024)))))`;

function assemble(text: string): Buffer<ArrayBuffer> {
  const module = binaryen.parseText(text);
  try {
    return Buffer.from(module.emitBinary());
  } finally {
    module.dispose();
  }
}

async function faceEngine(text = FACE): Promise<Engine> {
  return (await coreFromBytes(assemble(text), 'scalar', Buffer.alloc(32))).newEngine();
}

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (thrown) {
    if (thrown instanceof RivuletError) return thrown.code;
    throw thrown;
  }
  return 'none';
}

describe('an engine', () => {
  test('reads_its_output_where_the_memory_is_after_it_has_grown', async () => {
    const engine = await faceEngine();
    const input = Buffer.from('some blocks');
    for (let round = 0; round < 3; round++) expect(Buffer.from(engine.ingest(input))).toEqual(input);
    expect(engine.evaluation()).toEqual({ rows: 3 });
  });

  test('keeps_a_checkpoint_while_it_goes_on', async () => {
    const engine = await faceEngine();
    const state = engine.checkpoint();
    engine.ingest(Buffer.alloc(50_000, 1));
    expect(state.toString()).toBe('{"rows":3}');
  });

  test('answers_of_the_core_become_coded_errors_and_it_lives_on', async () => {
    const engine = await faceEngine();
    expect(codeOf(() => engine.merge(Buffer.from([8])))).toBe('RIV_CORE_SCHEMA_MISMATCH');
    expect(codeOf(() => engine.merge(Buffer.from([99])))).toBe('RIV_CORE_UNKNOWN');
    expect(codeOf(() => engine.restore(Buffer.alloc(1)))).toBe('RIV_CORE_CORRUPT');
    expect(codeOf(() => engine.open(Buffer.alloc(60_001)))).toBe('RIV_CORE_LIMIT');
    expect(codeOf(() => engine.delta())).toBe('RIV_CORE_ABI');
    expect(engine.dead).toBe(false);
    expect(engine.nextDueMs()).toBe(Number.POSITIVE_INFINITY);
  });

  test('is_dead_after_a_trap', async () => {
    const engine = await faceEngine();
    expect(codeOf(() => engine.rows(Buffer.alloc(1)))).toBe('RIV_CORE_TRAPPED');
    expect(engine.dead).toBe(true);
    for (const call of [() => engine.checkpoint(), () => engine.nextDueMs(), () => engine.open(Buffer.alloc(1))])
      expect(codeOf(call)).toBe('RIV_CORE_TRAPPED');
  });
});

describe('a core', () => {
  const refusal = (text: string) =>
    coreFromBytes(assemble(text), 'scalar', Buffer.alloc(32)).then(
      (core) => codeOf(() => core.newEngine()),
      (thrown) => (thrown as RivuletError).code,
    );

  test('with_imports_or_without_an_export_or_of_another_version_is_refused', async () => {
    expect(await refusal(FACE.replace('(module', '(module (import "a" "b" (func))'))).toBe('RIV_CORE_ABI');
    expect(await refusal(FACE.replace('"ingest"', '"digest"'))).toBe('RIV_CORE_ABI');
    expect(await refusal(FACE.replace('(i32.const 1))', '(i32.const 2))'))).toBe('RIV_CORE_ABI');
  });

  test('that_is_not_wasm_is_refused', async () => {
    await expect(coreFromBytes(Buffer.from('not wasm at all'), 'simd', Buffer.alloc(32))).rejects.toMatchObject({
      code: 'RIV_CORE_ABI',
    });
  });
});

const built = existsSync(new URL(import.meta.resolve('@rivulet/wasm-core/stamp.json')));

describe.skipIf(!built)('the built core', () => {
  test.each<CoreBuild>(['scalar', 'simd'])('%s_is_loaded_and_refuses_calls_before_a_plan', async (build) => {
    const core = await loadCore({ build });
    expect([core.build, core.kernelHash.length]).toEqual([build, 32]);
    const engine = core.newEngine();
    expect(codeOf(() => engine.ingest(Buffer.alloc(0)))).toBe('RIV_CORE_NOT_OPEN');
    expect(codeOf(() => engine.checkpoint())).toBe('RIV_CORE_NOT_OPEN');
    expect(engine.dead).toBe(false);
  });

  test.each<CoreBuild>(['scalar', 'simd'])('%s_merges_statistics_into_a_ridge', async (build) => {
    const engine = (await loadCore({ build })).newEngine();
    const schema = Buffer.from('{"task":"t","kind":"regression","target":"y","horizon_ms":0,"features":["x"]}');
    engine.merge(writeBytes([{ u8: 1 }, { bytes: schema }, { u8: 1 }]));
    // y = 3x + 1 over 100 rows with x = ±1: means 0 and 1, centred co-moments 100, 300, 900.
    const moments = [100, 0, 1, 100, 300, 900].map((f64) => ({ f64 }));
    const statistics = writeBytes([{ ascii: 'RVST' }, { u16: 1 }, { u8: 1 }, { u8: 0 }, { u32: 1 }, ...moments]);
    for (const gateway of [1, 2])
      engine.merge(writeBytes([{ u8: 2 }, { raw: Buffer.alloc(32, gateway) }, { bytes: statistics }]));
    const answer = byteReader(engine.merge(writeBytes([{ u8: 4 }, { f64: 1e-6 }, { u8: 0 }])), 'the answer');
    expect([answer.u32(), answer.f64()]).toEqual([2, 200]);
    const model = byteReader(answer.bytes(1000), 'a model');
    expect(model.raw(12).toString('hex')).toBe('5256524d' + '0100' + '01' + '00' + '01000000');
    expect(model.f64()).toBe(200);
    expect(model.f64()).toBeCloseTo(3, 4);
    expect(model.f64()).toBeCloseTo(1, 4);
    expect(
      codeOf(() => engine.merge(writeBytes([{ u8: 2 }, { raw: Buffer.alloc(32, 3) }, { bytes: Buffer.alloc(9) }]))),
    ).toMatch(/^RIV_CORE_(FOREIGN|TRUNCATED)$/);
  });

  test('auto_takes_a_build_and_both_name_the_same_arithmetic', async () => {
    const auto = await loadCore();
    expect(auto.kernelHash).toEqual((await loadCore({ build: 'scalar' })).kernelHash);
  });

  test('a_hostile_state_is_refused', async () => {
    const engine = (await loadCore()).newEngine();
    for (const state of [Buffer.alloc(0), Buffer.alloc(3, 7), Buffer.alloc(1000, 255)])
      expect(codeOf(() => engine.restore(state))).toMatch(/^RIV_CORE_(TRUNCATED|FOREIGN|CORRUPT|TOO_NEW)$/);
    expect(engine.dead).toBe(false);
  });
});
