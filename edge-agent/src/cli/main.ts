/**
 * The command line: a table of subcommands, each loaded only when it is asked for. A subcommand parses its own arguments
 * and answers with an exit code: 0 done, 1 failed, 2 wrong usage (`status`: 3
 * not running). Whatever it throws becomes one line with a code.
 */
import { readFileSync } from 'node:fs';
import { toRivuletError } from '@rivulet/host';

interface Subcommand {
  summary: string;
  load(): Promise<{ run(argv: string[]): Promise<number> }>;
}

const SUBCOMMANDS: Record<string, Subcommand> = {
  run: {
    summary: 'run a gateway: take messages, learn, predict, sync',
    load: () => import('./run.ts'),
  },
  status: {
    summary: 'how the gateway of a state directory is: running or not, its sources, tasks, disk and alarms',
    load: () => import('./status.ts'),
  },
  replay: {
    summary: 'rebuild any past moment of a log; what another configuration would have done',
    load: () => import('./replay.ts'),
  },
  log: {
    summary: 'print the messages of a log, the last ones or as they come',
    load: () => import('./log.ts'),
  },
  discover: {
    summary: 'listen at a broker and print a configuration for what is published there',
    load: () => import('./discover.ts'),
  },
  presets: {
    summary: 'what well-known publishers send, as ready sources',
    load: () => import('./presets.ts'),
  },
  features: {
    summary: 'list, show and draw features; export what was served, and prove it',
    load: () => import('./features.ts'),
  },
  panel: {
    summary: 'which experts the tasks listen to, and who leads since when',
    load: () => import('./panel.ts'),
  },
  quarantine: {
    summary: 'list, show and try again what could not be used',
    load: () => import('./quarantine.ts'),
  },
  passwd: {
    summary: 'hash a password for a user of the embedded broker',
    load: () => import('./passwd.ts'),
  },
  publish: {
    summary: 'publish a feed: this machine, a simulated building, recorded tables',
    load: () => import('./publish.ts'),
  },
  evaluate: {
    summary: 'score the learner on a table, row by row',
    load: () => import('./evaluate.ts'),
  },
};

/** @param argv the arguments behind `rivulet` */
export async function run(argv: string[]): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version' || name === '-v') {
    console.log(version());
    return 0;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    console.log(help());
    return 0;
  }
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (subcommand === undefined) {
    console.error(`RIV_USAGE: there is no subcommand "${name}".\n\n${help()}`);
    return 2;
  }
  try {
    return await (await subcommand.load()).run(rest);
  } catch (thrown) {
    return report(thrown);
  }
}

/** One line for people; the stack only when it is our own fault. */
function report(thrown: unknown): number {
  if (thrown instanceof TypeError && String((thrown as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')) {
    console.error(`RIV_USAGE: ${thrown.message}`);
    return 2;
  }
  const error = toRivuletError(thrown);
  console.error(`${error.code}: ${error.message}`);
  if (error.code === 'RIV_INTERNAL' && thrown instanceof Error) {
    console.error(thrown.stack);
  }
  return error.code === 'RIV_USAGE' ? 2 : 1;
}

function help(): string {
  const lines = Object.entries(SUBCOMMANDS).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`);
  return `Usage: rivulet SUBCOMMAND [options]\n\n${lines.join('\n')}\n\n\`rivulet SUBCOMMAND --help\` says more. --version prints the version.`;
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
