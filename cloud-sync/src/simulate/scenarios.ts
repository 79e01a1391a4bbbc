/** The scenarios by name, as the command line knows them. */
import { RivuletError } from '@rivulet/host';
import type { Scenario } from './scenario.ts';
import { concepts } from './scenarios/concepts.ts';
import { stations } from './scenarios/stations.ts';
import { synthetic } from './scenarios/synthetic.ts';

export interface ScenarioOptions {
  readonly gateways: number;
  readonly ticks: number;
  readonly seed: number;
  /** Folder of recordings. */
  readonly data: string | null;
}

const SYNTHETIC = /^synthetic\((\d*\.?\d+),(\d*\.?\d+)\)$/;

/** A station that joins late comes after a year. */
export const LATE_DAYS = 365;

/** For the usage text. */
export const SCENARIOS = [
  'synthetic(A,B)',
  'synthetic-iid',
  'sine-2',
  'circle-2',
  'sea',
  'stations',
  'stations-readings',
  'stations-late',
] as const;

export function scenarioOf(name: string, options: ScenarioOptions): Scenario {
  const { gateways, ticks, seed } = options;
  const match = SYNTHETIC.exec(name);
  if (match !== null) {
    return synthetic({ gateways, ticks, seed, spread: { alpha: Number(match[1]), beta: Number(match[2]) } });
  }
  switch (name) {
    case 'synthetic-iid':
      return synthetic({ gateways, ticks, seed, spread: null });
    case 'sine-2':
    case 'circle-2':
    case 'sea':
      return concepts(name, gateways, ticks, seed);
    case 'stations':
    case 'stations-readings':
      return stations({ ...options, lateDays: 0, readings: name === 'stations-readings' });
    case 'stations-late':
      return stations({ ...options, lateDays: LATE_DAYS, readings: false });
    default:
      throw new RivuletError('RIV_USAGE', { found: `--scenario ${name}`, expected: SCENARIOS.join(', ') });
  }
}
