/**
 * `npm start`: a coordinator with its console, gateways and their publishers, each a process of its own, shown in one status line
 * and ended in order. Owns the order of things; what is started and how it is shown is in the files beside this one.
 */
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type RivuletError, toRivuletError } from '../src/errors.ts';
import { partsFor, preparePlayers, readOverrides } from './cast.ts';
import type { Child } from './child.ts';
import { readyConsole } from './console_build.ts';
import { HELP, parseOptions, type StartOptions } from './options.ts';
import { outcomeOf } from './outcome.ts';
import { freePort, openState, type StatePlace } from './places.ts';
import { createScreen, type Screen } from './screen.ts';
import { statusLine } from './status_line.ts';
import { commandsIn, startCoordinator, startPlayers, type Troupe, type TroupeEvents } from './troupe.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STATUS_EVERY_MS = 1000;

/** For a coordinator that nobody has talked to yet. */
const STOP_EARLY_MS = 500;

/** The last messages of a feed are learned from before a run that has nothing left to do ends. */
const AFTERGLOW_MS = 3000;

/** Runs the demonstration; answers with the exit code. */
export async function main(argv: string[]): Promise<number> {
  try {
    const options = parseOptions(argv);
    if (options === null) {
      console.log(HELP);
      return 0;
    }
    return await start(options);
  } catch (thrown) {
    const error = toRivuletError(thrown);
    console.error(`${error.code}: ${error.message}`);
    return error.code === 'RIV_USAGE' || error.code === 'RIV_UNIT' ? 2 : 1;
  }
}

async function start(options: StartOptions): Promise<number> {
  const parts = partsFor(options);
  const overrides = readOverrides(options.config);
  const port = await freePort(options.port);
  const place = await openState(options.state);
  const screen = createScreen(options.json ? process.stderr : process.stdout, () => performance.now());
  const ending = createEnding();
  try {
    const commands = commandsIn(ROOT);
    const spec = { root: ROOT, ...commands, coordinatorState: place.coordinator, port };
    const events = eventsFor(screen, ending, parts.length, options.json);
    screen.say(`Starting a coordinator and ${parts.length} gateways …`);
    const stage = { rivulet: commands.rivulet, place, coordinator: `http://127.0.0.1:${port}`, overrides };
    const [players, missing] = await Promise.all([preparePlayers(parts, stage), readyConsole(ROOT)]);
    if (missing !== null) screen.say(`No console: ${missing}. The API is there.`);

    const { child, ready } = startCoordinator(spec, events);
    ending.atKill(() => child.kill());
    const url = await orStop(child, ready);
    const troupe = startPlayers(spec, { child, url }, players, events);
    ending.atKill(() => troupe.kill());
    if (options.stopAfterMs !== null) ending.after(options.stopAfterMs);
    welcome(screen, url, place, players);

    const seconds = await show(troupe, screen, ending);
    const { up } = troupe;
    screen.end();
    await troupe.stop();
    await report(troupe, seconds, up, screen, options.json);
    if (ending.failure !== null) throw ending.failure;
    return 0;
  } finally {
    ending.close();
    if (place.temporary) rmSync(place.root, { recursive: true, force: true });
  }
}

/** A coordinator that does not come up is not left behind. */
async function orStop<T>(coordinator: Child, ready: Promise<T>): Promise<T> {
  try {
    return await ready;
  } catch (error) {
    await coordinator.stop(STOP_EARLY_MS);
    throw error;
  }
}

function eventsFor(screen: Screen, ending: Ending, feeds: number, endWithFeeds: boolean): TroupeEvents {
  let finished = 0;
  return {
    say: (line) => screen.say(line),
    hopeless: (error) => ending.fail(error),
    finished(id) {
      screen.say(`The feed of ${id} has come to its end.`);
      finished++;
      if (finished === feeds && endWithFeeds) ending.after(AFTERGLOW_MS);
    },
  };
}

function welcome(
  screen: Screen,
  url: string,
  place: StatePlace,
  players: readonly { id: string; source: string }[],
): void {
  screen.say(`Rivulet console: ${url}`);
  for (const { id, source } of players) screen.say(`  ${id}: ${source}`);
  screen.say(place.temporary ? 'Ctrl-C ends it.' : `State in ${place.root}. Ctrl-C ends it; the next start goes on.`);
}

/** Updates the status until the end; answers how many seconds that took. */
async function show(troupe: Troupe, screen: Screen, ending: Ending): Promise<number> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  while (!ending.come) {
    const { releases } = await troupe.coordinator();
    if (!ending.come)
      screen.status(statusLine({ seconds: seconds(), gateways: troupe.gateways, up: troupe.up, releases }));
    await ending.wait(STATUS_EVERY_MS);
  }
  return seconds();
}

async function report(troupe: Troupe, seconds: number, up: number, screen: Screen, json: boolean): Promise<void> {
  const coordinator = await troupe.coordinator();
  const { gateways } = troupe;
  screen.say(statusLine({ seconds, gateways, up, releases: coordinator.releases }));
  if (json) console.log(JSON.stringify(outcomeOf(seconds, gateways, coordinator)));
}

/** Why and when it ends: a signal, the time, or something that cannot be helped. */
interface Ending {
  readonly come: boolean;
  readonly failure: RivuletError | null;
  /** Resolves after a time, or at the end if that is sooner. */
  wait(ms: number): Promise<void>;
  after(ms: number): void;
  fail(error: RivuletError): void;
  /** What a second Ctrl-C does. */
  atKill(kill: () => void): void;
  close(): void;
}

function createEnding(): Ending {
  const end = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const kills: (() => void)[] = [];
  let failure: RivuletError | null = null;
  const after = (ms: number) => void timers.push(setTimeout(() => end.abort(), ms));
  const onSignal = () => {
    if (end.signal.aborted) {
      for (const kill of kills) kill();
      process.exit(130);
    }
    end.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    get come() {
      return end.signal.aborted;
    },
    get failure() {
      return failure;
    },
    wait: (ms) =>
      new Promise((resolve) => {
        const timer = setTimeout(done, ms);
        function done(): void {
          clearTimeout(timer);
          end.signal.removeEventListener('abort', done);
          resolve();
        }
        end.signal.addEventListener('abort', done);
        if (end.signal.aborted) done();
      }),
    after,
    fail(error) {
      failure ??= error;
      end.abort();
    },
    atKill: (kill) => void kills.push(kill),
    close() {
      for (const timer of timers) clearTimeout(timer);
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
