// The engine session: one instance of the wasm core behind typed calls. Bytes go in through one input buffer and come out
// of one output buffer (wasm-core/src/lib.rs); an integer answer is a length or an error code. A trap kills the instance:
// what its memory holds then is nobody's state, so it is never called again.

import { readFile } from 'node:fs/promises';
import { byteReader } from './bytes.ts';
import { fromCore, RivuletError } from './errors.ts';
import { reason } from './files.ts';
import { sha256 } from './signing.ts';
import type { EngineReport, EvaluationReport } from './status.ts';

/** Longest key: an MQTT topic is at most this long. */
const NAME_BYTES_MAX = 65_536;

/** The boundary that this host speaks. */
const ABI_VERSION = 1;

/** Which build of the core. Both give the same bits. */
export type CoreBuild = 'scalar' | 'simd';

/** The loaded core; every engine is an instance with memory of its own. */
export interface Core {
  readonly build: CoreBuild;
  /** 32 bytes that name the arithmetic: hash of the sources, the same for both builds. */
  readonly kernelHash: Buffer;
  newEngine(): Engine;
}

/** What one task has learned, ready for an envelope. */
export interface DeltaSection {
  /** Index of the task in the plan. */
  task: number;
  schema: Buffer;
  statistics: Buffer;
}

/** Per task, by its index in the plan, and per key: how many vectors were served, and the hash that names them. */
export type ServedByTask = Map<string, { count: number; hash: Buffer }>[];

/** Bytes of the hash that names what was served for a key. */
export const SERVED_HASH_BYTES = 16;

/**
 * One instance of the core. Every method throws the core's error under its code (`RIV_CORE_…`); after RIV_CORE_TRAPPED
 * the engine is dead and throws that from then on.
 */
export interface Engine {
  readonly dead: boolean;
  /** Opens a plan (canonical JSON of FORMATS.md section 3). */
  open(plan: Uint8Array): void;
  /** Folds whole blocks; the outputs are a view that is valid until the next call. */
  ingest(blocks: Uint8Array): Uint8Array;
  /**
   * Outputs come with a trace of the vectors served and what became of them, or without; the state is the same.
   * @returns what was served up to now
   */
  trace(on: boolean): ServedByTask;
  /** The whole state, as a copy that is valid until the next `checkpoint`. */
  checkpoint(): Buffer;
  /**
   * The state in parts (FORMATS.md section 5): what has changed since the last call, or all of it when that is asked for or
   * must be. Parts of all are valid until the next `checkpoint` or `checkpointParts`, the others are the caller's own.
   */
  checkpointParts(all: boolean): { whole: boolean; parts: Buffer };
  /** Continues from a state, with the plan that it holds. */
  restore(state: Uint8Array): void;
  report(): EngineReport;
  /** The report of an engine that was opened with an evaluation plan. */
  evaluation(): EvaluationReport;
  /** Wall-clock time at which a tick would change something; Infinity when none would. */
  nextDueMs(): number;
  /** Copies of the statistics of every task with enough rows. */
  delta(): DeltaSection[];
  /** Predicts, scores and learns rows of an evaluation. */
  rows(bytes: Uint8Array): void;
  /** One operation on the merge (FORMATS.md section 7); the answer is a copy. */
  merge(operation: Uint8Array): Buffer;
}

/** Exports of the module, beside its memory. */
interface Exports {
  memory: { readonly buffer: ArrayBuffer };
  abi_version(): number;
  input_reserve(length: number): number;
  output_pointer(): number;
  open(length: number): number;
  ingest(length: number): number;
  trace(on: number): number;
  checkpoint(form: number): number;
  restore(length: number): number;
  report(): number;
  next_due_ms(): number;
  delta(): number;
  rows(length: number): number;
  merge(length: number): number;
}

const EXPORTS: readonly (keyof Exports)[] = [
  'memory',
  'abi_version',
  'input_reserve',
  'output_pointer',
  'open',
  'ingest',
  'trace',
  'checkpoint',
  'restore',
  'report',
  'next_due_ms',
  'delta',
  'rows',
  'merge',
];

/** The parts of `pkg/stamp.json` that matter here. */
interface Stamp {
  sources: string;
  builds: Record<CoreBuild, { file: string; sha256: string }>;
}

/**
 * Loads the committed core. `auto` takes the simd build where the machine can run it.
 * @throws RIV_CORE_ABSENT, RIV_CORE_ABI
 */
export async function loadCore(options: { build?: 'auto' | CoreBuild } = {}): Promise<Core> {
  const stamp = await readStamp();
  const wanted = options.build ?? 'auto';
  if (wanted !== 'scalar') {
    const bytes = await readBuild(stamp, 'simd');
    if (WebAssembly.validate(bytes)) return coreFromBytes(bytes, 'simd', Buffer.from(stamp.sources, 'hex'));
    if (wanted === 'simd')
      throw new RivuletError('RIV_CORE_ABI', {
        found: 'a machine without 128-bit SIMD',
        todo: 'Use the scalar build: it gives the same results.',
      });
  }
  return coreFromBytes(await readBuild(stamp, 'scalar'), 'scalar', Buffer.from(stamp.sources, 'hex'));
}

async function readStamp(): Promise<Stamp> {
  const bytes = await readPackage('stamp.json', () => import.meta.resolve('@rivulet/wasm-core/stamp.json'));
  return JSON.parse(bytes.toString('utf8')) as Stamp;
}

async function readBuild(stamp: Stamp, build: CoreBuild): Promise<Buffer<ArrayBuffer>> {
  const { file, sha256: expected } = stamp.builds[build];
  const bytes = await readPackage(file, () => import.meta.resolve(`@rivulet/wasm-core/${file}`));
  const found = sha256(bytes).toString('hex');
  if (found !== expected)
    throw new RivuletError('RIV_CORE_ABSENT', { found: `a ${build} build with hash ${found}`, expected, where: file });
  return bytes;
}

async function readPackage(file: string, locate: () => string): Promise<Buffer<ArrayBuffer>> {
  try {
    return await readFile(new URL(locate()));
  } catch (cause) {
    throw new RivuletError('RIV_CORE_ABSENT', { found: `no built core (${reason(cause)})`, where: file, cause });
  }
}

/**
 * Compiles a core and checks its face: no imports, every export, the right version.
 * @throws RIV_CORE_ABI
 */
export async function coreFromBytes(bytes: Buffer<ArrayBuffer>, build: CoreBuild, kernelHash: Buffer): Promise<Core> {
  const module = await WebAssembly.compile(bytes).catch((cause: unknown) => {
    throw new RivuletError('RIV_CORE_ABI', { found: `a core that does not compile (${reason(cause)})`, cause });
  });
  const imports = WebAssembly.Module.imports(module);
  if (imports.length > 0)
    throw new RivuletError('RIV_CORE_ABI', { found: `a core with ${imports.length} imports`, expected: 'none' });
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const missing = EXPORTS.find((name) => !names.has(name));
  if (missing !== undefined) throw new RivuletError('RIV_CORE_ABI', { found: `a core without the export ${missing}` });
  return { build, kernelHash, newEngine: () => newEngine(module) };
}

function newEngine(module: WebAssembly.Module): Engine {
  const core = new WebAssembly.Instance(module).exports as unknown as Exports;
  const abi = core.abi_version();
  if (abi !== ABI_VERSION)
    throw new RivuletError('RIV_CORE_ABI', { found: `a core of boundary version ${abi}`, expected: `${ABI_VERSION}` });
  let memory = new Uint8Array(core.memory.buffer);
  let trapped: RivuletError | null = null;
  // Copies of states go here: pages of a fresh buffer cost more than the copy itself.
  let bounce = Buffer.alloc(0);

  /** Calls into the core; whatever it throws is a trap. */
  function enter(name: string, call: () => number): number {
    if (trapped !== null) throw trapped;
    try {
      return call();
    } catch (cause) {
      trapped = new RivuletError('RIV_CORE_TRAPPED', {
        found: `the core trapped (${reason(cause)})`,
        where: name,
        cause,
      });
      throw trapped;
    }
  }

  /** The memory as it is now: growing moves it, and views of the old one are empty. */
  function view(): Uint8Array {
    if (memory.buffer !== core.memory.buffer) memory = new Uint8Array(core.memory.buffer);
    return memory;
  }

  function put(name: string, bytes: Uint8Array): void {
    const at = enter(name, () => core.input_reserve(bytes.length)) >>> 0;
    if (at === 0) throw new RivuletError('RIV_CORE_LIMIT', { found: `an input of ${bytes.length} bytes`, where: name });
    view().set(bytes, at);
  }

  /** Runs an operation; its output is a view that is valid until the next call. */
  function run(name: string, call: () => number): Uint8Array {
    const length = enter(name, call);
    if (length < 0) throw fromCore(length, name);
    if (length === 0) return new Uint8Array(0);
    const at = enter(name, () => core.output_pointer()) >>> 0;
    const bytes = view();
    if (at + length > bytes.length)
      throw new RivuletError('RIV_CORE_ABI', {
        found: `an output of ${length} bytes outside of the memory`,
        where: name,
      });
    return bytes.subarray(at, at + length);
  }

  function bounced(bytes: Uint8Array): Buffer {
    // A quarter more than asked for, so that a state that grows slowly seldom needs a new one.
    if (bounce.length < bytes.length) bounce = Buffer.allocUnsafe(Math.ceil(bytes.length * 1.25));
    bounce.set(bytes);
    return bounce.subarray(0, bytes.length);
  }

  const report = (): unknown => JSON.parse(Buffer.from(run('report', () => core.report())).toString('utf8'));

  return {
    get dead() {
      return trapped !== null;
    },
    open(plan) {
      put('open', plan);
      run('open', () => core.open(plan.length));
    },
    ingest(blocks) {
      put('ingest', blocks);
      return run('ingest', () => core.ingest(blocks.length));
    },
    trace(on) {
      const reader = byteReader(Buffer.from(run('trace', () => core.trace(on ? 1 : 0))), 'what was served');
      const tasks: ServedByTask = [];
      for (let left = reader.u32(); left > 0; left--) {
        const keys: ServedByTask[number] = new Map();
        for (let more = reader.u32(); more > 0; more--) {
          const key = reader.str(NAME_BYTES_MAX);
          keys.set(key, { count: reader.u64(), hash: Buffer.from(reader.raw(SERVED_HASH_BYTES)) });
        }
        tasks.push(keys);
      }
      reader.finish();
      return tasks;
    },
    checkpoint: () => bounced(run('checkpoint', () => core.checkpoint(0))),
    checkpointParts(all) {
      const answer = run('checkpoint', () => core.checkpoint(all ? 1 : 2));
      const whole = answer[0] === 1;
      const parts = answer.subarray(1);
      return { whole, parts: whole ? bounced(parts) : Buffer.from(parts) };
    },
    restore(state) {
      put('restore', state);
      run('restore', () => core.restore(state.length));
    },
    report: () => report() as EngineReport,
    evaluation: () => report() as EvaluationReport,
    nextDueMs: () => enter('next_due_ms', () => core.next_due_ms()),
    delta() {
      const reader = byteReader(Buffer.from(run('delta', () => core.delta())), 'a delta');
      const sections: DeltaSection[] = [];
      for (let left = reader.u32(); left > 0; left--) {
        const task = reader.u16();
        sections.push({ task, schema: reader.bytes(reader.remaining), statistics: reader.bytes(reader.remaining) });
      }
      reader.finish();
      return sections;
    },
    rows(bytes) {
      put('rows', bytes);
      run('rows', () => core.rows(bytes.length));
    },
    merge(operation) {
      put('merge', operation);
      return Buffer.from(run('merge', () => core.merge(operation.length)));
    },
  };
}
