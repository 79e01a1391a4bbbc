/**
 * `rivulet run`: one gateway. For people a line now and then; with `--status-json` one JSON object per line. A signal stops
 * it cleanly: commit, last checkpoint, the event `stopped` with the digest, exit code 0.
 */
import { flushCompileCache } from 'node:module';
import { parseArgs } from 'node:util';
import {
  type AgentEvent,
  type AgentStatus,
  loadCore,
  parseDuration,
  RivuletError,
  systemClock,
  toRivuletError,
} from '@rivulet/host';
import { type Agent, startAgent } from '../agent.ts';
import { readConfigFile } from '../config_file.ts';

const HELP = `Usage: rivulet run --config FILE [options]

  --config FILE          the gateway's configuration (YAML)
  --state DIR            state directory; overrides \`state\` of the configuration
  --status-json [EVERY]  print events as JSON lines, a status every EVERY (default 1s)
  --core WHICH           auto, scalar or simd (default auto)

Exit codes: 0 stopped cleanly, 1 failed, 2 wrong usage, 74 the disk failed (a write or a sync; it is not tried again).
A stop that takes longer than 25 s, or that another signal cuts short, ends the process as a kill does.`;

/** The disk failed; `EX_IOERR` of sysexits.h. A supervisor that restarts the gateway had better tell somebody. */
const EXIT_DISK = 74;
/**
 * A clean stop takes at most this long, which is less than a supervisor waits (systemd 90 s, Kubernetes 30 s): messages that were
 * taken are folded and the last checkpoint is written, also on a slow disk. Then the process ends as if it had been killed.
 */
const STOP_MS_MAX = 25_000;
/** While the disk is full nothing can be written, however long it is waited for. */
const STOP_FULL_MS_MAX = 2500;
const STATUS_EVERY = '1s';
/** Without --status-json people get a line this often. */
const LINE_EVERY_MS = 10_000;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: withStatusInterval(argv),
    options: {
      config: { type: 'string' },
      state: { type: 'string' },
      'status-json': { type: 'string' },
      core: { type: 'string', default: 'auto' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.config === undefined) {
    throw new RivuletError('RIV_USAGE', { found: 'no configuration', expected: '--config FILE' });
  }
  const json = values['status-json'] !== undefined;
  if (values.state === '') throw new RivuletError('RIV_USAGE', '--state wants the name of a directory');
  const { config, announced } = await readConfigFile(values.config, { state: values.state, environment: process.env });
  const core = await loadCore({ build: coreBuild(values.core) });
  const emit = json ? (event: AgentEvent) => console.log(JSON.stringify(event)) : printForPeople;

  // The first of: a signal, or a failure that the agent cannot go on from.
  const ended = Promise.withResolvers<RivuletError | null>();
  /** Called at a second signal: whoever sends it does not want to wait. */
  let again = (): void => undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      again();
      ended.resolve(null);
    });
  }
  let agent: Agent;
  try {
    agent = await startAgent({
      config,
      announced,
      core,
      clock: systemClock(),
      random: Math.random,
      notice: (error) => console.error(`${error.code}: ${error.message}`),
      failed: (error) => ended.resolve(error),
    });
  } catch (thrown) {
    return fail(toRivuletError(thrown), json, emit);
  }
  const { brokerPort, recovery } = agent;
  emit({ event: 'ready', gateway: config.gateway, broker_port: brokerPort, state: config.state, recovery });
  flushCompileCache(); // Now and not at the exit: a gateway may well be ended without one.
  const everyMs = json ? parseDuration(values['status-json'] ?? STATUS_EVERY) : LINE_EVERY_MS;
  const timer = setInterval(() => emit(agent.status()), Math.max(everyMs, 10));

  const failure = await ended.promise;
  clearInterval(timer);
  if (failure !== null) {
    return exit(fail(failure, json, emit));
  }
  try {
    // The counters as they stand when everything that was taken has been folded.
    const { digest, status } = await Promise.race([agent.stop(), tooLong(agent, (act) => (again = act))]);
    emit({ ...status, event: 'stopped', digest });
    return exit(0);
  } catch (thrown) {
    const error = toRivuletError(thrown);
    const code = fail(error, json, emit);
    return error.code === 'RIV_STOP_CUT' ? killed() : exit(code);
  }
}

/**
 * Never resolves; rejects when a stop has taken too long, or at another signal.
 * @param onSignal takes what is to be done then
 */
function tooLong(agent: Agent, onSignal: (act: () => void) => void): Promise<never> {
  return new Promise((_, reject) => {
    const cut = (why: string): void =>
      reject(new RivuletError('RIV_STOP_CUT', `${why}; the stop still waited for ${agent.stopWaitsFor()}`));
    onSignal(() => cut('another signal came'));
    setTimeout(() => {
      if (agent.full()) cut('the disk is full');
    }, STOP_FULL_MS_MAX);
    setTimeout(() => cut(`the stop took longer than ${STOP_MS_MAX / 1000} s`), STOP_MS_MAX);
  });
}

/**
 * Ends the process even when a socket or a timer is left: everything that matters is on disk. Standard output is a pipe
 * that may still hold lines, so it is emptied first.
 */
function exit(code: number): Promise<number> {
  return new Promise(() => process.stdout.write('', () => process.exit(code)));
}

/** Ends the process as a kill does: an exit waits for writes that are under way, for as long as the disk takes. */
function killed(): Promise<never> {
  return new Promise(() => process.stdout.write('', () => process.kill(process.pid, 'SIGKILL')));
}

function fail(error: RivuletError, json: boolean, emit: (event: AgentEvent) => void): number {
  if (json) {
    emit({ event: 'error', code: error.code, message: error.message });
  }
  console.error(`${error.code}: ${error.message}`);
  return error.code === 'RIV_LOG_WRITE' ? EXIT_DISK : 1;
}

/** @throws RIV_USAGE */
export function coreBuild(name: string): 'auto' | 'scalar' | 'simd' {
  if (name === 'auto' || name === 'scalar' || name === 'simd') {
    return name;
  }
  throw new RivuletError('RIV_USAGE', { found: `--core ${name}`, expected: 'auto, scalar or simd' });
}

/** `--status-json` may stand alone; parseArgs wants a value, so the default is put in. */
function withStatusInterval(argv: string[]): string[] {
  return argv.flatMap((argument, index) => {
    const alone = argument === '--status-json' && (argv[index + 1]?.startsWith('-') ?? true);
    return alone ? [argument, STATUS_EVERY] : [argument];
  });
}

function printForPeople(event: AgentEvent): void {
  switch (event.event) {
    case 'ready': {
      const broker = event.broker_port === null ? '' : `, broker on port ${event.broker_port}`;
      console.log(`${event.gateway} is ready (state in ${event.state}${broker}); it began with ${event.recovery}`);
      return;
    }
    case 'status':
    case 'stopped':
      console.log(lineOf(event));
      return;
    case 'error':
      return; // Said on standard error.
  }
}

function lineOf(status: AgentStatus): string {
  const { received, used } = status.ledger;
  const tasks = status.tasks.map(({ name, error, error_last_value }) => {
    const figures =
      error === null || error_last_value === null
        ? 'no label yet'
        : `error ${error.toPrecision(3)} (last value ${error_last_value.toPrecision(3)})`;
    return `${name}: ${figures}`;
  });
  const head = `${status.gateway}: ${received} messages, ${used} used`;
  const tail = status.event === 'stopped' ? [`stopped, digest ${status.digest}`] : [];
  return [head, ...tasks, ...tail].join(' · ');
}
