// What an operator's decision did, in words.
import { shortHash } from './figures.ts';
import type { Decision } from './wire.ts';

/** "gateways are told 01ab… instead of 23cd…"; empty for a decision this console does not know. */
export function decisionInWords({ action, detail }: Decision): string {
  switch (action) {
    case 'pin':
    case 'unpin':
    case 'rollback':
      return `gateways are told ${release(detail.champion)} instead of ${release(detail.before)}`;
    case 'forget': {
      const models = lengthOf(detail.models);
      const tainted = lengthOf(detail.not_removable);
      const out = `taken out of ${models} ${models === 1 ? 'model' : 'models'}`;
      return tainted === 0
        ? out
        : `${out}; ${tainted} earlier ${tainted === 1 ? 'release was' : 'releases were'} made with it`;
    }
    case 'allow_return':
      return 'its deltas are taken again';
    default:
      return '';
  }
}

function release(hash: unknown): string {
  return typeof hash === 'string' ? shortHash(hash) : 'none';
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}
