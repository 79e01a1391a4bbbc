/** What becomes of a delta whose signature is good: a pure decision from what is known about it. */
import type { ErrorCode } from '@rivulet/host';
import type { Standing } from '../drivers/store.ts';

export interface DeltaFacts {
  readonly standing: Standing;
  readonly seq: number;
  /** The gateway is there twice. */
  readonly cloned: boolean;
  /** The core that made it, in hex, and whether its arithmetic is taken. */
  readonly kernel: string;
  readonly kernelKnown: boolean;
  readonly task: string;
  /** False: the operator named the tasks that are taken, and this is none of them. */
  readonly taskKnown: boolean;
  /** Why this coordinator cannot take its schema; null: it can. */
  readonly schemaProblem: string | null;
  readonly modelKnown: boolean;
  /** Models in all, and those that the gateway has a part in. */
  readonly models: number;
  readonly modelsMax: number;
  readonly ownModel: boolean;
  readonly ownModels: number;
  readonly ownModelsMax: number;
  readonly incarnationKnown: boolean;
  readonly incarnations: number;
  readonly incarnationsMax: number;
}

export type Verdict =
  /** Was here before: the earlier answer stands. */
  | { readonly kind: 'duplicate' }
  /** Something newer of the same gateway and model is in already. */
  | { readonly kind: 'superseded' }
  | { readonly kind: 'quarantine'; readonly code: ErrorCode; readonly reason: string }
  /** To be merged, unless the core refuses it. */
  | { readonly kind: 'merge' };

export function verdictOn(facts: DeltaFacts): Verdict {
  if (facts.standing === 'duplicate') return { kind: 'duplicate' };
  if (facts.cloned) {
    return quarantine('two gateways live with the key of this one; an operator must see to it', 'RIV_GATEWAY_CLONED');
  }
  if (facts.standing === 'conflict') {
    return quarantine(
      `number ${facts.seq} of this incarnation was used before for other contents`,
      'RIV_NUMBER_REUSED',
    );
  }
  if (!facts.taskKnown)
    return quarantine(`this coordinator takes no task ${JSON.stringify(facts.task)}`, 'RIV_TASK_UNKNOWN');
  if (!facts.kernelKnown) {
    return quarantine(
      `it was made by the core ${facts.kernel}, which this coordinator never ran`,
      'RIV_KERNEL_UNKNOWN',
    );
  }
  if (facts.schemaProblem !== null) return quarantine(facts.schemaProblem);
  if (!facts.incarnationKnown && facts.incarnations >= facts.incarnationsMax) {
    return quarantine(`the gateway has had ${facts.incarnations} incarnations already`);
  }
  if (facts.standing === 'superseded') return { kind: 'superseded' };
  if (!facts.modelKnown && facts.models >= facts.modelsMax) {
    return quarantine(`the coordinator holds ${facts.models} models already`);
  }
  if (!facts.ownModel && facts.ownModels >= facts.ownModelsMax) {
    return quarantine(`the gateway has a part in ${facts.ownModels} models already`);
  }
  return { kind: 'merge' };
}

function quarantine(reason: string, code: ErrorCode = 'RIV_SCHEMA_MISMATCH'): Verdict {
  return { kind: 'quarantine', code, reason };
}
