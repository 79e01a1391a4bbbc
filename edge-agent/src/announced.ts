/**
 * What publishers announced of other topics (`preset: home_assistant`): the newest message of each announcing topic, kept in
 * `announced.json` in the state directory, since a broker does not send again what it has kept for a session that goes on.
 * Sources are made of it when the configuration is read (host/src/home_assistant.ts).
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Announcing,
  type Config,
  type Output,
  RivuletError,
  replaceFile,
  SOURCES_MAX,
  toRivuletError,
} from '@rivulet/host';

/** Announcements come in bursts, all of a device or of a house at once: sources follow this long after the first. */
const GATHER_MS = 500;
const FILE = 'announced.json';
/** More topics and longer messages than these are passed over, and counted. */
const TOPICS_MAX = 5000;
const MESSAGE_BYTES_MAX = 64 * 1024;
/** And so is what comes when all together is this long. */
const BYTES_MAX = 8 * 1024 * 1024;
/** Topics passed over are told apart up to so many, since a broker sends what it has kept at each new session. */
const PASSED_OVER_MAX = 10_000;

export interface AnnouncementsContext {
  /** The state directory. */
  directory: string;
  /** Follows what is announced now; answers the configuration that it makes. */
  changed(topics: Announcing[]): Promise<Config>;
  notice(error: RivuletError): void;
  /** What was noticed with a code of this beginning (and at this place) is over. */
  well(codePrefix: string, where?: string): void;
}

export interface Announcements {
  /** Takes note of what was announced among these outputs. */
  take(outputs: readonly Output[]): void;
  /** True when all of it is on disk; what could not be written is tried again. */
  saved(): boolean;
  /** Makes no further changes; resolves when none is under way. What is taken from now on is only written down. */
  stop(): Promise<void>;
  /** Resolves when all of it is on disk, or could not be written. */
  settled(): Promise<void>;
}

/** Follows what is announced while the agent runs. */
export async function followAnnouncements(context: AnnouncementsContext): Promise<Announcements> {
  const failed = (error: unknown): void => context.notice(toRivuletError(error));
  const path = join(context.directory, FILE);
  const announced = await openAnnounced(context.directory, failed, () => context.well('RIV_STATE_UNUSABLE', path));
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let following: Promise<void> = Promise.resolve();

  async function follow(): Promise<void> {
    await announced.settled();
    const { sources } = await context.changed(announced.all());
    const left = announced.passedOver();
    if (left === 0 && sources.length < SOURCES_MAX) {
      context.well('RIV_ANNOUNCED_LIMIT');
      return;
    }
    const found = `${sources.length} sources with those announced${left > 0 ? `, ${left} announcements passed over` : ''}`;
    context.notice(new RivuletError('RIV_ANNOUNCED_LIMIT', { found, expected: `fewer than ${SOURCES_MAX} sources` }));
  }

  return {
    take(outputs) {
      const changes = outputs.filter(
        (output) => output.kind === 'announcement' && announced.take(output.topic, output.payload),
      );
      if (changes.length === 0 || stopped) return;
      timer ??= setTimeout(() => {
        timer = null;
        following = following.then(follow).catch(failed);
      }, GATHER_MS);
    },
    saved: announced.saved,
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await following;
    },
    settled: announced.settled,
  };
}

interface Announced {
  /** The newest of each topic, in the order of topics. */
  all(): Announcing[];
  /** Takes note of a message, of which an empty one takes back what its topic said; true when that changes anything. */
  take(topic: string, payload: Buffer): boolean;
  /** Topics whose newest message was passed over since it is too long or they are too many; at most `PASSED_OVER_MAX`. */
  passedOver(): number;
  /** True when all of it is on disk; what could not be written is tried again. */
  saved(): boolean;
  /** Resolves when it is, or could not be written. */
  settled(): Promise<void>;
}

/**
 * @param failed what was taken is not on disk: it holds until the next start
 * @param written it is on disk, as far as it was taken
 */
async function openAnnounced(
  directory: string,
  failed: (error: unknown) => void,
  written: () => void,
): Promise<Announced> {
  const known = new Map(Object.entries(await read(directory)));
  let characters = [...known.values()].reduce((sum, { length }) => sum + length, 0);
  /** Hashes of topics: a topic may be long. */
  const passedOver = new Set<string>();
  let dirty = false;
  let writing: Promise<void> | null = null;

  async function write(): Promise<void> {
    while (dirty) {
      dirty = false;
      try {
        await replaceFile(join(directory, FILE), Buffer.from(`${JSON.stringify(Object.fromEntries(known))}\n`));
      } catch (error) {
        dirty = true; // it is written with what comes next, or when a checkpoint asks for it
        throw error;
      }
      written();
    }
  }

  function save(): void {
    dirty = true;
    writing ??= write()
      .catch(failed)
      .finally(() => {
        writing = null;
      });
  }

  return {
    all: () => topicsOf(known),
    take(topic, payload) {
      const text = payload.toString('utf8');
      const hash = createHash('sha256').update(topic).digest('base64');
      if (known.get(topic) === text || (payload.length === 0 && !known.has(topic))) {
        passedOver.delete(hash);
        return false;
      }
      const isNew = !known.has(topic);
      const after = characters - (known.get(topic)?.length ?? 0) + text.length;
      const isLong = payload.length > MESSAGE_BYTES_MAX || (payload.length > 0 && after > BYTES_MAX);
      if (isLong || (isNew && known.size >= TOPICS_MAX)) {
        if (passedOver.size < PASSED_OVER_MAX) passedOver.add(hash);
        return false;
      }
      passedOver.delete(hash);
      characters = after;
      if (payload.length === 0) known.delete(topic);
      else known.set(topic, text);
      save();
      return true;
    },
    passedOver: () => passedOver.size,
    saved() {
      if (dirty && writing === null) save();
      return writing === null;
    },
    async settled() {
      if (dirty && writing === null) save();
      await writing;
    },
  };
}

/** What a state directory holds. */
export async function readAnnounced(directory: string): Promise<Announcing[]> {
  return topicsOf(new Map(Object.entries(await read(directory))));
}

function topicsOf(known: ReadonlyMap<string, string>): Announcing[] {
  const topics = [...known].sort(([one], [other]) => (one < other ? -1 : 1));
  return topics.map(([topic, payload]) => ({ topic, samples: [Buffer.from(payload)] }));
}

/** A file that is absent or unreadable is an empty one: what is announced comes again with the next new session. */
async function read(directory: string): Promise<Record<string, string>> {
  try {
    const found: unknown = JSON.parse(await readFile(join(directory, FILE), 'utf8'));
    const entries = Object.entries(found as object).filter((entry) => typeof entry[1] === 'string');
    return Object.fromEntries(entries.slice(0, TOPICS_MAX)) as Record<string, string>;
  } catch {
    return {};
  }
}
