/**
 * When a gateway should come again: a pure decision. Each reply names a window, and the gateway takes a moment in it by
 * chance, so that a fleet that was cut off or started as one comes back at a rate that one coordinator answers.
 */
import type { RetryWindowView } from '../api/views.ts';

/** Calls of the whole fleet that are asked for: each is a durable write, a few milliseconds on a common disk. */
export const CALLS_PER_S = 200;
/** From when on a gateway that was turned away for load may come again, and how long a small fleet is spread over. */
const BUSY_FROM_S = 1;
const BUSY_TO_S = 5;

/** @param gateways enrolled ones; `busy`: the caller is being turned away for load */
export function retryWindow(gateways: number, busy = false): RetryWindowView {
  const mean = gateways / CALLS_PER_S;
  const [from, to] = [mean / 2, (mean * 3) / 2];
  return busy ? { from: Math.max(from, BUSY_FROM_S), to: Math.max(to, BUSY_TO_S) } : { from, to };
}
