/**
 * Server-sent events: a bounded number of clients, each of which is let go when it does not read.
 *
 * The `fleet` event carries the whole view, so a client that missed some needs nothing but the next one.
 */
import type { ServerResponse } from 'node:http';
import { RivuletError } from '@rivulet/host';
import type { Coordinator } from '../coordinator.ts';

/** Clients at a time: each costs a socket and a copy of every event. */
const CLIENTS_MAX = 64;
/** Bytes that may wait for one client; one that reads more slowly is disconnected and comes back by itself. */
const CLIENT_BYTES_MAX = 4 * 1024 * 1024;
/** So that proxies and clients can tell a silent stream from a dead one. */
const HEARTBEAT_MS = 15_000;
/** The fleet is looked at this often. */
const FLEET_MS = 1_000;
/** How soon a client that was cut off should come back. */
const RETRY_MS = 2_000;

export interface EventStream {
  /** Throws `RIV_OVERLOADED` when there are too many. */
  join(response: ServerResponse): void;
  clients(): number;
  stop(): void;
}

export interface EventTimes {
  readonly heartbeatMs?: number;
  readonly fleetMs?: number;
}

export function openEventStream(coordinator: Coordinator, times: EventTimes = {}): EventStream {
  const clients = new Set<ServerResponse>();
  let lastFleet = '';

  function send(client: ServerResponse, text: string): void {
    if (client.writableLength > CLIENT_BYTES_MAX) {
      clients.delete(client);
      client.destroy();
      return;
    }
    client.write(text);
  }

  function broadcast(event: string, data: unknown): void {
    const text = eventText(event, data);
    for (const client of clients) send(client, text);
  }

  const unsubscribe = coordinator.subscribe((event) => {
    if (event.kind === 'release') broadcast('release', event.release);
    if (event.kind === 'gateway') broadcast('gateway', event.change);
  });

  const fleetTimer = setInterval(() => {
    coordinator.tick();
    if (clients.size === 0) return;
    const fleet = coordinator.fleet();
    // the coordinator's own memory is no news
    const comparable = JSON.stringify({ ...fleet, coordinator: { ...fleet.coordinator, rss_mib: 0 } });
    if (comparable === lastFleet) return;
    lastFleet = comparable;
    broadcast('fleet', fleet);
  }, times.fleetMs ?? FLEET_MS);

  const heartbeat = setInterval(() => {
    for (const client of clients) send(client, ': still here\n\n');
  }, times.heartbeatMs ?? HEARTBEAT_MS);

  return {
    join(response) {
      if (clients.size >= CLIENTS_MAX) {
        throw new RivuletError('RIV_OVERLOADED', `${CLIENTS_MAX} clients listen already`);
      }
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
      });
      response.on('close', () => clients.delete(response));
      response.on('error', () => clients.delete(response));
      clients.add(response);
      send(response, `retry: ${RETRY_MS}\n\n${eventText('fleet', coordinator.fleet())}`);
    },
    clients: () => clients.size,
    stop() {
      unsubscribe();
      clearInterval(fleetTimer);
      clearInterval(heartbeat);
      for (const client of clients) client.end();
      clients.clear();
    },
  };
}

function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
