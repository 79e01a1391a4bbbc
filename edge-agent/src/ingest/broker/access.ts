/**
 * Who may connect to the embedded broker, and what they may do there.
 *
 * Hashing a password on purpose takes long, and a fleet that reconnects at once would keep the threads busy that the log's
 * syncs need: one is hashed at a time, and what fitted once is remembered (as a keyed digest) while the process lives.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type BrokerDoor, type BrokerUser, passwordFits } from '@rivulet/host';

/** Logins that wait to be hashed; further ones are told to come again. */
const WAITING_MAX = 256;

/** CONNACK codes of MQTT 3.1.1 (section 3.2.2.3). */
export const REFUSAL = { unavailable: 3, login: 4 } as const;

/** What a connected client may do. */
export interface Rights {
  user: string | null;
  mayPublish(topic: string): boolean;
  maySubscribe(filter: string): boolean;
}

/** Judges logins; answers the rights, or the CONNACK code of the refusal. */
export function createAccess(config: BrokerDoor) {
  const key = randomBytes(32);
  const users = new Map(config.users.map((user) => [user.name, user]));
  const fitted = new Map<string, string>();
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  async function login(clientId: string, name?: string, password?: Uint8Array): Promise<Rights | number> {
    if (name === undefined || name === '') {
      return config.anonymous ? rightsOf(null, clientId) : REFUSAL.login;
    }
    const user = users.get(name);
    if (user === undefined && config.anonymous && config.users.length === 0) {
      return rightsOf(null, clientId); // Nobody has a password here; devices that send one are not turned away.
    }
    const digest = createHmac('sha256', key)
      .update(`${name}\0`)
      .update(password ?? '')
      .digest('base64');
    if (user !== undefined && fitted.get(name) === digest) {
      return rightsOf(user, clientId);
    }
    if (waiting >= WAITING_MAX) {
      return REFUSAL.unavailable;
    }
    waiting += 1;
    // A name that does not exist takes as long as one that does.
    const judged = user ?? (config.users[0] as BrokerUser);
    const fits = last.then(() => passwordFits(password ?? Buffer.alloc(0), judged.hash)).finally(() => (waiting -= 1));
    last = fits.catch(() => undefined);
    if (!(await fits) || user === undefined) {
      return REFUSAL.login;
    }
    fitted.set(name, digest);
    return rightsOf(user, clientId);
  }
  return { login };
}

function rightsOf(user: BrokerUser | null, clientId: string): Rights {
  if (user === null) {
    return { user: null, mayPublish: (topic) => !topic.startsWith('$'), maySubscribe: () => true };
  }
  const filled = (filters: string[]): string[][] =>
    filters
      // A client id that is no single level would reach further than the filter says.
      .filter((filter) => !filter.includes('{client}') || !/[/+#]/.test(clientId))
      .map((filter) =>
        filter
          .replaceAll('{user}', () => user.name)
          .replaceAll('{client}', () => clientId)
          .split('/'),
      );
  const publish = filled(user.publish);
  const subscribe = filled(user.subscribe);
  return {
    user: user.name,
    mayPublish: (topic) => !topic.startsWith('$') && publish.some((filter) => covers(filter, topic.split('/'))),
    maySubscribe: (wanted) => subscribe.some((filter) => covers(filter, wanted.split('/'))),
  };
}

/** True when every topic that `wanted` (a topic or a filter, by levels) matches is matched by `filter` as well. */
export function covers(filter: readonly string[], wanted: readonly string[]): boolean {
  // A wildcard in the first level does not match topics that begin with $ (MQTT 3.1.1 section 4.7.2).
  if (wanted[0]?.startsWith('$') && filter[0] !== wanted[0]) {
    return false;
  }
  for (const [at, level] of filter.entries()) {
    if (level === '#') {
      return true; // `a/#` matches `a` as well: its parent level.
    }
    if (at >= wanted.length || wanted[at] === '#' || (level !== '+' && level !== wanted[at])) {
      return false;
    }
  }
  return filter.length === wanted.length;
}
