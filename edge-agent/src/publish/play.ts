/**
 * Plays a feed to a broker: takes steps, keeps the pace, publishes, remembers the position. The publisher's spine; ends at the
 * feed's end, or when told to stop, with the ledger of what was sent.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Feed, FeedMessage } from './feed.ts';
import { createPace } from './pace.ts';
import { type Position, savePosition } from './position.ts';
import { createPublisher, type Publisher, type PublisherOptions, type SendCounts } from './publisher.ts';

/** Time between two writes of the position. */
const POSITION_EVERY_MS = 1000;

/** Longest wait for acknowledgements at the end. */
const CLOSE_MS_MAX = 1000;

/** What a play needs beside the feed. */
export interface PlaySettings extends PublisherOptions {
  /** Event seconds per second. */
  speed: number;
  /** File for the position, and the words that name the feed in it. */
  position: { path: string; feed: string } | undefined;
}

/** What was sent: the last line a publisher prints. Over all runs since the position began. */
export interface FeedLedger extends SendCounts {
  event: 'ledger';
  /** The feed came to its end. */
  finished: boolean;
  /** Handed over, but not acknowledged when the publisher stopped. */
  unacknowledged: number;
  /** Seconds that the feed was slowed by the gateway. */
  slowed_s: number;
  [count: string]: number | string | boolean;
}

/** Plays until the end or the stop. */
export async function play(feed: Feed, settings: PlaySettings): Promise<FeedLedger> {
  const publisher = createPublisher(settings);
  const pace = createPace(settings.speed);
  const memory = createMemory(settings.position);
  let finished = false;

  while (!settings.stop.aborted) {
    const step = await feed.next();
    if (step === null) {
      finished = !settings.stop.aborted;
      break;
    }
    const wait = pace.waitFor(step.at, performance.now());
    // A stop during the wait drops a step that nobody was told of; the position is still before it.
    if (wait >= 1 && !(await waited(wait, settings.stop))) break;
    // Nor is a step noted of which the rest found no room: after a start all of it is sent again.
    if (!(await handedOver(step.messages, publisher))) break;
    memory.note({ state: feed.position(), sent: publisher.counts() }, () => publisher.settled());
  }
  const unacknowledged = await publisher.close(CLOSE_MS_MAX);
  await memory.close(unacknowledged === 0);
  const slowed_s = Math.round(pace.slowed_ms / 100) / 10;
  return { event: 'ledger', ...publisher.counts(), ...feed.counts(), finished, unacknowledged, slowed_s };
}

async function handedOver(messages: readonly FeedMessage[], publisher: Publisher): Promise<boolean> {
  for (const message of messages) {
    if (!(await publisher.send(message))) return false;
  }
  return true;
}

async function waited(ms: number, stop: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal: stop });
    return true;
  } catch {
    return false; // aborted
  }
}

type Place = Pick<Position, 'state' | 'sent'>;

/** Writes the newest place that is acknowledged, now and then and at the end. */
function createMemory(position: PlaySettings['position']) {
  let newest: Place | null = null;
  let notedAt = 0;
  let writing: Promise<void> = Promise.resolve();
  let failure: unknown;

  const write = (place: Place) =>
    position === undefined ? Promise.resolve() : savePosition(position.path, { feed: position.feed, ...place });
  return {
    /** The feed is at a place; it may be written once `settled` resolves. */
    note(place: Place, settled: () => Promise<void>): void {
      if (position === undefined) return;
      if (failure !== undefined) throw failure;
      newest = place;
      const now = performance.now();
      if (now - notedAt < POSITION_EVERY_MS) return;
      notedAt = now;
      const before = writing;
      writing = settled()
        .then(() => before)
        .then(() => write(place))
        .catch((error: unknown) => {
          failure = error;
        });
    },
    async close(settled: boolean): Promise<void> {
      if (!settled) return; // the newest place is not acknowledged: keep the one on disk
      await writing;
      if (newest !== null) await write(newest);
    },
  };
}
