import type { EngineReport, EvaluationReport } from './status.ts';

/** Which build of the core. */
export type CoreBuild = 'scalar' | 'simd';

/** The loaded core; every engine is an instance with memory of its own. */
export interface Core {
  readonly build: CoreBuild;
  /** 32 bytes that name the arithmetic; the same for both builds. */
  readonly kernelHash: Buffer;
  newEngine(): Engine;
}

/** What one task has learned, ready for an envelope. */
export interface DeltaSection {
  task: number;
  schema: Buffer;
  statistics: Buffer;
}

/** One instance of the core. Every method throws a coded error; after RIV_CORE_TRAPPED the engine is dead. */
export interface Engine {
  readonly dead: boolean;
  /** Opens a plan (canonical JSON of FORMATS.md section 3). */
  open(plan: Uint8Array): void;
  /** Folds blocks; the outputs are a view that is valid until the next call. */
  ingest(blocks: Uint8Array): Uint8Array;
  /** The whole state, as a copy. */
  checkpoint(): Buffer;
  restore(state: Uint8Array): void;
  report(): EngineReport;
  evaluation(): EvaluationReport;
  /** Wall-clock time at which the core wants a tick; Infinity when it wants none. */
  nextDueMs(): number;
  delta(): DeltaSection[];
  rows(bytes: Uint8Array): void;
  /** One operation on the merge; the answer is a copy. */
  merge(operation: Uint8Array): Buffer;
}

export async function loadCore(_options: { build?: 'auto' | CoreBuild } = {}): Promise<Core> {
  throw new Error('follows');
}
