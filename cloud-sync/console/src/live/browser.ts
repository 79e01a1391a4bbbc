// The browser's capabilities in the shapes the rest of the console asks for: the only file that touches the network.
import { type FollowCapabilities, REQUEST_TIMEOUT_MS } from './follow.ts';

/** The body of a GET as JSON; an answer that is not a success is an error that names it. */
export async function getJson(path: string): Promise<unknown> {
  const response = await fetch(path, {
    headers: { accept: 'application/json' },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

export const browser: FollowCapabilities = {
  now: () => Date.now(),
  every: (ms, action) => {
    const timer = setInterval(action, ms);
    return () => clearInterval(timer);
  },
  open: (path) => new EventSource(path),
  get: getJson,
};
