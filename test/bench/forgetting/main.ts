/**
 * `npm run bench -- forgetting`: worlds that return. What a panel loses in the first hundred rows after each return of a
 * concept, and in all, with each part of `drift: { do: … }` by itself and together. Runs natively (cargo).
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exampleLines } from '../example.ts';
import { describeMachine } from '../machine.ts';

const HELP = `Usage: npm run bench -- forgetting [options]

  --cache DIR   where \`npm run bench -- learn\` has prepared elec2 (default ~/.cache/rivulet-bench); left out where absent
  --json        one JSON document`;

/** Error and log loss. */
type Losses = [error: number, logLoss: number];

interface Line {
  stream: string;
  parts: string;
  after_return: Losses;
  in_all: Losses;
}

/** Runs the bench; answers with the exit code. */
export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      cache: {
        type: 'string',
        default: join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'rivulet-bench'),
      },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const elec2 = join(values.cache, 'prepared', 'elec2.csv');
  const found = existsSync(elec2);
  if (!found) console.error('elec2 is left out: `npm run bench -- learn --data ../shared/data` prepares it.');
  const machine = await describeMachine('.');
  const lines = exampleLines<Line>('forgetting', found ? [elec2] : []);
  if (values.json) console.log(JSON.stringify({ machine, lines }));
  else console.log(lines.map(text).join('\n'));
  return 0;
}

function text({ stream, parts, after_return: first, in_all: all }: Line): string {
  const [error, loss, errorAll, lossAll] = [...first, ...all].map((value) => value.toFixed(4));
  return `${stream.padEnd(11)} ${parts.padEnd(36)} after a return ${error} (${loss})   in all ${errorAll} (${lossAll})`;
}
