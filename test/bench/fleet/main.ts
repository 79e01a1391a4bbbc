/**
 * `npm run bench -- fleet`: the simulated fleet on the scenarios of the literature, one setting for all, single pass, at
 * most 20 syncs; each against the same gateways alone and the majority class. Figures are means over seeds. Accuracies
 * are over test rows of all gateways together, weights frozen, unless their name says otherwise.
 */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { type Core, loadCore } from '@rivulet/host';
import { scenarioOf } from '../../../cloud-sync/src/simulate/scenarios.ts';
import { describeMachine } from '../machine.ts';
import { bytesPerUpdate } from './bytes.ts';
import { costs } from './costs.ts';
import { fedavg } from './fedavg.ts';
import { GOALS } from './goals.ts';
import { majority, meanOf, type RunFigures, type RunSpec, runOnce } from './runs.ts';
import { type StationsOptions, stationLate, stationsTogether, stationsWithReadings } from './stations.ts';

const SYNTHETIC = { gateways: 30, ticks: 20 };
const CONCEPTS = { gateways: 10, ticks: 10 };
const SCENARIOS: Readonly<Record<string, Omit<RunSpec, 'together'>>> = {
  'synthetic(1,1)': { scenario: 'synthetic(1,1)', ...SYNTHETIC, attack: null },
  'synthetic-iid': { scenario: 'synthetic-iid', ...SYNTHETIC, attack: null },
  'synthetic-iid-removable': { scenario: 'synthetic-iid', ...SYNTHETIC, attack: null, removable: true },
  'sine-2': { scenario: 'sine-2', ...CONCEPTS, attack: null },
  'circle-2': { scenario: 'circle-2', ...CONCEPTS, attack: null },
  sea: { scenario: 'sea', ...CONCEPTS, attack: null },
  'attackers-iid-scale': { scenario: 'synthetic-iid', ...SYNTHETIC, attack: 'scale' },
  'attackers-iid-flip': { scenario: 'synthetic-iid', ...SYNTHETIC, attack: 'flip' },
  'attackers-iid-collude': { scenario: 'synthetic-iid', ...SYNTHETIC, attack: 'collude' },
  'attackers(1,1)-scale': { scenario: 'synthetic(1,1)', ...SYNTHETIC, attack: 'scale' },
  'attackers(1,1)-flip': { scenario: 'synthetic(1,1)', ...SYNTHETIC, attack: 'flip' },
};

/** Seeds that nobody has looked at while anything was chosen: there the fleet has to be ahead of batch federated averaging on each. */
const FRESH = { name: 'synthetic-iid-fresh', of: 'synthetic-iid', first: 5, count: 10 } as const;

/** Those that need `--data`. */
const RECORDED = ['beijing', 'beijing-readings', 'beijing-late'] as const;

type Figures = Record<string, unknown>;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      data: { type: 'string' },
      json: { type: 'boolean', default: false },
      seeds: { type: 'string', default: '5' },
      first: { type: 'string', default: '0' },
      only: { type: 'string', multiple: true },
      days: { type: 'string', default: '1461' },
      fedavg: { type: 'boolean', default: false },
      fresh: { type: 'string', default: String(FRESH.count) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(
      `Usage: npm run bench -- fleet [--data DIR] [--seeds N] [--first SEED] [--only NAME]… [--days N] [--fedavg] [--fresh N] [--json]\n\n  --fedavg: batch federated averaging beside the Synthetic scenarios, some minutes per seed\n  --fresh: how many of the ten seeds of ${FRESH.name}, each some minutes\n  scenarios: ${[...Object.keys(SCENARIOS), FRESH.name, ...RECORDED, 'bytes', 'costs'].join(', ')}`,
    );
    return 0;
  }
  const core = await loadCore();
  const seeds = Array.from({ length: Number(values.seeds) }, (_, at) => Number(values.first) + at);
  const names = Object.keys(SCENARIOS).filter((name) => values.only === undefined || values.only.includes(name));
  const scenarios: Record<string, Figures> = {};
  for (const name of names) {
    const spec = SCENARIOS[name] as Omit<RunSpec, 'together'>;
    const runs = (over: Partial<RunSpec>) =>
      meanOf(seeds.map((seed) => runOnce(core, { ...spec, together: true, ...over }, seed, values.data ?? null)));
    const figures = {
      ...figuresOf(spec, runs, seeds),
      ...(values.fedavg && spec.scenario.startsWith('synthetic') ? { fedavg: fedavgOver(spec, seeds) } : {}),
    };
    scenarios[name] = { ...figures, goals: judged(name, figures) };
    if (!values.json) print(name, scenarios[name]);
  }
  if (values.only === undefined || values.only.includes(FRESH.name)) {
    const figures = fresh(core, Number(values.fresh));
    scenarios[FRESH.name] = { ...figures, goals: judged(FRESH.name, figures) };
    if (!values.json) print(FRESH.name, scenarios[FRESH.name] as Figures);
  }
  for (const name of RECORDED.filter((name) => values.only === undefined || values.only.includes(name))) {
    if (values.data === undefined) {
      console.error(`${name} is left out: it needs the recordings (--data DIR)`);
      continue;
    }
    const options = { core, data: values.data, days: Number(values.days) };
    const figures = recorded(name, options, seeds);
    scenarios[name] = { ...figures, goals: judged(name, figures) };
    if (!values.json) print(name, scenarios[name]);
  }
  if (values.only === undefined || values.only.includes('bytes')) {
    const figures: Figures = bytesPerUpdate(seeds);
    scenarios.bytes = { ...figures, goals: judged('bytes', figures) };
    if (!values.json) print('bytes', scenarios.bytes);
  }
  if (values.only === undefined || values.only.includes('costs')) {
    const figures: Figures = await costs(core);
    scenarios.costs = { ...figures, goals: judged('costs', figures) };
    if (!values.json) print('costs', scenarios.costs);
  }
  if (values.json) console.log(JSON.stringify({ machine: await describeMachine(tmpdir()), seeds, scenarios }, null, 2));
  return 0;
}

function recorded(name: (typeof RECORDED)[number], options: StationsOptions, seeds: readonly number[]): Figures {
  switch (name) {
    case 'beijing':
      return stationsTogether(options);
    case 'beijing-readings':
      return stationsWithReadings(options);
    case 'beijing-late':
      return stationLate(options, seeds);
  }
}

function figuresOf(
  spec: Omit<RunSpec, 'together'>,
  runs: (over: Partial<RunSpec>) => RunFigures,
  seeds: readonly number[],
): Figures {
  const together = runs({});
  if (spec.attack !== null) {
    const honest = runs({ attack: null, honestOnly: true });
    // What is left of the difference when the rows of the attackers are missing there too.
    const absent = runs({ attack: null, honestOnly: true, absent: true });
    return {
      ...together,
      without_attack: honest.accuracy,
      below_honest: honest.accuracy - together.accuracy,
      without_attackers: absent.accuracy,
      below_without_attackers: absent.accuracy - together.accuracy,
    };
  }
  const alone = runs({ together: false });
  const majorities = seeds.map((seed) => majority(scenarioOf(spec.scenario, { ...spec, seed, data: null })));
  return {
    ...together,
    majority_class: majorities.reduce((sum, one) => sum + one, 0) / seeds.length,
    alone: {
      accuracy: alone.accuracy,
      accuracy_mean_of_gateways: alone.accuracy_mean_of_gateways,
      accuracy_row_by_row: alone.accuracy_row_by_row,
    },
    below_alone: alone.accuracy - together.accuracy,
  };
}

/** Each fresh seed by itself: the fleet, single pass, against batch federated averaging with all rows there from the start. */
function fresh(core: Core, count: number): Figures {
  const spec = { ...(SCENARIOS[FRESH.of] as Omit<RunSpec, 'together'>), together: true };
  const seeds = Array.from({ length: Math.min(count, FRESH.count) }, (_, at) => {
    const seed = FRESH.first + at;
    return { seed, accuracy: runOnce(core, spec, seed, null).accuracy, fedavg: fedavgOver(spec, [seed]) };
  });
  const mean = (pick: 'accuracy' | 'fedavg') => seeds.reduce((sum, one) => sum + one[pick], 0) / seeds.length;
  return {
    accuracy: mean('accuracy'),
    fedavg: mean('fedavg'),
    seeds,
    behind: seeds.filter(({ accuracy, fedavg }) => accuracy <= fedavg).length,
  };
}

/** Batch federated averaging on the same rows. */
function fedavgOver(spec: Omit<RunSpec, 'together'>, seeds: readonly number[]): number {
  const runs = seeds.map(
    (seed) => fedavg(scenarioOf(spec.scenario, { ...spec, seed, data: null }), seed) ?? Number.NaN,
  );
  return runs.reduce((sum, one) => sum + one, 0) / runs.length;
}

function judged(name: string, figures: Figures) {
  return (GOALS[name] ?? []).map(({ figure, least, most }) => {
    const found = figure.split('.').reduce<unknown>((part, name) => (part as Figures)[name], figures) as number;
    const reached = (least === undefined || found >= least) && (most === undefined || found <= most);
    return { figure, least: least ?? null, most: most ?? null, found, reached };
  });
}

function print(name: string, { goals, ...figures }: Figures): void {
  console.log(`\n${name}`);
  for (const [figure, value] of Object.entries(figures)) console.log(`  ${figure.padEnd(28)} ${shown(value)}`);
  for (const { figure, least, most, found, reached } of goals as ReturnType<typeof judged>) {
    const wanted = least === null ? `at most ${most}` : `at least ${least}`;
    console.log(`  ${reached ? 'reached' : 'MISSED '}  ${figure} ${wanted}: ${shown(found)}`);
  }
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(Math.round(value * 10_000) / 10_000);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name} ${shown(one)}`)
    .join(', ');
}
