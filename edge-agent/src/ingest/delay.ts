/** When to try again: a random time, so that a fleet spreads out. */

/** Full jitter, in ms: the first attempts within half a second, later ones spread over half a minute. MQTT.js takes 0 for "never". */
export const RECONNECT_MS_FIRST = 500;
const RECONNECT_MS_MAX = 30_000;
const RECONNECT_MS_MIN = 20;

/** Delay before attempt `attempt`: random up to a bound that doubles, capped. */
export function reconnectDelay(attempt: number, random: number): number {
  const bound = Math.min(RECONNECT_MS_FIRST * 2 ** Math.min(attempt - 1, 16), RECONNECT_MS_MAX);
  return Math.round(RECONNECT_MS_MIN + (bound - RECONNECT_MS_MIN) * random);
}
