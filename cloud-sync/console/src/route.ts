// Where the page is, kept in the address behind the hash so that the coordinator serves one file and links can be shared.
import { signal } from '@preact/signals';

export type Route = { page: 'fleet'; task: string | null } | { page: 'gateway'; id: string };

export const route = signal<Route>({ page: 'fleet', task: null });

/** `#/gateway/ID`, `#/task/NAME`, anything else is the fleet. */
export function routeOf(hash: string): Route {
  const match = /^#\/(gateway|task)\/([^/]+)$/.exec(hash);
  const name = match?.[2] === undefined ? null : decoded(match[2]);
  if (name === null) return { page: 'fleet', task: null };
  return match?.[1] === 'gateway' ? { page: 'gateway', id: name } : { page: 'fleet', task: name };
}

export function gatewayLink(id: string): string {
  return `#/gateway/${encodeURIComponent(id)}`;
}

export function taskLink(name: string): string {
  return `#/task/${encodeURIComponent(name)}`;
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
