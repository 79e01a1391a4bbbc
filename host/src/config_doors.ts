// The front doors of a configuration: `mqtt:` (one broker elsewhere, or a list of them with names) and `broker:` (the
// embedded one). Files named here are read when a door opens; secrets from the environment are taken here, where a missing
// one can be named with its place.

import type { Door, MqttDoor, Secret } from './config.ts';
import { parseBroker } from './config_broker.ts';
import type { ConfigMap, ConfigNode } from './config_node.ts';

/** Environment variables; null when nothing is to be connected (replay): secrets are then left out. */
export type Environment = Readonly<Record<string, string | undefined>> | null;

/** Connections to brokers elsewhere. */
const BROKERS_MAX = 64;
const DOOR_NAME = /^[A-Za-z0-9_-]{1,64}$/;
const WEBSOCKET = ['ws:', 'wss:'];
const MQTT_KEYS = [
  'name',
  'url',
  'client_id',
  'user',
  'password',
  'tls',
  'qos',
  'protocol',
  'receive_maximum',
  'presence',
  'stale_after',
] as const;

/** Doors are numbered by their place in the file, from 1. Without any: a broker on this machine. */
export function parseDoors(
  root: ConfigNode,
  top: ConfigMap<'mqtt' | 'broker'>,
  gateway: string,
  environment: Environment,
): Door[] {
  const doors: Door[] = [];
  const mqtt = (node: ConfigNode | null): MqttDoor => parseMqtt(node, doors.length + 1, gateway, environment);
  for (const { key } of root.entries()) {
    const node = top.get(key as 'mqtt' | 'broker');
    if (key === 'broker') doors.push(parseBroker(node, doors.length + 1));
    if (key !== 'mqtt') continue;
    if (node?.isList !== true) {
      doors.push(mqtt(node));
      continue;
    }
    const items = node.list(BROKERS_MAX);
    if (items.length === 0) node.fail('RIV_CONFIG_MISSING', '`mqtt` is empty', 'at least one broker');
    for (const item of items) {
      const door = mqtt(item);
      if (items.length > 1) item.map(MQTT_KEYS).need('name');
      if (door.name === 'broker' || doors.some(({ name }) => name === door.name))
        item.fail('RIV_CONFIG_VALUE', `a second door named ${JSON.stringify(door.name)}`, 'names that differ');
      doors.push(door);
    }
  }
  return doors.length > 0 ? doors : [mqtt(null)];
}

function parseMqtt(node: ConfigNode | null, door: number, gateway: string, environment: Environment): MqttDoor {
  const map = node?.map(MQTT_KEYS);
  const url = brokerUrl(map?.get('url') ?? null);
  const secure = url.startsWith('mqtts:');
  const tls = map?.get('tls') ?? null;
  if (tls !== null && !secure) tls.fail('RIV_CONFIG_VALUE', `\`${tls.path}\` beside ${url}`, 'a URL with mqtts://');
  const user = secret(map?.get('user') ?? null, environment);
  const password = secret(map?.get('password') ?? null, environment);
  if (password !== null && user === null)
    map?.need('password').fail('RIV_CONFIG_MISSING', 'a password without `user`', 'both');
  const protocol = (map?.get('protocol')?.integer(4, 5) ?? null) as 4 | 5 | null;
  const receive = map?.get('receive_maximum') ?? null;
  if (receive !== null && protocol === 4)
    receive.fail('RIV_CONFIG_VALUE', '`receive_maximum` with MQTT 3.1.1', 'MQTT 5: earlier versions cannot say it');
  return {
    kind: 'mqtt',
    door,
    name: map?.get('name')?.text(DOOR_NAME, 'letters, digits, dash and underscore, at most 64') ?? 'mqtt',
    url,
    clientId: map?.get('client_id')?.text(/^.{1,256}$/, 'at most 256 characters') ?? null,
    user,
    password,
    tls: secure ? parseTls(tls) : null,
    qos: (map?.get('qos')?.integer(0, 2) ?? 1) as 0 | 1 | 2,
    protocol,
    receiveMaximum: receive?.integer(1, 65_535) ?? null,
    presence: presence(map?.get('presence') ?? null, gateway),
    staleAfterMs: staleAfter(map?.get('stale_after') ?? null),
  };
}

function parseTls(node: ConfigNode | null): NonNullable<MqttDoor['tls']> {
  const map = node?.map(['ca', 'cert', 'key', 'server_name']);
  const file = (key: 'ca' | 'cert' | 'key'): string | null => map?.get(key)?.text(/./, 'a file') ?? null;
  const tls = { ca: file('ca'), cert: file('cert'), key: file('key') };
  if ((tls.cert === null) !== (tls.key === null))
    node?.fail('RIV_CONFIG_MISSING', `\`${node.path}\` has only one of \`cert\` and \`key\``, 'both, or neither');
  return { ...tls, serverName: map?.get('server_name')?.text(/./, 'a host name') ?? null };
}

/** Text, or where it stands: `{ file: PATH }` (read at each connection) or `{ env: NAME }`. */
function secret(node: ConfigNode | null, environment: Environment): Secret | null {
  if (node === null) return null;
  if (!node.isMap) return { text: node.text() };
  const map = node.map(['file', 'env']);
  const [file, env] = [map.get('file'), map.get('env')];
  if ((file === null) === (env === null))
    return node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is a map`, 'text, { file: PATH } or { env: NAME }');
  if (file !== null) return { file: file.text(/./, 'a file') };
  if (env === null || environment === null) return null;
  const name = env.text(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable');
  const text = environment[name];
  return text === undefined ? env.fail('RIV_CONFIG_MISSING', `the environment variable ${name} is not set`) : { text };
}

/** Where the door says that it is there and, by the broker, that it is gone; `off`: nowhere. */
function presence(node: ConfigNode | null, gateway: string): string | null {
  if (node?.isText('off') || node?.isText(false)) return null;
  const topic = node?.text() ?? `rivulet/${gateway}/presence`;
  if (topic === '' || Buffer.byteLength(topic) > 65_535 || /[+#\0]|^\$/.test(topic))
    node?.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is ${JSON.stringify(topic)}`, 'a topic without wildcards, or off');
  return topic;
}

/** Silence after which a connection is taken for dead: null, learned from how messages came; 0, never. */
function staleAfter(node: ConfigNode | null): number | null {
  if (node === null || node.isText('auto')) return null;
  return node.isText('off') || node.isText(false) ? 0 : node.durationMs(100);
}

function brokerUrl(node: ConfigNode | null): string {
  if (node === null) return 'mqtt://localhost:1883';
  const text = parseUrl(node, ['mqtt:', 'mqtts:']);
  const { username, password, pathname, search, hash } = new URL(text);
  if (username !== '' || password !== '')
    node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` holds a user or a password`, '`user` and `password` beside it');
  if (!['', '/'].includes(pathname) || search !== '' || hash !== '')
    node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is ${JSON.stringify(text)}`, 'a host and a port, nothing behind');
  return text;
}

/** A URL with one of some protocols. */
export function parseUrl(node: ConfigNode, protocols: readonly string[]): string {
  const text = node.text();
  const expected = `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (parsed === null || !protocols.includes(parsed.protocol) || parsed.hostname === '') {
    const why = WEBSOCKET.includes(parsed?.protocol ?? '') ? ' (WebSockets are not spoken here: use the TCP port)' : '';
    return node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is ${JSON.stringify(text)}`, expected + why);
  }
  return text;
}
