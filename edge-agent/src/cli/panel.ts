/**
 * `rivulet panel show STATE_DIR`: which experts the tasks of a gateway listen to, how each has done, and who leads since
 * when. It reads the newest checkpoint, so it works beside a live agent and is at most some seconds behind it.
 */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCore, openSlots, RivuletError, type TaskReport } from '@rivulet/host';
import { driftLines, labelLines } from '../task_text.ts';
import { coreBuild } from './run.ts';

const HELP = `Usage: rivulet panel show STATE_DIR [options]

  What each task's panel of experts is like at the newest checkpoint: weight in what is served, mean error, labels it was
  scored on, and who leads since which label. The error of a class task is the share of wrong answers.

  --task NAME   this task only
  --top N       the N experts with most weight (default 12; 0: all)
  --json        one JSON object per task
  --core WHICH  auto, scalar or simd (default auto)`;

export async function run(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      task: { type: 'string' },
      top: { type: 'string', default: '12' },
      json: { type: 'boolean', default: false },
      core: { type: 'string', default: 'auto' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [action, directory, ...rest] = positionals;
  if (action !== 'show' || directory === undefined || rest.length > 0) {
    throw new RivuletError('RIV_USAGE', { found: positionals.join(' ') || 'nothing', expected: 'show STATE_DIR' });
  }
  if (!/^\d{1,4}$/.test(values.top)) {
    throw new RivuletError('RIV_USAGE', { where: '--top', found: `"${values.top}"`, expected: '0 to 9999' });
  }
  const tasks = await tasksOf(directory, values.task, values.core);
  for (const task of tasks) {
    console.log(values.json ? JSON.stringify(panelOf(task)) : panelText(task, Number(values.top)));
  }
  if (tasks.length === 0 && !values.json) {
    console.log('The gateway has no tasks.');
  }
  return 0;
}

/** @throws RIV_NOT_FOUND when there is no checkpoint, or no task of this name */
async function tasksOf(directory: string, name: string | undefined, build: string): Promise<TaskReport[]> {
  const core = await loadCore({ build: coreBuild(build) });
  const slot = await (await openSlots(join(directory, 'checkpoint'))).load();
  if (slot === null) {
    throw new RivuletError('RIV_NOT_FOUND', {
      found: 'no checkpoint that can be read',
      where: directory,
      todo: 'An agent writes the first one some seconds after its start.',
    });
  }
  const engine = core.newEngine();
  engine.restore(slot.state);
  const tasks = engine.report().tasks.filter((task) => name === undefined || task.name === name);
  if (name !== undefined && tasks.length === 0) {
    throw new RivuletError('RIV_NOT_FOUND', {
      found: `no task ${JSON.stringify(name.slice(0, 64))}`,
      where: directory,
    });
  }
  return tasks;
}

function panelOf(task: TaskReport) {
  const { name, kind, leader, panel, drift, breaker, matured, pending, expired, unmatched, conflicting, corrected } =
    task;
  const labels = { matured, pending, expired, unmatched, conflicting, corrected };
  return { task: name, kind, ...labels, leader, panel, drift, breaker };
}

/** Findings of drift that are shown. */
const DRIFT_SHOWN = 5;

/** The panel of a task for people. */
export function panelText(task: TaskReport, top: number): string {
  const { name, kind, leader, panel, drift } = task;
  if (leader === null) {
    return `${name} (${kind}): no panel yet, its features are not known`;
  }
  const { expert, since, labels } = leader;
  const head =
    labels === 0
      ? `${name} (${kind}): no label yet`
      : `${name} (${kind}): ${expert} leads since label ${since} of ${labels}`;
  const sorted = [...panel].sort((a, b) => b.weight - a.weight);
  const shown = top === 0 ? sorted : sorted.slice(0, top);
  const rows = shown.map((one) => [
    one.expert,
    `${(100 * one.weight).toFixed(1)} %`,
    one.error === null ? '–' : String(Number(one.error.toPrecision(4))),
    one.labels === null ? '–' : String(one.labels),
  ]);
  const table = [['expert', 'weight', 'error', 'labels'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const lines = table.map((row) => {
    const [first = '', ...others] = row.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    return `  ${[first, ...others].join('  ')}`;
  });
  const hidden = sorted.length - shown.length;
  return [
    head,
    ...lines,
    ...(hidden > 0 ? [`  … and ${hidden} more (--top 0 shows all)`] : []),
    ...[...driftLines(drift, DRIFT_SHOWN), ...labelLines(task)].map((line) => `  ${line}`),
  ].join('\n');
}
