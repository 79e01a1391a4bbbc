/** The command line of `npm start`. */
import { parseArgs } from 'node:util';
import { RivuletError } from '../src/errors.ts';
import { parseDuration } from '../src/units.ts';

export const HELP = `Usage: npm start -- [options]

Starts a coordinator with its console and three gateways with their publishers: one learns from this machine, two from
simulated buildings.

  --data DIR         play the CSV files in DIR instead, one gateway per file
  --config FILE      with --data: sources, windows and tasks to use instead of guessed ones
  --speed N          event seconds per second (buildings: default 3600; CSV: default 50 rows a second; max: no limit)
  --stop-after TIME  end after that time, such as 60s
  --json             print the outcome as JSON, as the last line
  --state DIR        keep the state there, and go on from it (default: a temporary directory)
  --port N           port of the console and the coordinator (default 8787; 0: any free one)`;

/** What was asked for. */
export interface StartOptions {
  readonly data: string | null;
  readonly config: string | null;
  readonly speed: string | null;
  readonly stopAfterMs: number | null;
  readonly json: boolean;
  readonly state: string | null;
  readonly port: number;
}

const DEFAULT_PORT = 8787;

/**
 * Reads the arguments; null: help was asked for.
 * @throws RIV_USAGE, RIV_UNIT
 */
export function parseOptions(argv: string[]): StartOptions | null {
  const { values } = parsed(argv);
  if (values.help) return null;
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw usage(`--port ${values.port}`, '0 to 65535');
  const speed = values.speed ?? null;
  if (speed !== null && speed !== 'max' && !(Number(speed) > 0))
    throw usage(`--speed ${speed}`, 'a number above 0, or max');
  if (values.config !== undefined && values.data === undefined) throw usage('--config without --data', 'both');
  return {
    data: values.data ?? null,
    config: values.config ?? null,
    speed,
    stopAfterMs: values['stop-after'] === undefined ? null : parseDuration(values['stop-after']),
    json: values.json ?? false,
    state: values.state ?? null,
    port,
  };
}

function parsed(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        data: { type: 'string' },
        config: { type: 'string' },
        speed: { type: 'string' },
        'stop-after': { type: 'string' },
        json: { type: 'boolean' },
        state: { type: 'string' },
        port: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new RivuletError('RIV_USAGE', { found: (error as Error).message, todo: 'See npm start -- --help.' });
  }
}

function usage(found: string, expected: string): RivuletError {
  return new RivuletError('RIV_USAGE', { found, expected, todo: 'See npm start -- --help.' });
}
