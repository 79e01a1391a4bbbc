/**
 * One model's merge: an instance of the core that holds the newest statistics of every gateway and solves them into a
 * model (FORMATS.md section 7). The arithmetic is the core's; here are only the operations needed as calls.
 */
import { byteReader, type Core, sha256, writeBytes } from '@rivulet/host';
import type { Form } from './drivers/store.ts';

/** Ridge relative to the diagonal of the correlation matrix: enough to tame copies of a feature, too little to bend a model. */
const RIDGE = 1e-4;
/** Largest model read back from the core, in bytes. */
const MODEL_BYTES_MAX = 16 * 1024 * 1024;

const OPERATION = { open: 1, put: 2, remove: 3, solve: 4, measure: 5, judge: 6, count: 7, putOwn: 8 } as const;
/** A *put* without its statistics: operation, leaf, length. */
const PUT_BYTES = 1 + 32 + 4;
/** Suspects read back from one judgement: a quarter of the gateways that can enrol. */
const SUSPECTS_MAX = 2_500;

/** What a merge holds. */
export interface Measured {
  readonly gateways: number;
  readonly rows: number;
  /** Digest of the root of the merge tree: the same set of statistics gives the same digest. */
  readonly digest: Buffer;
  /** The same without what was learned on top of releases. */
  readonly removable: Buffer;
}

/** A gateway whose class means do not fit those of the others. */
export interface Suspect {
  /** SHA-256 of its id, hex. */
  readonly leaf: string;
  /** How far its class means are from those of the others, in units of what chance gives. */
  readonly distance: number;
  /** From which distance on a gateway is suspicious in this fleet. */
  readonly limit: number;
  readonly rows: number;
}

/** What the class-mean test says of a fleet. */
export interface Judgement {
  /** True when there was enough to tell, and the gateways look at one world. */
  readonly oneWorld: boolean;
  readonly suspects: readonly Suspect[];
}

/** The core's verdict: 0 too little to tell, 1 one world, 2 several. */
const ONE_WORLD = 1;

export interface Solved extends Omit<Measured, 'removable'> {
  readonly model: Buffer;
}

export interface Merge {
  /**
   * Takes a gateway's statistics in, in place of its earlier ones; false when their logistic was left out, because it does not
   * know its own class means. Throws a coded error when the core refuses them. `forked` (default): what it learned on top of
   * releases counts; else its own logistic, made without any, stands for that.
   */
  put(gateway: string, statistics: Uint8Array, forked?: boolean): boolean;
  /** Takes a gateway out: what is left is the merge of a fleet that never had it. */
  remove(gateway: string): void;
  /** `removable`: without what was learned on top of releases. */
  solve(removable?: boolean): Solved;
  /** Gateways that do not fit (class-mean test); nobody where the fleet is small, or not one world. */
  judge(): Judgement;
  /** How much there is; for whoever asks after each change, since a digest costs more than the change. */
  count(): { gateways: number; rows: number };
  /** Also when there is too little to solve; without gateways the digest is zeros. */
  measure(): Measured;
}

/** Makes an empty merge for a schema. */
export type OpenMerge = (schemaText: string, form: Form) => Merge;

/** Merges by the core, each in an instance of its own. */
export function mergesBy(core: Core): OpenMerge {
  return (schemaText, form) => {
    const engine = core.newEngine();
    engine.merge(writeBytes([{ u8: OPERATION.open }, { bytes: Buffer.from(schemaText) }, { u8: form }]));
    // One for all of them: the memory of a large merge is counted as garbage-to-be, and a fresh buffer each time
    // had all of it looked at every few hundred calls.
    let operation = Buffer.allocUnsafeSlow(PUT_BYTES);

    function putOperation(gateway: string, statistics: Uint8Array, forked: boolean): Buffer {
      const length = PUT_BYTES + statistics.length;
      if (operation.length < length) operation = Buffer.allocUnsafeSlow(2 * length);
      let at = operation.writeUInt8(forked ? OPERATION.put : OPERATION.putOwn, 0);
      at += leafOf(gateway).copy(operation, at);
      operation.set(statistics, operation.writeUInt32LE(statistics.length, at));
      return operation.subarray(0, length);
    }

    return {
      put: (gateway, statistics, forked = true) => engine.merge(putOperation(gateway, statistics, forked))[0] === 1,
      remove: (gateway) => void engine.merge(writeBytes([{ u8: OPERATION.remove }, { raw: leafOf(gateway) }])),
      solve(removable = false) {
        const reader = byteReader(
          engine.merge(writeBytes([{ u8: OPERATION.solve }, { f64: RIDGE }, { u8: Number(removable) }])),
          'a solved merge',
        );
        const solved = {
          gateways: reader.u32(),
          rows: reader.f64(),
          model: reader.bytes(MODEL_BYTES_MAX),
          digest: reader.raw(32),
        };
        reader.finish();
        return solved;
      },
      judge() {
        const reader = byteReader(engine.merge(writeBytes([{ u8: OPERATION.judge }])), 'a judged merge');
        const oneWorld = reader.u8() === ONE_WORLD;
        reader.f64();
        const count = Math.min(reader.u32(), SUSPECTS_MAX);
        const suspects = Array.from({ length: count }, () => ({
          leaf: reader.raw(32).toString('hex'),
          distance: reader.f64(),
          limit: reader.f64(),
          rows: reader.f64(),
        }));
        return { oneWorld, suspects };
      },
      count() {
        const reader = byteReader(engine.merge(writeBytes([{ u8: OPERATION.count }])), 'a counted merge');
        const counted = { gateways: reader.u32(), rows: reader.f64() };
        reader.finish();
        return counted;
      },
      measure() {
        const reader = byteReader(engine.merge(writeBytes([{ u8: OPERATION.measure }])), 'a measured merge');
        const measured = {
          gateways: reader.u32(),
          rows: reader.f64(),
          digest: reader.raw(32),
          removable: reader.raw(32),
        };
        reader.finish();
        return measured;
      },
    };
  };
}

/** A gateway's place in the tree depends on its id alone. */
export function leafOf(gateway: string): Buffer {
  return sha256(Buffer.from(gateway));
}
