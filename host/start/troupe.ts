/**
 * The processes of a demonstration: the coordinator, and per player a gateway and the publisher of its feed. Starts them in
 * order, keeps them alive, stops them in order: publishers, gateways, coordinator.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERRORS, type ErrorCode, RivuletError } from '../src/errors.ts';
import type { AgentEvent } from '../src/status.ts';
import type { Player } from './cast.ts';
import { type Child, createChild } from './child.ts';
import { createGatewayView, type GatewayView, noteStatus } from './gateway.ts';
import type { CoordinatorOutcome } from './outcome.ts';

/** A coordinator that is not up by then will not be. */
const COORDINATOR_READY_MS_MAX = 20_000;

/** Times to stop in order; together under five seconds. */
const STOP_MS = { publishers: 1400, gateways: 2200, coordinator: 600 } as const;

/** How long the coordinator may take to tell its figures: it is on this machine. */
const ASK_MS_MAX = 500;

/** What the launcher wants to be told. */
export interface TroupeEvents {
  /** A remark for people. */
  say(line: string): void;
  /** Something that no restart mends. */
  hopeless(error: RivuletError): void;
  /** The feed of a player has come to its end. */
  finished(id: string): void;
}

/** The processes. */
export interface Troupe {
  readonly gateways: readonly (GatewayView & { source: string })[];
  /** Gateways that run and have reported. */
  readonly up: number;
  /** Asks the coordinator for its figures; the last known ones when it does not answer. */
  coordinator(): Promise<CoordinatorOutcome>;
  stop(): Promise<void>;
  kill(): void;
}

export interface TroupeSpec {
  readonly root: string;
  readonly rivulet: string;
  readonly cloud: string;
  readonly coordinatorState: string;
  readonly port: number;
}

/** Starts a coordinator and resolves to its address and process. */
export function startCoordinator(spec: TroupeSpec, events: TroupeEvents): { child: Child; ready: Promise<string> } {
  let said = '';
  let settle: (url: string) => void = () => {};
  let refuse: (error: Error) => void = () => {};
  const ready = new Promise<string>((resolve, reject) => {
    settle = resolve;
    refuse = reject;
  });
  const timer = setTimeout(
    () => refuse(failed('the coordinator', said || 'it did not say that it is ready')),
    COORDINATOR_READY_MS_MAX,
  );
  ready.catch(() => {}).finally(() => clearTimeout(timer));
  const port = ['--port', String(spec.port)];
  const child = createChild({
    name: 'coordinator',
    argv: [spec.cloud, 'run', '--state', spec.coordinatorState, ...port, '--release-every', '5s', '--status-json'],
    cwd: spec.root,
    line(text) {
      const event = eventIn(text) as { event?: string; url?: string } | null;
      if (event?.event === 'ready' && typeof event.url === 'string') settle(event.url);
    },
    died(reason, hopeless) {
      said = reason;
      if (hopeless) {
        refuse(failed('the coordinator', reason));
        events.hopeless(failed('the coordinator', reason));
      } else events.say(`coordinator: ${reason.replace(/\.$/, '')}; starting it again`);
    },
  });
  child.start();
  return { child, ready };
}

/** Starts the players once the coordinator is there. */
export function startPlayers(
  spec: TroupeSpec,
  coordinator: { child: Child; url: string },
  players: readonly Player[],
  events: TroupeEvents,
): Troupe {
  const began = performance.now();
  const seats = players.map((player) => startPlayer(spec, player, events, began));
  let figures: CoordinatorOutcome = { deltas: 0, releases: 0, rss_mib: 0 };
  let stopping = false;

  async function ask(): Promise<CoordinatorOutcome> {
    try {
      const answer = await fetch(new URL('/api/v1/fleet', coordinator.url), {
        signal: AbortSignal.timeout(ASK_MS_MAX),
      });
      const { coordinator: said } = (await answer.json()) as { coordinator?: CoordinatorOutcome };
      if (said !== undefined) figures = { deltas: said.deltas, releases: said.releases, rss_mib: said.rss_mib };
    } catch {
      // it is being started again, or stopping: what it said last stands
    }
    return figures;
  }

  return {
    gateways: seats.map((seat) => seat.view),
    get up() {
      return seats.filter((seat) => seat.gateway.running && seat.view.status !== null).length;
    },
    coordinator: () => (stopping ? Promise.resolve(figures) : ask()),
    async stop() {
      await Promise.all(seats.map((seat) => seat.publisher.stop(STOP_MS.publishers)));
      await Promise.all(seats.map((seat) => seat.gateway.stop(STOP_MS.gateways)));
      await ask();
      stopping = true;
      await coordinator.child.stop(STOP_MS.coordinator);
    },
    kill() {
      for (const seat of seats) {
        seat.publisher.kill();
        seat.gateway.kill();
      }
      coordinator.child.kill();
    },
  };
}

interface Seat {
  view: GatewayView & { source: string };
  gateway: Child;
  publisher: Child;
}

function startPlayer(spec: TroupeSpec, player: Player, events: TroupeEvents, began: number): Seat {
  const view = { ...createGatewayView(player.id), source: player.source };
  let fed = false;
  let saidLast = '';
  const died = (name: string) => (reason: string, hopeless: boolean) => {
    if (hopeless) events.hopeless(failed(name, reason));
    else if (reason !== saidLast) events.say(`${name}: ${reason.replace(/\.$/, '')}; starting it again`);
    saidLast = reason; // a process that dies of the same thing again and again says it once
  };
  const publisher = createChild({
    name: `${player.id} publisher`,
    argv: [spec.rivulet, 'publish', ...player.publish, '--with-parent'],
    cwd: spec.root,
    line() {},
    died: died(`publisher of ${player.id}`),
    finished: () => events.finished(player.id),
  });
  const gateway = createChild({
    name: player.id,
    argv: [spec.rivulet, 'run', '--config', player.config, '--status-json', '1s'],
    cwd: spec.root,
    line(text) {
      const event = eventIn(text) as AgentEvent | null;
      if (event?.event === 'status' || event?.event === 'stopped') {
        noteStatus(view, event, (performance.now() - began) / 1000);
      } else if (event?.event === 'ready' && !fed) {
        fed = true;
        publisher.start();
      }
    },
    died: died(`gateway ${player.id}`),
  });
  writeFileSync(player.config, player.text); // not before the coordinator has the state: it may belong to a running start
  gateway.start();
  return { view, gateway, publisher };
}

function eventIn(line: string): unknown {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line);
  } catch {
    return null; // a line cut short by a kill
  }
}

/** The process's own last line as an error: with its code where it begins with one, its last sentence the advice. */
function failed(name: string, reason: string): RivuletError {
  const [, code = 'RIV_INTERNAL', text = reason] = /^(RIV_\w+): (.*)$/.exec(reason) ?? [];
  const [, found = text, todo] = /^(.*?)\. ([A-Z].*)$/.exec(text) ?? [];
  const advice = todo === undefined ? {} : { todo };
  return new RivuletError(isErrorCode(code) ? code : 'RIV_INTERNAL', { where: name, found, ...advice });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** The commands of this tree. */
export function commandsIn(root: string): { rivulet: string; cloud: string } {
  return {
    rivulet: join(root, 'edge-agent', 'bin', 'rivulet.js'),
    cloud: join(root, 'cloud-sync', 'bin', 'rivulet-cloud.js'),
  };
}
