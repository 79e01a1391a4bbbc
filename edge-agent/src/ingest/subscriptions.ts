/**
 * What a broker's session of ours is subscribed to. A session outlives the process; filters that left the configuration
 * have to be unsubscribed, else the broker goes on sending (and queueing) for them.
 *
 * One small JSON file, `subscriptions.json`: per client id the filters that its session may hold. Filters are added to it before they
 * are subscribed and removed after they are unsubscribed, so that a crash in between forgets none.
 */
import { readFile } from 'node:fs/promises';
import { type Config, replaceFile, topicFilter } from '@rivulet/host';

/** The topic filters that a door has to subscribe to: its sources and all labels, each once. */
export function filtersOf(config: Config, door: number): string[] {
  const sources = config.sources
    .filter((source) => source.door === null || source.door === door)
    .map(({ topic, share }) => (share === null ? topicFilter(topic) : `$share/${share}/${topicFilter(topic)}`));
  const labels = config.tasks.flatMap(({ label }) => (label === null ? [] : [topicFilter(label.topic)]));
  return [...new Set([...sources, ...labels])];
}

export interface Subscriptions {
  /** Filters that a session may be subscribed to. */
  of(session: string): readonly string[];
  /** Resolves when it is on disk. @throws RIV_STATE_UNUSABLE */
  remember(session: string, filters: readonly string[]): Promise<void>;
}

/** A file that is absent or unreadable is an empty one: then at most too little is unsubscribed. */
export async function openSubscriptions(path: string): Promise<Subscriptions> {
  const known = new Map<string, readonly string[]>(await read(path));
  let written: Promise<void> = Promise.resolve();
  return {
    of: (session) => known.get(session) ?? [],
    remember(session, filters) {
      const before = known.get(session) ?? [];
      if (before.length === filters.length && before.every((filter, index) => filter === filters[index])) {
        return written;
      }
      known.set(session, filters);
      const bytes = Buffer.from(`${JSON.stringify(Object.fromEntries(known))}\n`);
      written = written.catch(() => undefined).then(() => replaceFile(path, bytes));
      return written;
    },
  };
}

async function read(path: string): Promise<[string, string[]][]> {
  try {
    const found: unknown = JSON.parse(await readFile(path, 'utf8'));
    return Object.entries(found as object).filter(
      (entry): entry is [string, string[]] =>
        Array.isArray(entry[1]) && entry[1].every((filter) => typeof filter === 'string'),
    );
  } catch {
    return [];
  }
}
