/**
 * `npm run bench -- NAME [options]`: the benches by name. Each is a file of its own with `run(argv)`, loaded only when asked
 * for; it prints a table for people and, with `--json`, one JSON document on standard output.
 */

interface Bench {
  about: string;
  load(): Promise<{ run(argv: string[]): Promise<number> }>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  drift: {
    about: 'delay, misses, false alarms and cost of the drift detectors, beside River on the same streams',
    load: () => import('./drift/main.ts'),
  },
  forgetting: {
    about: 'what is lost after the return of an earlier world, with each part of what a task may do about it',
    load: () => import('./forgetting/main.ts'),
  },
  fleet: {
    about: 'what a simulated fleet learns together, against gateways alone and the published figures',
    load: () => import('./fleet/main.ts'),
  },
  ingest: {
    about: 'CPU per message, latency and memory of the intake, against MQTT.js in the same run',
    load: () => import('./ingest/main.ts'),
  },
  log: {
    about: 'what a durable write costs into a growing, a zeroed and a recycled file',
    load: () => import('./log/main.ts'),
  },
  windows: {
    about: 'CPU per reading and bytes per key of every kind of window, as they grow',
    load: () => import('./windows/main.ts'),
  },
  decode: {
    about: 'ns per message of every payload format, against JSON.parse and the usual libraries',
    load: () => import('./decode/main.ts'),
  },
  learn: {
    about: 'the learner that nobody tunes, against River and Vowpal Wabbit on the same rows',
    load: () => import('./learn/main.ts'),
  },
};

function help(): string {
  const lines = Object.entries(BENCHES).map(([name, { about }]) => `  ${name.padEnd(10)} ${about}`);
  return ['Usage: npm run bench -- NAME [options]', '', ...lines, '', 'NAME --help tells its options.'].join('\n');
}

async function main(argv: string[]): Promise<number> {
  const [name, ...rest] = argv;
  const bench = name === undefined ? undefined : BENCHES[name];
  if (bench === undefined) {
    console.error(help());
    return name === undefined || name === '--help' ? 0 : 2;
  }
  return (await bench.load()).run(rest);
}

process.exitCode = await main(process.argv.slice(2));
