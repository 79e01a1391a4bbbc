/** Our side: a prepared file through `evaluate`, the code of `rivulet evaluate`, with nothing set. */
import type { Core } from '@rivulet/host';
import { type EvaluationResult, evaluate } from '../../../edge-agent/src/evaluate/evaluation.ts';
import { openTable } from '../../../edge-agent/src/table/table.ts';
import { type BenchTask, LABEL } from './tasks.ts';

/** Evaluates the default on a task whose labels come `labelDelay` rows late. */
export async function runOurs(core: Core, task: BenchTask, labelDelay: number): Promise<EvaluationResult> {
  const request = {
    task: task.kind,
    target: LABEL,
    time: undefined,
    key: undefined,
    drop: [],
    horizon: 1,
    labelDelay,
    classes: Array.from({ length: task.classes }, (_, index) => String(index)),
  };
  const settings = { limit: Number.POSITIVE_INFINITY, positive: undefined, progress: () => {} };
  return evaluate(core, await openTable(task.path), request, settings);
}
