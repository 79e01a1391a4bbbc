// What well-known publishers send, as plain sources: a preset stands for nothing that could not be written out, and
// `rivulet presets NAME` writes it out. Topics and payloads are those of the publishers' own documentation, named beside each;
// test/presets/ holds their payloads.

import { stringify } from 'yaml';

/** A source as a configuration file has it. */
export type PlainSource = Record<string, unknown> & { name: string; topic: string };

/** What can be said of a preset. */
export interface PresetOptions {
  /** Name of its sources, or what their names begin with. */
  name: string;
  /** Topic levels in front; null: the publisher's own default. */
  base: string | null;
  /** Zone of times that name none; null: such times are not used. */
  zone: string | null;
  /** Tags in the key, beside the host (telegraf_json). */
  tags: readonly string[];
}

export interface Preset {
  /** Whose messages, in a line. */
  about: string;
  /** The publisher's default for the topic levels in front; empty: none. */
  base: string;
  sources(options: {
    name: string;
    at(topic: string): string;
    zone: string | null;
    tags: readonly string[];
  }): PlainSource[];
}

/** How publishers say that something is on. */
const ON_OFF = { ON: 1, OFF: 0 } as const;

/** Of a member and of each member of an object in it. */
function nested(path: string, except: readonly string[] = []): Record<string, unknown> {
  const leaf = (inner: string) => ({ path: inner, values: ON_OFF, ...(except.length > 0 ? { except } : {}) });
  return { '{field}': leaf(`${path}{field}`), '{field}_{part}': leaf(`${path}{field}.{part}`) };
}

/** The topic levels that friendly names may fill. */
const NAME_LEVELS = [1, 2, 3, 4];

/** The presets by name. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  zigbee2mqtt: {
    about: 'Zigbee2MQTT: JSON per device, friendly names with slashes included',
    base: 'zigbee2mqtt',
    // https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
    sources: ({ name, at }) => [
      {
        name,
        topic: at('{device#}'),
        except: [
          at('bridge/#'),
          ...NAME_LEVELS.flatMap((levels) =>
            ['set', 'set/+', 'get', 'get/+', 'availability'].map((last) => at(`${'+/'.repeat(levels)}${last}`)),
          ),
        ],
        key: '{device}',
        // What the bridge says of the device, and what the device says of its firmware.
        fields: nested('', ['last_seen', 'update', 'device']),
        time: { path: 'last_seen', absent: 'arrival' },
        nothing: 'filter',
      },
    ],
  },
  tasmota: {
    about: 'Tasmota: tele/…/SENSOR and tele/…/STATE; times count where `zone` says the device’s',
    base: '',
    // https://tasmota.github.io/docs/MQTT/: %prefix%/%topic%/; `Time` is local and names no zone
    sources: ({ name, at, zone }) => {
      const time = zone === null ? {} : { time: { path: 'Time', absent: 'arrival', zone } };
      const except = ['Id', 'Address', 'Endpoint', 'BSSId', 'Mac'];
      return [
        {
          name,
          topic: at('tele/{device}/SENSOR'),
          key: '{device}',
          fields: {
            '{sensor}': { path: '{sensor}', values: ON_OFF },
            '{sensor}_{quantity}': { path: '{sensor}.{quantity}', except },
            '{sensor}_{quantity}_{part}': { path: '{sensor}.{quantity}.{part}', except },
          },
          ...time,
          nothing: 'filter',
        },
        {
          name: `${name} state`,
          topic: at('tele/{device}/STATE'),
          key: '{device}',
          fields: nested('', except),
          ...time,
          nothing: 'filter',
        },
      ];
    },
  },
  shelly: {
    about: 'Shelly Gen 2 and later: status notifications, which hold the attributes that changed',
    base: '',
    // https://shelly-api-docs.shelly.cloud/gen2/General/Notifications: <topic_prefix>/events/rpc
    sources: ({ name, at }) => {
      const except = [
        'id',
        'events',
        'minute_ts',
        'cfg_rev',
        'kvs_rev',
        'schedule_rev',
        'webhook_rev',
        'unixtime',
        'time',
      ];
      return [
        {
          name,
          topic: at('{device}/events/rpc'),
          key: '{device}',
          fields: {
            '{component}_{attribute}': { path: 'params.{component}.{attribute}', except },
            '{component}_{attribute}_{part}': { path: 'params.{component}.{attribute}.{part}', except },
          },
          time: { path: 'params.ts', absent: 'arrival' },
          nothing: 'filter',
        },
      ];
    },
  },
  esphome: {
    about: 'ESPHome over MQTT: a topic per entity',
    base: '',
    // https://esphome.io/components/mqtt.html: <topic_prefix>/<component>/<object_id>/state
    sources: ({ name, at }) =>
      ['sensor', 'binary_sensor', 'number'].map((component) => ({
        name: component === 'sensor' ? name : `${name} ${component}`,
        topic: at(`{device}/${component}/{field}/state`),
        format: 'number',
        key: '{device}',
        fields: { '{field}': { path: '', values: ON_OFF } },
        nothing: 'filter',
      })),
  },
  the_things_network: {
    about: 'The Things Network / The Things Stack v3: uplinks; fields that are absent mean 0',
    base: 'v3',
    // https://www.thethingsindustries.com/docs/integrations/data-formats/: "Empty fields are omitted from payloads"
    sources: ({ name, at }) => [
      {
        name,
        topic: at('{application}/devices/{device}/up'),
        key: '{application}/{device}',
        fields: {
          ...nested('uplink_message.decoded_payload.'),
          rssi: 'uplink_message.rx_metadata[0].rssi',
          snr: { path: 'uplink_message.rx_metadata[0].snr', absent: 0 },
          battery_percentage: 'uplink_message.last_battery_percentage.value',
        },
        time: 'received_at',
        seq: { path: 'uplink_message.f_cnt', absent: 0 },
        nothing: 'filter',
      },
    ],
  },
  chirpstack: {
    about: 'ChirpStack v4: uplink events; fields that are absent mean 0',
    base: 'application',
    // https://www.chirpstack.io/docs/chirpstack/integrations/events.html
    sources: ({ name, at }) => [
      {
        name,
        topic: at('{application}/device/{device}/event/up'),
        key: '{device}',
        fields: {
          ...nested('object.'),
          rssi: 'rxInfo[0].rssi',
          snr: { path: 'rxInfo[0].snr', absent: 0 },
        },
        time: 'time',
        seq: { path: 'fCnt', absent: 0 },
        nothing: 'filter',
      },
    ],
  },
  sparkplug_b: {
    about: 'Sparkplug B: births, data by alias, deaths; what is missing is asked for',
    base: 'spBv1.0',
    // https://sparkplug.eclipse.org/specification/: spBv1.0/GROUP/TYPE/NODE[/DEVICE]
    sources: ({ name, at }) =>
      [
        { name, topic: at('{group}/+/{node}'), except: [at('+/NCMD/+')], key: '{group}/{node}' },
        {
          name: `${name} devices`,
          topic: at('{group}/+/{node}/{device}'),
          except: [at('+/DCMD/+/+')],
          key: '{group}/{node}/{device}',
        },
      ].map((source) => ({
        ...source,
        format: 'sparkplug',
        fields: { '{metric}': 'value' },
        captures: { metric: 'name' },
        time: 'time',
        nothing: 'filter',
      })),
  },
  telegraf: {
    about: 'Telegraf in line protocol; a key per measurement and tags',
    base: 'telegraf',
    // https://github.com/influxdata/telegraf/tree/master/plugins/outputs/mqtt
    sources: ({ name, at }) => [
      {
        name,
        topic: at('#'),
        format: 'influx',
        key: '{series}',
        fields: { '{field}': 'fields.{field}' },
        captures: { series: 'series' },
        time: 'time',
        nothing: 'filter',
      },
    ],
  },
  telegraf_json: {
    about: 'Telegraf in JSON, one metric per message; a key per host and the `tags` that are named',
    base: 'telegraf',
    // https://github.com/influxdata/telegraf/tree/master/plugins/serializers/json
    sources: ({ name, at, tags }) => [
      {
        name,
        topic: at('#'),
        format: 'json',
        key: ['{host}', ...tags.map((tag) => `{tag_${tag}}`)].join('/'),
        fields: { '{measurement}_{field}': 'fields.{field}' },
        captures: {
          ...{ measurement: 'name', host: 'tags.host' },
          ...Object.fromEntries(tags.map((tag) => [`tag_${tag}`, { path: `tags.${tag}`, absent: '-' }])),
        },
        time: 'timestamp',
        nothing: 'filter',
      },
    ],
  },
  senml: {
    about: 'SenML (RFC 8428), JSON or CBOR; a key per topic',
    base: 'senml',
    sources: ({ name, at }) => [
      {
        name,
        topic: at('{device#}'),
        format: 'senml',
        key: '{device}',
        fields: { '{name}': 'v' },
        captures: { name: 'name' },
        time: 't',
        nothing: 'filter',
      },
    ],
  },
  aws_shadow: {
    about: 'AWS IoT device shadows, classic and named: what things report',
    base: '$aws/things',
    // https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html
    sources: ({ name, at }) =>
      [
        { name, topic: at('{thing}/shadow/update/accepted'), key: '{thing}' },
        { name: `${name} named`, topic: at('{thing}/shadow/name/{shadow}/update/accepted'), key: '{thing}/{shadow}' },
      ].map((source) => ({
        ...source,
        fields: nested('state.reported.'),
        time: { path: 'timestamp', absent: 'arrival' },
        nothing: 'filter',
      })),
  },
  theengs: {
    about: 'Theengs Gateway and OpenMQTTGateway: decoded Bluetooth advertisements',
    base: 'home',
    // https://gateway.theengs.io/use/use.html; ids and raw data may look like numbers
    sources: ({ name, at }) => [
      {
        name,
        topic: at('{gateway}/BTtoMQTT/{device}'),
        key: '{device}',
        fields: {
          '{field}': {
            path: '{field}',
            except: [
              ...['id', 'mac', 'name', 'mfid', 'manufacturerdata', 'servicedata', 'servicedatauuid', 'uuid', 'time'],
              ...['brand', 'model', 'model_id', 'mac_type', 'type', 'cidc', 'acts', 'cont', 'track', 'encr', 'device'],
            ],
          },
        },
        nothing: 'filter',
      },
    ],
  },
  home_assistant: {
    about:
      'What is announced to Home Assistant: topics, paths, units and words taken from its discovery while the agent runs',
    base: 'homeassistant',
    // https://www.home-assistant.io/integrations/mqtt/#discovery-topic: <prefix>/<component>/[<node_id>/]<object_id>/config
    sources: ({ name, at }) => [
      { name, topic: at('+/+/config'), announces: 'home_assistant' },
      { name: `${name} node`, topic: at('+/+/+/config'), announces: 'home_assistant' },
    ],
  },
  homie: {
    about: 'The Homie convention, versions 3 to 5: a topic per property',
    base: 'homie',
    // https://homieiot.github.io/specification/; levels that begin with $ are attributes
    sources: ({ name, at }) =>
      [
        { name: `${name} 5`, topic: at('5/{device}/{node}/{property}') },
        {
          name,
          topic: at('{device}/{node}/{property}'),
          except: [
            at('5/#'),
            ...['$fw', '$implementation', '$stats', '$extensions'].map((node) => at(`+/${node}/+`)),
            ...['$name', '$type', '$properties', '$array', '$state'].map((property) => at(`+/+/${property}`)),
          ],
        },
      ].map((source) => ({
        ...source,
        format: 'number',
        key: '{device}',
        fields: { '{node}_{property}': '' },
        nothing: 'filter',
      })),
  },
  per_field: {
    about: 'A topic per device and field, the payload its value',
    base: 'sensors',
    sources: ({ name, at }) => [
      {
        name,
        topic: at('{device}/{field}'),
        format: 'number',
        key: '{device}',
        fields: { '{field}': '' },
        nothing: 'filter',
      },
    ],
  },
};

/** The plain sources that a preset stands for. */
export function expandPreset(preset: string, { name, base, zone, tags }: PresetOptions): PlainSource[] {
  const { base: usual, sources } = PRESETS[preset] as Preset;
  const front = base ?? usual;
  return sources({ name, at: (topic) => (front === '' ? topic : `${front}/${topic}`), zone, tags });
}

/** Sources as a configuration file has them. */
export function sourcesAsYaml(sources: readonly PlainSource[]): string {
  return stringify({ sources }, { lineWidth: 0, aliasDuplicateObjects: false });
}
