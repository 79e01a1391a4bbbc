/** `rivulet-cloud simulate`: a fleet of real cores and a real coordinator in simulated time. */
import { parseArgs } from 'node:util';
import { loadCore, RivuletError } from '@rivulet/host';
import type { Attack } from '../simulate/attackers.ts';
import { SimulationFailure } from '../simulate/checks.ts';
import { TROUBLE } from '../simulate/faults.ts';
import { type FleetResult, runFleet } from '../simulate/fleet.ts';
import { scenarioOf } from '../simulate/scenarios.ts';
import { summaryOf } from '../simulate/summary.ts';

const ATTACKS: Readonly<Record<string, Attack | null>> = {
  none: null,
  scale: 'scale',
  flip: 'flip',
  collude: 'collude',
};

export async function run(argv: string[]): Promise<number> {
  const options = parsed(argv);
  const core = await loadCore();
  const scenario = scenarioOf(options.scenario, options);
  const trouble = TROUBLE[options.trouble];
  if (trouble === undefined) throw refuse('trouble', options.trouble, Object.keys(TROUBLE));
  const attack = ATTACKS[options.attack];
  if (attack === undefined) throw refuse('attack', options.attack, Object.keys(ATTACKS));
  const repeat = `rivulet-cloud simulate ${argv.filter((word) => word !== '--json').join(' ')}${argv.some((word) => word.startsWith('--seed')) ? '' : ` --seed ${options.seed}`}`;
  let result: FleetResult;
  try {
    result = runFleet({
      core,
      scenario,
      seed: options.seed,
      faults: trouble(options.seed),
      together: !options.alone,
      removable: options.removable,
      attack: attack === null ? null : { kind: attack, share: options.attackers },
    });
  } catch (error) {
    const what = error instanceof SimulationFailure ? error.message : (error as Error).stack;
    process.stderr.write(`The fleet failed at seed ${options.seed}: ${what}\nTo repeat it: ${repeat}\n`);
    return 1;
  }
  const summary = { scenario: scenario.name, seed: options.seed, repeat, ...summaryOf(result, scenario) };
  if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
  else
    for (const [name, value] of Object.entries(summary))
      process.stdout.write(`${name.padEnd(20)} ${JSON.stringify(value)}\n`);
  return 0;
}

function parsed(argv: string[]) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        gateways: { type: 'string', default: '30' },
        scenario: { type: 'string', default: 'synthetic-iid' },
        ticks: { type: 'string', default: '20' },
        seed: { type: 'string', default: '0' },
        data: { type: 'string' },
        trouble: { type: 'string', default: 'none' },
        attack: { type: 'string', default: 'none' },
        attackers: { type: 'string', default: '0.2' },
        alone: { type: 'boolean', default: false },
        removable: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
    return {
      ...values,
      data: values.data ?? null,
      gateways: whole('gateways', values.gateways, 1, 10_000),
      ticks: whole('ticks', values.ticks, 1, 100_000),
      seed: whole('seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
      attackers: share(values.attackers),
    };
  } catch (error) {
    if (error instanceof RivuletError) throw error;
    throw new RivuletError('RIV_USAGE', (error as Error).message);
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new RivuletError('RIV_USAGE', {
    found: `--${name} ${text}`,
    expected: `a whole number from ${least} to ${most}`,
  });
}

function share(text: string): number {
  const value = Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new RivuletError('RIV_USAGE', { found: `--attackers ${text}`, expected: 'a share from 0 to 1' });
}

function refuse(name: string, found: string, known: readonly string[]): RivuletError {
  return new RivuletError('RIV_USAGE', { found: `--${name} ${found}`, expected: known.join(', ') });
}
