/**
 * `npm run bench -- learn`: the default against River and Vowpal Wabbit, prequentially, on the same rows in the same order.
 * One setting of ours stands against the best of theirs in hindsight; everything that ran is printed, losses too.
 */
import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCore } from '@rivulet/host';
import { describeMachine } from '../machine.ts';
import { extraTasks } from './extra.ts';
import { runOurs, timePredictions } from './ours.ts';
import { type Family, runPeers } from './peers.ts';
import { installPeers, pythonIn } from './python.ts';
import { costs, type Outcome, summary, taskTable } from './report.ts';
import { readColumn, scoreLastLabel, scoreNumbers } from './scores.ts';
import { type BenchTask, prepare, SEVEN } from './tasks.ts';

const HELP = `Usage: npm run bench -- learn [--data DIR] [options]

  --data DIR          the recorded data (default ../shared/data)
  --tasks LIST        of ${SEVEN.join(', ')};
                      "seven" (default), "extra" (tables inside the peers' packages, generated streams), or names of these
  --peers WHICH       none, river, vw or all (default all; left out with a message when they are not installed)
  --label-delay LIST  rows by which labels come late (default 0,100; extra: 0)
  --install-peers     make a venv in the cache and install River and Vowpal Wabbit there from PyPI
  --cache DIR         prepared rows, peers and their results (default ~/.cache/rivulet-bench)
  --core BUILD        auto, scalar or simd
  --json              one JSON document

The panel for a budget of 1 µs stands beside the default. CPU per row is ours in the engine (and, in brackets, of the whole process with reading and coding the rows), theirs of
predicting and learning alone. Peers' results are kept in the cache; --json tells which were.`;

/** The budget of the small panel, for high rates. */
const SMALL_NS = 1_000;

const FAMILIES: Readonly<Record<string, readonly Family[]>> = {
  none: [],
  river: ['river'],
  vw: ['vw'],
  all: ['river', 'vw'],
};

/** Runs the bench; answers with the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      data: { type: 'string', default: '../shared/data' },
      tasks: { type: 'string', default: 'seven' },
      peers: { type: 'string', default: 'all' },
      'label-delay': { type: 'string' },
      'install-peers': { type: 'boolean', default: false },
      cache: {
        type: 'string',
        default: join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'rivulet-bench'),
      },
      core: { type: 'string', default: 'auto' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const families = FAMILIES[values.peers];
  const build = (['auto', 'scalar', 'simd'] as const).find((one) => one === values.core);
  if (values.help || families === undefined || build === undefined) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  await mkdir(values.cache, { recursive: true });
  if (values['install-peers']) installPeers(values.cache);
  const python = pythonIn(values.cache);
  if (python === null && families.length > 0) {
    console.error('Peers are left out: they are not installed. --install-peers does it, from PyPI, into the cache.');
  }
  const tasks = await tasksFor(values.tasks, values.data, values.cache, python);
  const machine = await describeMachine(values.cache);
  if (!values.json) console.log(`${machine.cpu}, ${machine.cores} cores, load ${machine.load_1m.toFixed(1)}`);

  const core = await loadCore({ build });
  const outcomes: Outcome[] = [];
  for (const task of tasks) {
    const labels = await readColumn(task.path);
    const prediction = await timePredictions(core, task);
    for (const delay of delaysFor(values['label-delay'], task)) {
      const ours = await runOurs(core, task, delay);
      const lastLabel = scoreLastLabel(labels, delay, task.classes);
      // The engine scores itself: on the baseline, which is computed here too, both must agree.
      const [told, found] = [
        ours.metrics.accuracy_last_class ?? ours.metrics.mae_last_value ?? Number.NaN,
        lastLabel.accuracy ?? lastLabel.mae ?? Number.NaN,
      ];
      assert(Math.abs(told - found) <= 1e-9 * Math.abs(found), `${task.name}: last label ${told}, not ${found}`);
      const outcome: Outcome = {
        task: task.name,
        kind: task.kind,
        rows: labels.length,
        classes: task.classes,
        label_delay: delay,
        ours,
        small: await runOurs(core, task, delay, SMALL_NS),
        prediction,
        last_label: lastLabel,
        ...(task.current !== undefined && {
          current_value: scoreNumbers(labels, await readColumn(task.path, task.current)),
        }),
        peers: python === null ? [] : await runPeers(python, values.cache, task, labels, delay, families),
      };
      outcomes.push(outcome);
      if (!values.json) console.log(`\n${taskTable(outcome)}`);
    }
  }
  if (values.json) console.log(JSON.stringify({ machine, core: { build: core.build }, outcomes }));
  else console.log(`\n${summary(outcomes)}\n\n${costs(outcomes)}`);
  return 0;
}

async function tasksFor(list: string, data: string, cache: string, python: string | null): Promise<BenchTask[]> {
  const names = list.split(',').flatMap((name) => (name === 'seven' ? SEVEN : [name]));
  const tasks: BenchTask[] = [];
  const recorded = names.filter((name) => SEVEN.includes(name));
  if (recorded.length > 0 && !existsSync(data)) {
    console.error(`${recorded.join(', ')}: left out, there is no ${data} (--data).`);
  } else {
    for (const name of recorded) tasks.push(await prepare(name, data, join(cache, 'prepared')));
  }
  const others = names.filter((name) => !SEVEN.includes(name));
  if (others.length > 0 && python === null) {
    console.error(`${others.join(', ')}: left out, they come out of the peers' packages (--install-peers).`);
  } else if (others.length > 0 && python !== null) {
    const wanted = others.includes('extra') ? [] : others;
    tasks.push(...(await extraTasks(python, join(cache, 'extra'), wanted)));
  }
  return tasks;
}

function delaysFor(list: string | undefined, task: BenchTask): number[] {
  const given = list ?? (SEVEN.includes(task.name) ? '0,100' : '0');
  return given.split(',').map((text) => {
    const delay = Number(text);
    assert(Number.isInteger(delay) && delay >= 0, `--label-delay ${text} is not a number of rows`);
    return delay;
  });
}
