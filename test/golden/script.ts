/**
 * Golden scripts: calls into the core, one after another, as a file that TypeScript and Rust both play
 * (`wasm-core/engine/tests/golden.rs`). The digest of a script is the SHA-256 over each call's answer (i32) and, where
 * that is not an error, its output.
 *
 * A script is records back to back: u8 call, u32 length, that many bytes of input.
 */
import { createHash } from 'node:crypto';

/** Calls by their number. `resume` restores the output of the last `checkpoint`, in an instance of its own. */
export const CALL = { open: 1, ingest: 2, checkpoint: 3, resume: 4, report: 5, delta: 6, rows: 7, merge: 8 } as const;
/** One of the calls. */
export type Call = keyof typeof CALL;

const NAMES = new Map<number, Call>(Object.entries(CALL).map(([name, number]) => [number, name as Call]));

/** One call with its input. */
export interface Step {
  call: Call;
  input: Buffer;
}

/** The bytes of a script. */
export function encodeScript(steps: readonly Step[]): Buffer {
  return Buffer.concat(
    steps.flatMap(({ call, input }) => {
      const head = Buffer.alloc(5);
      head.writeUInt8(CALL[call], 0);
      head.writeUInt32LE(input.length, 1);
      return [head, input];
    }),
  );
}

/** The steps of a script. */
export function* decodeScript(bytes: Buffer): Generator<Step> {
  for (let at = 0; at < bytes.length; ) {
    const call = NAMES.get(bytes.readUInt8(at));
    const length = bytes.readUInt32LE(at + 1);
    if (call === undefined || at + 5 + length > bytes.length) throw new Error(`no golden call at byte ${at}`);
    yield { call, input: bytes.subarray(at + 5, at + 5 + length) };
    at += 5 + length;
  }
}

type Exports = typeof import('../../wasm-core/pkg/rivulet.d.ts') & { memory: { buffer: ArrayBuffer } };

/** What a script came to. */
export interface Outcome {
  /** SHA-256 over all answers and outputs, in hex. */
  digest: string;
  /** Bytes that the calls put out. */
  output_bytes: number;
  /** How many calls were answered with an error; a script that stops working shows here. */
  refused: number;
}

/** Plays a script on the raw exports of a core; after `resume` on those of `resumed`. */
export function playScript(module: WebAssembly.Module, script: Buffer, resumed = module): Outcome {
  const digest = createHash('sha256');
  let core = new WebAssembly.Instance(module).exports as unknown as Exports;
  let checkpoint = Buffer.alloc(0);
  let outputBytes = 0;
  let refused = 0;
  for (const step of decodeScript(script)) {
    if (step.call === 'resume') core = new WebAssembly.Instance(resumed).exports as unknown as Exports;
    const input = step.call === 'resume' ? checkpoint : step.input;
    const at = core.input_reserve(input.length);
    new Uint8Array(core.memory.buffer, at, input.length).set(input);
    const answer = call(core, step.call, input.length);
    const output = Buffer.from(new Uint8Array(core.memory.buffer, core.output_pointer(), Math.max(answer, 0)));
    if (step.call === 'checkpoint') checkpoint = output;
    outputBytes += output.length;
    if (answer < 0) refused += 1;
    const head = Buffer.alloc(4);
    head.writeInt32LE(answer);
    digest.update(head).update(output);
  }
  return { digest: digest.digest('hex'), output_bytes: outputBytes, refused };
}

function call(core: Exports, name: Call, length: number): number {
  switch (name) {
    case 'open':
      return core.open(length);
    case 'ingest':
      return core.ingest(length);
    case 'checkpoint':
      return core.checkpoint(0);
    case 'resume':
      return core.restore(length);
    case 'report':
      return core.report();
    case 'delta':
      return core.delta();
    case 'rows':
      return core.rows(length);
    case 'merge':
      return core.merge(length);
  }
}
