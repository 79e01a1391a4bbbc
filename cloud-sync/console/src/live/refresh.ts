// Asks for what the event stream does not carry (curves, releases, models, a gateway's own report): when the page needs
// it, at most every few seconds, one request at a time, and never while the page is hidden or the coordinator is away.
import { readCurve, readDecisions, readGatewayDetail, readModels, readRefused, readReleases } from '../model/wire.ts';
import { route } from '../route.ts';
import { connection, curves, decisions, details, fleet, models, refused, releases, tasks } from './store.ts';

/** A learning curve moves slowly; the figures beside it are live anyway. */
export const REFRESH_EVERY_MS = 5000;
/** News (a release, another page) is fetched sooner, but a burst of it still costs one round only. */
export const REFRESH_SOON_MS = 1500;
const LOOK_EVERY_MS = 500;
/** Entries of the coordinator's records that a page shows; the rest is in the API. */
const LISTED = 20;

export interface RefreshCapabilities {
  now(): number;
  every(ms: number, action: () => void): () => void;
  get(path: string): Promise<unknown>;
  visible(): boolean;
}

/** Returns a function that asks for a refresh soon. */
export function keepFresh(can: RefreshCapabilities): () => void {
  let running = false;
  let startedAt = 0;
  let dueAt = 0;

  const run = async (): Promise<void> => {
    running = true;
    startedAt = can.now();
    dueAt = startedAt + REFRESH_EVERY_MS;
    for (const request of requestsOf()) {
      if (connection.value.state !== 'live') break;
      try {
        request.take(await can.get(request.path));
      } catch {
        // One list that cannot be had does not keep the others away; that the coordinator is away, the live connection
        // tells. What was fetched before stays on the page.
      }
    }
    running = false;
  };

  can.every(LOOK_EVERY_MS, () => {
    if (running || !can.visible() || can.now() < dueAt) return;
    if (connection.value.state !== 'live' || fleet.value?.gateways.length === 0) return;
    void run();
  });
  return () => {
    dueAt = Math.min(dueAt, startedAt + REFRESH_SOON_MS);
  };
}

interface Request {
  path: string;
  take(body: unknown): void;
}

/** What the page of the moment shows, in the order it is read. */
function requestsOf(): Request[] {
  const place = route.value;
  const one = place.page === 'gateway' ? fleet.value?.gateways.find((gateway) => gateway.id === place.id) : undefined;
  const shown = tasks.value.filter(
    (task) => place.page !== 'gateway' || task.members.some((member) => member.gateway === one),
  );
  return [
    ...(one === undefined ? [] : [detailOf(one.id)]),
    modelsOf(),
    ...shown.flatMap(({ name }) => [curveOf(name), releasesOf(name)]),
    ...(place.page === 'gateway' ? [] : [refusedOf(), decisionsOf()]),
  ];
}

function detailOf(id: string): Request {
  return {
    path: `api/v1/gateways/${encodeURIComponent(id)}`,
    take: (body) => {
      details.value = new Map(details.value).set(id, readGatewayDetail(body));
    },
  };
}

function modelsOf(): Request {
  return {
    path: 'api/v1/tasks',
    take: (body) => {
      models.value = readModels(body);
    },
  };
}

function refusedOf(): Request {
  return {
    path: `api/v1/quarantine?limit=${LISTED}`,
    take: (body) => {
      refused.value = readRefused(body);
    },
  };
}

function decisionsOf(): Request {
  return {
    path: `api/v1/audit?limit=${LISTED}`,
    take: (body) => {
      decisions.value = readDecisions(body);
    },
  };
}

function curveOf(task: string): Request {
  return {
    path: `api/v1/tasks/${encodeURIComponent(task)}/curve`,
    take: (body) => {
      curves.value = new Map(curves.value).set(task, readCurve(body));
    },
  };
}

function releasesOf(task: string): Request {
  return {
    path: `api/v1/releases?task=${encodeURIComponent(task)}`,
    take: (body) => {
      releases.value = new Map(releases.value).set(task, readReleases(body));
    },
  };
}
