// Asks for what the event stream does not carry (curves, releases, models, a gateway's own report): when the page needs
// it, at most every few seconds, one request at a time, and never while the page is hidden or the coordinator is away.
import { readCurve, readGatewayDetail, readModels, readReleases } from '../model/wire.ts';
import { route } from '../route.ts';
import { connection, curves, details, models, releases, tasks } from './store.ts';

/** A learning curve moves slowly; the figures beside it are live anyway. */
export const REFRESH_EVERY_MS = 5000;

/** News (a release, another page) is fetched sooner, but a burst of it still costs one round only. */
const REFRESH_SOON_MS = 1500;

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
    try {
      const place = route.value;
      if (place.page === 'gateway') {
        const detail = readGatewayDetail(await can.get(`api/v1/gateways/${encodeURIComponent(place.id)}`));
        details.value = new Map(details.value).set(place.id, detail);
      }
      models.value = readModels(await can.get('api/v1/tasks'));
      const shown = tasks.value.filter(
        (task) => place.page !== 'gateway' || task.members.some((member) => member.gateway.id === place.id),
      );
      for (const { name } of shown) {
        const curve = readCurve(await can.get(`api/v1/tasks/${encodeURIComponent(name)}/curve`));
        curves.value = new Map(curves.value).set(name, curve);
        const list = readReleases(await can.get(`api/v1/releases?task=${encodeURIComponent(name)}`));
        releases.value = new Map(releases.value).set(name, list);
      }
    } catch {
      // The live connection tells of a coordinator that is away; what was fetched before stays on the page, dated by it.
    } finally {
      running = false;
    }
  };

  can.every(500, () => {
    if (running || !can.visible() || can.now() < dueAt) return;
    if (connection.value.state !== 'live' || tasks.value.length === 0) return;
    void run();
  });
  return () => {
    dueAt = Math.min(dueAt, startedAt + REFRESH_SOON_MS);
  };
}
