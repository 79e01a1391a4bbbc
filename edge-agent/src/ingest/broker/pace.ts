/**
 * Slows a client of the embedded broker down to a number of messages a second: each is answered when its time has come, and
 * until then aedes reads no further from that client, so that what is more waits in the device. Nothing is dropped.
 */
import type { Client } from 'aedes';

/** What may come at once after a pause: one second's worth. */
const BURST_MS = 1000;

/** @param perSecond messages a second; null: at once */
export function createPace(perSecond: number | null, client: Client): (act: () => void) => void {
  if (perSecond === null) {
    return (act) => act();
  }
  let dueMs = 0;
  return (act) => {
    const nowMs = performance.now();
    dueMs = Math.max(dueMs, nowMs - BURST_MS) + 1000 / perSecond;
    if (dueMs <= nowMs) {
      act();
      return;
    }
    const timer = setTimeout(() => {
      if (!client.closed) {
        // While we hold the client back its pings stay unread: it is not to be taken for dead.
        (client as unknown as { _keepaliveTimer: NodeJS.Timeout | null })._keepaliveTimer?.refresh();
        act();
      }
    }, dueMs - nowMs);
    timer.unref();
  };
}
