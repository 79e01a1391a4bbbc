import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from './config_parse.ts';
import { RivuletError } from './errors.ts';

const minimal = 'sources: [{ topic: "t/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value } }]\n';

function refusal(yaml: string): RivuletError {
  try {
    parseConfig(yaml, 'plant.yaml', {});
  } catch (thrown) {
    if (thrown instanceof RivuletError) return thrown;
    throw thrown;
  }
  throw new Error('the configuration was accepted');
}

describe('parseConfig', () => {
  test('the_example_of_the_design_is_read_as_written', () => {
    const config = parseConfig(
      `
gateway: plant-7                      # id; default: the host's name
state: /var/lib/rivulet               # log, checkpoints, outbox, quarantine
mqtt: { url: mqtt://localhost:1883 }  # or the embedded one
sources:
  - topic: building/{room}/{sensor}   # {name} captures a level
    key: "{room}"
    fields: { "{sensor}": value }     # field ← path in the payload
    time: ts                          # path; absent: arrival time
    seq: seq
windows:
  - { name: room_5m, every: 5m, of: [temperature, co2], stats: [mean, min, max, count], lateness: 30s }
tasks:
  - { name: temp_in_30m, forecast: temperature, horizon: 30m }
  - { name: occupied, classify: { topic: "labels/{room}/occupied", path: value }, wait: 24h }
outputs:
  - { windows: room_5m, topic: "rivulet/plant-7/windows/{key}" }
  - { predictions: "*", topic: "rivulet/plant-7/{task}/{key}" }
log: { commit: 10ms, keep: 2GB }
sync: { url: https://coordinator:8787, every: 5m }
`,
      'plant.yaml',
    );
    expect(config).toMatchObject({
      gateway: 'plant-7',
      about: '',
      simulated: false,
      state: '/var/lib/rivulet',
      doors: [{ kind: 'mqtt', door: 1, url: 'mqtt://localhost:1883', qos: 1, protocol: null }],
      sources: [
        {
          name: 'building/{room}/{sensor}',
          topic: 'building/{room}/{sensor}',
          door: null,
          format: 'auto',
          key: '{room}',
          fields: [{ name: '{sensor}', path: 'value' }],
          time: 'ts',
          seq: 'seq',
          latenessMs: 10_000,
        },
      ],
      windows: [
        {
          name: 'room_5m',
          shape: { kind: 'tumbling', everyMs: 300_000 },
          of: ['temperature', 'co2'],
          stats: ['mean', 'min', 'max', 'count'],
          latenessMs: 30_000,
        },
      ],
      tasks: [
        {
          name: 'temp_in_30m',
          kind: 'forecast',
          target: 'temperature',
          horizonMs: 1_800_000,
          everyMs: 30_000,
          toleranceMs: 450_000,
          waitMs: 2_250_000,
        },
        {
          name: 'occupied',
          kind: 'classification',
          target: null,
          label: { topic: 'labels/{room}/occupied', key: '{room}', path: 'value', time: null },
          waitMs: 86_400_000,
        },
      ],
      outputs: [
        { what: 'windows', of: 'room_5m', topic: 'rivulet/plant-7/windows/{key}' },
        { what: 'predictions', of: '*', topic: 'rivulet/plant-7/{task}/{key}' },
      ],
      log: { commit: { beatMs: 10, fewMs: 10 }, keepBytes: 2e9, keepMs: null },
      checkpoint: { everyMs: 5000 },
      sync: {
        url: 'https://coordinator:8787',
        protocol: 4,
        everyMs: 300_000,
        bytesPerDay: null,
        token: null,
        tls: null,
      },
    });
  });

  test('a_budget_is_a_time_or_a_map_and_what_is_left_out_is_the_default', () => {
    const budget = (text: string) =>
      parseConfig(`sources: [{ topic: a, fields: { t: t } }]\ntasks: [{ name: a, anomaly: t${text} }]`, 'b.yaml')
        .tasks[0]?.budget;
    expect(budget('')).toBeUndefined();
    expect(budget(', budget: 1us')).toEqual({ perExampleNs: 1000, memoryBytes: 16 * 2 ** 20 });
    expect(budget(', budget: { memory: 2MB }')).toEqual({ perExampleNs: 8000, memoryBytes: 2e6 });
    for (const wrong of ['1', '0us', '5m', '{ memory: 1B }', '{ ns: 5 }']) {
      expect(() => budget(`, budget: ${wrong}`)).toThrow(
        expect.objectContaining({ code: expect.stringMatching('RIV_CONFIG_') }),
      );
    }
  });

  test('a_window_is_what_its_keys_say', () => {
    const windows = (text: string) =>
      parseConfig(`sources: [{ topic: "a/{b}" }]\nwindows: [${text}]`, 'w.yaml').windows;
    expect(
      windows(`{ name: a, size: 1h, every: 5m, stats: [p99_9, top_3] }, { name: b, gap: 10m, allowed_lateness: 1h },
        { name: c, count: 100, step: 10 }, { name: d, trigger: { count: 5, on: { field: value, value: 1 }, reset: true } },
        { name: e, size: 5m, every: 5m, trigger: { every: 10s } }`),
    ).toMatchObject([
      { shape: { kind: 'sliding', sizeMs: 3_600_000, everyMs: 300_000 }, stats: ['p99_9', 'top_3'], trigger: null },
      { shape: { kind: 'session', gapMs: 600_000 }, latenessMs: 10_000, allowedLatenessMs: 3_600_000 },
      { shape: { kind: 'count', count: 100, step: 10 }, latenessMs: 0 },
      { shape: { kind: 'global' }, trigger: { count: 5, everyMs: 0, on: { field: 'value', value: 1 }, reset: true } },
      { shape: { kind: 'tumbling', everyMs: 300_000 }, trigger: { everyMs: 10_000, on: null, reset: false } },
    ]);
    for (const wrong of [
      '{ name: a }',
      '{ name: a, every: 5m, stats: [p101] }',
      '{ name: a, size: 5m, every: 10m }',
      '{ name: a, size: 30d, every: 1s }',
      '{ name: a, gap: 5m, every: 5m }',
      '{ name: a, count: 5, step: 6 }',
      '{ name: a, count: 5, lateness: 1s }',
      '{ name: a, every: 5m, step: 5 }',
      '{ name: a, every: 5m, trigger: {} }',
      '{ name: a, every: 5m, trigger: { count: 1, reset: true } }',
      '{ name: a, size: 5m, every: 1m, trigger: { count: 1 } }',
      '{ name: a, trigger: { count: 1 }, allowed_lateness: 1m }',
      '{ name: a, every: 1s, allowed_lateness: 1h }',
    ])
      expect(() => windows(wrong), wrong).toThrow(RivuletError);
  });

  test('everything_but_the_source_has_a_default', () => {
    const config = parseConfig('sources: [{ topic: sensors/temperature }]', 'x.yaml');
    expect(config.gateway).toMatch(/^[A-Za-z0-9._-]+$/);
    expect(config.doors).toEqual([
      {
        kind: 'mqtt',
        door: 1,
        name: 'mqtt',
        url: 'mqtt://localhost:1883',
        clientId: null,
        user: null,
        password: null,
        tls: null,
        qos: 1,
        protocol: null,
        receiveMaximum: null,
        presence: `rivulet/${config.gateway}/presence`,
        staleAfterMs: null,
      },
    ]);
    expect(config.sources[0]).toMatchObject({ key: 'sensors/temperature', fields: [{ name: 'value', path: '' }] });
    expect(config.outputs.map(({ what }) => what)).toEqual(['predictions', 'alarms', 'drift']);
    expect(config.sync).toBeNull();
  });

  test('doors_are_numbered_by_their_place_in_the_file', () => {
    const both = parseConfig(`broker: { listen: 0 }\nmqtt: { url: mqtts://b:8883 }\n${minimal}`, 'x.yaml');
    expect(both.doors.map(({ kind, door }) => [kind, door])).toEqual([
      ['broker', 1],
      ['mqtt', 2],
    ]);
  });

  test('several_brokers_have_names_by_which_sources_call_them', () => {
    const config = parseConfig(
      `mqtt:
  - { name: hall, url: "mqtts://h", user: gw, password: { env: PW }, tls: { ca: ca.pem, server_name: h2 }, presence: off }
  - { name: yard, url: "mqtt://y", client_id: me, receive_maximum: 20, stale_after: 5m, user: { file: u } }
sources:
  - { topic: "$share/group/a/{b}", seq: n, door: yard }
  - { topic: c }
`,
      'x.yaml',
      { PW: 'secret' },
    );
    expect(config.doors).toMatchObject([
      {
        ...{ door: 1, name: 'hall', user: { text: 'gw' }, password: { text: 'secret' }, presence: null },
        tls: { ca: 'ca.pem', cert: null, key: null, serverName: 'h2' },
      },
      {
        door: 2,
        name: 'yard',
        clientId: 'me',
        receiveMaximum: 20,
        staleAfterMs: 300_000,
        user: { file: 'u' },
        tls: null,
      },
    ]);
    expect(config.sources).toMatchObject([
      { name: 'a/{b}', topic: 'a/{b}', share: 'group', door: 2 },
      { topic: 'c', share: null, door: null },
    ]);
  });

  test('the_embedded_broker_has_users_rights_and_limits', () => {
    const hash = `$7$101$${'A'.repeat(16)}$${'A'.repeat(86)}==`;
    const config = parseConfig(
      `broker:
  tls: { cert: c.pem, key: k.pem }
  users: [{ name: press, password: "${hash}", publish: ["a/{user}/#"] }]
  limits: { clients: 20, messages_per_second: 5, queue: 7 }
${minimal}`,
      'x.yaml',
    );
    expect(config.doors).toMatchObject([
      {
        ...{ kind: 'broker', name: 'broker', tls: { cert: 'c.pem', key: 'k.pem', ca: null }, anonymous: false },
        users: [{ name: 'press', hash: { iterations: 101 }, publish: ['a/{user}/#'], subscribe: ['#'] }],
        limits: { clients: 20, clientsPerUser: 20, messagesPerSecond: 5, queue: 7 },
      },
    ]);
  });

  test('captures_that_name_no_field_make_the_key', () => {
    const config = parseConfig('sources: [{ topic: "{site}/{room}/{sensor}", fields: { "{sensor}": v } }]', 'x.yaml');
    expect(config.sources[0]?.key).toBe('{site}/{room}');
  });

  // what is wrong → code, place, and a word of the message
  test.each([
    ['gatewy: a\n', 'RIV_CONFIG_UNKNOWN', 'plant.yaml:1:1', '`gateway` perhaps'],
    [
      `${minimal}tasks: [{ name: a, forcast: t, horizon: 1m }]\n`,
      'RIV_CONFIG_UNKNOWN',
      'plant.yaml:2:20',
      '`forecast`',
    ],
    ['gateway: a\n', 'RIV_CONFIG_MISSING', 'plant.yaml:1:1', '`sources`'],
    ['sources: []\n', 'RIV_CONFIG_MISSING', 'plant.yaml:1:10', 'at least one'],
    ['sources: [{ topic: "a/b{c}" }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:20', 'must fill its level'],
    ['sources: [{ topic: "a/#/b" }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:20', 'last level'],
    ['sources: [{ topic: a, key: "{room}" }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:28', '{room}'],
    ['sources: [{ topic: a, time: a..b }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:29', 'a path such as'],
    ['sources: [{ topic: a, lateness: 5 }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:33', 'a duration such as'],
    ['sources: [{ topic: a, format: jsn }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:31', 'did you mean json?'],
    ['sources: [{ topic: a }, { topic: a }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:25', 'a second source'],
    [
      'broker: { users: [{ name: a, password: open }] }\nsources: [{ topic: a }]\n',
      'RIV_CONFIG_VALUE',
      'plant.yaml:1:40',
      'rivulet passwd',
    ],
    ['broker: { tls: { cert: x } }\nsources: [{ topic: a }]\n', 'RIV_CONFIG_MISSING', 'plant.yaml:1:16', '`key`'],
    ['mqtt: { url: ws://x:9001 }\nsources: [{ topic: a }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:14', 'WebSockets'],
    ['mqtt: { url: mqtt://u:p@x }\nsources: [{ topic: a }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:14', '`user`'],
    ['mqtt: { tls: { ca: x } }\nsources: [{ topic: a }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:14', 'mqtts://'],
    [
      'mqtt: { url: mqtts://x, tls: { cert: x } }\nsources: [{ topic: a }]\n',
      'RIV_CONFIG_MISSING',
      'plant.yaml:1:30',
      '`key`',
    ],
    ['mqtt: { password: x }\nsources: [{ topic: a }]\n', 'RIV_CONFIG_MISSING', 'plant.yaml:1:19', '`user`'],
    [
      'mqtt: { user: { env: RIVULET_NOT_SET } }\nsources: [{ topic: a }]\n',
      'RIV_CONFIG_MISSING',
      'plant.yaml:1:22',
      'RIVULET_NOT_SET',
    ],
    [
      'mqtt: [{ name: a }, { name: a }]\nsources: [{ topic: a }]\n',
      'RIV_CONFIG_VALUE',
      'plant.yaml:1:21',
      'a second door',
    ],
    ['mqtt: [{ name: a }, { qos: 0 }]\nsources: [{ topic: a }]\n', 'RIV_CONFIG_MISSING', 'plant.yaml:1:21', '`name`'],
    [
      'mqtt: { protocol: 4, receive_maximum: 5 }\nsources: [{ topic: a }]\n',
      'RIV_CONFIG_VALUE',
      'plant.yaml:1:39',
      'MQTT 5',
    ],
    ['mqtt: { presence: a/# }\nsources: [{ topic: a }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:19', 'without wildcards'],
    ['sources: [{ topic: $share/g/a }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:20', '`seq`'],
    ['sources: [{ topic: $share/g, seq: n }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:20', 'shared subscription'],
    [
      'broker: { listen: 0 }\nsources: [{ topic: $share/g/a, seq: n }]\n',
      'RIV_CONFIG_VALUE',
      'plant.yaml:2:20',
      'embedded broker',
    ],
    ['mqtt: { url: http://x }\nsources: [{ topic: a }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:14', 'mqtt://'],
    ['sources: [{ topic: a, door: broker }]\n', 'RIV_CONFIG_VALUE', 'plant.yaml:1:29', 'one of mqtt'],
    [`${minimal}tasks: [{ name: a }]\n`, 'RIV_CONFIG_VALUE', 'plant.yaml:2:9', 'nothing to predict'],
    [`${minimal}tasks: [{ name: a, forecast: t }]\n`, 'RIV_CONFIG_MISSING', 'plant.yaml:2:9', '`horizon`'],
    [
      `${minimal}tasks: [{ name: a, forecast: t, horizon: 30d, every: 1s }]\n`,
      'RIV_CONFIG_VALUE',
      'plant.yaml:2:54',
      'pending',
    ],
    [
      `${minimal}tasks: [{ name: a, classify: { topic: labels/occupied } }]\n`,
      'RIV_CONFIG_MISSING',
      'plant.yaml:2:30',
      '`key`',
    ],
    [
      `${minimal}tasks: [{ name: a, classify: { topic: l, key: k, format: number, path: x } }]\n`,
      'RIV_CONFIG_VALUE',
      'plant.yaml:2:72',
      'the payload is the label',
    ],
    [
      `${minimal}tasks: [{ name: a, classify: { topic: l, key: k, format: sparkplug } }]\n`,
      'RIV_CONFIG_VALUE',
      'plant.yaml:2:58',
      'another format',
    ],
    [
      'sources: [{ topic: a, fields: { temp: t } }]\ntasks: [{ name: a, forecast: tmp, horizon: 1m }]\n',
      'RIV_CONFIG_VALUE',
      'plant.yaml:2:30',
      'temp perhaps',
    ],
    [`${minimal}outputs: [{ predictions: b, topic: x }]\n`, 'RIV_CONFIG_VALUE', 'plant.yaml:2:26', 'one of *'],
    [`${minimal}outputs: [{ predictions: "*", topic: x/# }]\n`, 'RIV_CONFIG_VALUE', 'plant.yaml:2:38', 'wildcards'],
    [
      'sources: [{ topic: a, format: number, fields: { t: v } }]\n',
      'RIV_CONFIG_VALUE',
      'plant.yaml:1:47',
      'one number',
    ],
    [`${minimal}windows: [{ name: w, every: 1ms }]\n`, 'RIV_CONFIG_VALUE', 'plant.yaml:2:29', 'open at once'],
    [`${minimal}log: { keep: lots }\n`, 'RIV_CONFIG_VALUE', 'plant.yaml:2:14', '2GB'],
    [`${minimal}log: { keep: [30d, 12h] }\n`, 'RIV_CONFIG_VALUE', 'plant.yaml:2:20', '[2GB, 30d]'],
    [`${minimal}log: { keep: 1ms }\n`, 'RIV_CONFIG_VALUE', 'plant.yaml:2:14', '1000ms'],
    ['a: [\n', 'RIV_CONFIG_SYNTAX', 'plant.yaml:2:1', 'Correct the YAML'],
    ['a: 1\na: 2\n', 'RIV_CONFIG_SYNTAX', 'plant.yaml:2:1', 'unique'],
    ['just text', 'RIV_CONFIG_VALUE', 'plant.yaml:1:1', 'a map with'],
    ['', 'RIV_CONFIG_VALUE', 'plant.yaml:1:1', 'empty'],
  ])('what_is_wrong_is_named_with_its_place: %j', (yaml, code, place, word) => {
    const error = refusal(yaml);
    expect(error.message).toContain(word);
    expect([error.code, error.message.split(': ')[0]]).toEqual([code, place]);
  });

  test('any_text_is_a_configuration_or_a_coded_error', () => {
    const pieces = fc.constantFrom(
      'sources',
      'topic',
      'tasks',
      ': ',
      '- ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '&a ',
      '*a',
      '!!map ',
      '? ',
      '|',
      '1e999',
      '~',
      '#',
      ',',
    );
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseConfig(text, 'x');
        } catch (thrown) {
          if (!(thrown instanceof RivuletError)) throw thrown;
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('aliases_cannot_blow_a_configuration_up', () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`).join(',')}]`)
      .join('\n')}\nsources: *j\n`;
    expect(refusal(bomb).code).toBe('RIV_CONFIG_UNKNOWN');
    expect(refusal('sources: &s [{ topic: *s }]').code).toBe('RIV_CONFIG_VALUE');
  });
});
