// The embedded broker of a configuration: `broker:` with its users, what they may do, and the limits per client.

import type { BrokerDoor, BrokerUser } from './config.ts';
import type { ConfigNode } from './config_node.ts';
import { parsePasswordHash } from './passwords.ts';
import { checkTemplate, checkTopicPattern } from './patterns.ts';

const USERS_MAX = 4096;
const FILTERS_MAX = 256;
/** More devices than this want a broker of their own; each costs buffers here. */
const CLIENTS = 1000;
const CLIENTS_MAX = 20_000;
/** As mosquitto has it. */
const QUEUE = 1000;

/** `broker:`; null: all defaults. */
export function parseBroker(node: ConfigNode | null, door: number): BrokerDoor {
  const map = node?.map(['listen', 'host', 'tls', 'users', 'anonymous', 'limits']);
  const users = parseUsers(map?.get('users') ?? null);
  const limits = map?.get('limits')?.map(['clients', 'clients_per_user', 'messages_per_second', 'queue']);
  const clients = limits?.get('clients')?.integer(1, CLIENTS_MAX) ?? CLIENTS;
  return {
    kind: 'broker',
    door,
    name: 'broker',
    listen: map?.get('listen')?.integer(0, 65_535) ?? 1883,
    host: map?.get('host')?.text(/./, 'a host name or address') ?? '127.0.0.1',
    tls: parseTls(map?.get('tls') ?? null),
    users,
    anonymous: map?.get('anonymous')?.flag() ?? users.length === 0,
    limits: {
      clients,
      clientsPerUser: limits?.get('clients_per_user')?.integer(1, CLIENTS_MAX) ?? clients,
      messagesPerSecond: limits?.get('messages_per_second')?.number(0.1, 1e6) ?? null,
      queue: limits?.get('queue')?.integer(0, 1_000_000) ?? QUEUE,
    },
  };
}

function parseTls(node: ConfigNode | null): BrokerDoor['tls'] {
  if (node === null) return null;
  const map = node.map(['cert', 'key', 'ca']);
  return {
    cert: map.need('cert').text(/./, 'a file'),
    key: map.need('key').text(/./, 'a file'),
    ca: map.get('ca')?.text(/./, 'a file') ?? null,
  };
}

function parseUsers(node: ConfigNode | null): BrokerUser[] {
  const users: BrokerUser[] = [];
  for (const item of node?.list(USERS_MAX) ?? []) {
    const map = item.map(['name', 'password', 'publish', 'subscribe']);
    const name = map.need('name').text(/^[^/+#\0]{1,256}$/, 'at most 256 characters, none of / + #');
    if (users.some((user) => user.name === name))
      item.fail('RIV_CONFIG_VALUE', `a second user named ${JSON.stringify(name)}`, 'names that differ');
    const password = map.need('password');
    const hash = parsePasswordHash(password.text());
    if (hash === null)
      return password.fail(
        'RIV_CONFIG_VALUE',
        `\`${password.path}\` is no hashed password`,
        '$7$… as `rivulet passwd` or mosquitto_passwd makes it',
      );
    users.push({ name, hash, publish: filters(map.get('publish')), subscribe: filters(map.get('subscribe')) });
  }
  return users;
}

/** Topic filters in which `{user}` and `{client}` stand for the names of whoever is connected. */
function filters(node: ConfigNode | null): string[] {
  if (node === null) return ['#'];
  return node.list(FILTERS_MAX).map((item) => {
    const text = item.text();
    const checked = checkTopicPattern(text);
    const wrong = 'wrong' in checked ? checked.wrong : checkTemplate(text, ['user', 'client']);
    if (wrong !== null)
      item.fail(
        'RIV_CONFIG_VALUE',
        `\`${item.path}\` is ${JSON.stringify(text.slice(0, 80))}`,
        `a topic filter, but ${'wrong' in checked ? wrong : `it holds ${wrong}`}`,
      );
    return text;
  });
}
