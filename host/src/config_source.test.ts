import { describe, expect, test } from 'vitest';
import { BLOCK_PAYLOAD_BYTES_MAX } from './block.ts';
import type { SourceConfig } from './config.ts';
import { parseConfig } from './config_parse.ts';
import { compilePlan } from './plan.ts';

function sources(yaml: string): SourceConfig[] {
  return parseConfig(`gateway: g\nsources: [${yaml}]`, 'rivulet.yaml').sources;
}

describe('a source', () => {
  test('says_what_absence_means_and_what_is_passed_over', () => {
    const [source] = sources(
      '{ topic: "z/{dev#}", except: [z/bridge/#], fields: { "{f}": { path: "{f}", except: [id] }, snr: { path: a.snr, absent: 0 } }, time: { path: ts, absent: arrival, zone: "+01:00" }, seq: { path: n, absent: 0 }, nothing: filter }',
    );
    expect(source).toMatchObject({
      ...{ topic: 'z/{dev#}', except: ['z/bridge/#'], key: '{dev}', nothing: 'filter' },
      fields: [
        { name: '{f}', path: '{f}', absent: null, except: ['id'], sense: null },
        { name: 'snr', path: 'a.snr', absent: 0, except: [], sense: null },
      ],
      ...{ time: 'ts', timeAbsent: 'arrival', zone: [[0, 60]], seq: 'n', seqAbsent: 0 },
    });
  });

  test('repeats_are_told_by_event_time_where_the_source_asks_for_it_and_only_then_the_plan_says_so', () => {
    const plan = (more: string) =>
      String(compilePlan(parseConfig(`gateway: g\nsources: [{ topic: a, time: ts${more} }]`, 'x')));
    expect(plan(', repeats: event_time')).toContain('"seq":null,"repeats":"event_time","lateness_ms"');
    expect(plan(', repeats: marked')).toBe(plan(''));
  });

  test('a_preset_stands_for_its_plain_sources_and_takes_what_is_said_beside_it', () => {
    const found = sources(
      '{ preset: tasmota, base: flat, idle: 5s, lateness: 1m }, { preset: tasmota, name: yard, base: yard }',
    );
    expect(found.map(({ name, topic }) => [name, topic])).toEqual([
      ['tasmota', 'flat/tele/{device}/SENSOR'],
      ['tasmota state', 'flat/tele/{device}/STATE'],
      ['yard', 'yard/tele/{device}/SENSOR'],
      ['yard state', 'yard/tele/{device}/STATE'],
    ]);
    expect(found[1]).toMatchObject({ idleMs: 5000, latenessMs: 60_000 });
  });

  test('a_condition_may_ask_for_fields_of_other_sources_of_the_same_key', () => {
    const found = sources(
      '{ topic: "a/{k}", fields: { t: t }, where: "door == 1 && t < 50" }, { topic: "d/{k}", fields: { door: d } }',
    );
    expect(found.map(({ where }) => where)).toEqual(['door == 1 && t < 50', null]);
  });

  test('a_contract_says_what_a_sensor_can_measure_and_what_is_done_about_the_rest', () => {
    const [source] = sources(
      '{ topic: a, fields: { t: { path: t, range: [-40, 60], rate_max: 5/min, stuck_after: 1h, on_violation: flag }, h: { path: h, rate_max: 2.5 / 90s, stuck_after: 100 } }, derived: { good: "t_quality + t * 0" } }',
    );
    expect(source?.fields.map(({ sense }) => sense)).toEqual([
      {
        ...{ words: [], linear: [], range: [-40, 60], onViolation: 'flag' },
        ...{ rateMax: { change: 5, perMs: 60_000 }, stuckAfter: { ms: 3_600_000 } },
      },
      {
        ...{ words: [], linear: [], range: [], onViolation: null },
        ...{ rateMax: { change: 2.5, perMs: 90_000 }, stuckAfter: { readings: 100 } },
      },
    ]);
  });

  test.each([
    ['{ preset: zigbee }', 'zigbee2mqtt'],
    ['{ topic: a, repeats: event_time }', '`time` in this source'],
    ['{ topic: a, time: ts, seq: n, repeats: event_time }', '`repeats` beside `seq`'],
    ['{ topic: a, time: ts, repeats: content }', 'one of marked, event_time'],
    ['{ preset: tasmota, topic: a }', 'unknown key `topic`'],
    ['{ preset: tasmota, base: "a/#" }', 'without wildcards'],
    ['{ preset: tasmota, zone: Mars/Olympus }', 'Europe/Berlin'],
    ['{ preset: tasmota }, { preset: tasmota }', 'a second source named "tasmota"'],
    ['{ preset: tasmota, door: broker }', 'one of mqtt'],
    ['{ topic: a, time: { path: t, absent: never } }', 'arrival'],
    ['{ topic: a, time: { absent: arrival } }', '`path`'],
    ['{ topic: a, seq: { path: n, absent: -1 } }', 'whole number'],
    ['{ topic: a, fields: { t: { path: t, except: [x] } } }', 'a wildcard'],
    ['{ topic: a, fields: { t: { path: t, default: 0 } } }', 'unknown key `default`'],
    ['{ topic: a, except: ["a/#/b"] }', 'must be the last level'],
    ['{ topic: a, fields: { t: { path: t, unit: "°F → K" } } }', '°F'],
    ['{ topic: a, fields: { t: { path: t, unit: "°F → °C", scale: 2 } } }', 'one of them'],
    ['{ topic: a, fields: { t: { path: t, scale: 0 } } }', 'another factor'],
    ['{ topic: a, fields: { t: { path: t, range: [2, 1] } } }', 'no range'],
    ['{ topic: a, fields: { t: { path: t, values: { ON: high } } } }', 'a number'],
    ['{ topic: a, fields: { t: { path: t, rate_max: 5 } } }', 'such as 5/min'],
    ['{ topic: a, fields: { t: { path: t, rate_max: 5/0s } } }', 'such as 5/min'],
    ['{ topic: a, fields: { t: { path: t, stuck_after: 0 } } }', 'stuck_after'],
    ['{ topic: a, fields: { t: { path: t, on_violation: flag } } }', 'range, rate_max or stuck_after'],
    ['{ topic: a, fields: { t: { path: t, range: [0, 1], on_violation: ignore } } }', 'one of quarantine, flag, drop'],
    ['{ topic: a, fields: { t: { path: t, range: [0, 1] } }, derived: { g: t_quality } }', 't_quality'],
    ['{ topic: a, where: "b >" }', 'column 4'],
    ['{ topic: a, fields: { temp: t }, where: "tmep > 1" }', 'temp perhaps'],
    ['{ topic: a, captures: { dev: { path: d, absent: "a/b" } }, key: "{dev}" }', 'without /, + and #'],
    ['{ preset: tasmota, tags: [cpu] }', 'it is for telegraf_json'],
    ['{ topic: a, nothing: drop }', 'one of quarantine, filter'],
  ])('%s_is_refused_with_%s', (yaml, says) => {
    expect(() => sources(yaml)).toThrow(says);
  });
});

describe('sources that were announced', () => {
  const announce = (topic: string, config: unknown) => ({
    topic: `homeassistant/${topic}/config`,
    samples: [Buffer.from(JSON.stringify(config))],
  });
  const parse = (sources: string, ...announced: ReturnType<typeof announce>[]) =>
    parseConfig(`gateway: g\nsources:\n${sources}`, 'x', null, announced);
  const PRESET = '  - { preset: home_assistant, lateness: 3s }';
  const dev = { device: { name: 'Oven' } };

  test('have_topic_paths_words_and_one_unit_for_each_quantity', () => {
    const { sources } = parse(
      PRESET,
      announce('sensor/a', { ...dev, stat_t: 'oven', val_tpl: '{{ value_json.t }}', unit_of_meas: '°F' }),
      announce('binary_sensor/o/b', { ...dev, stat_t: 'oven', val_tpl: '{{ value_json.door }}', pl_on: 'open' }),
      announce('sensor/c', { ...dev, stat_t: 'oven/power', name: 'power', unit_of_meas: 'W' }),
    );
    expect(sources.map(({ name, announces }) => [name, announces])).toEqual([
      ['home_assistant', 'home_assistant'],
      ['home_assistant node', 'home_assistant'],
      ['oven', null],
      ['oven/power', null],
    ]);
    expect(sources[2]).toMatchObject({ topic: 'oven', key: 'Oven', format: 'json', latenessMs: 3000 });
    expect(sources[2]?.fields).toMatchObject([
      { name: 't', path: 't', sense: { linear: [-32, 5, 9, 0] } },
      { name: 'door', path: 'door', sense: { words: expect.arrayContaining([{ is: 'open', means: 1 }]) } },
    ]);
    expect(sources[3]).toMatchObject({ format: 'number', fields: [{ name: 'power', path: '', sense: null }] });
  });

  test('any_field_may_be_asked_for_since_it_may_be_announced', () => {
    expect(() => parse(`${PRESET}\nwindows: [{ name: w, every: 1s, of: [temperature] }]`)).not.toThrow();
  });

  test('what_is_configured_under_the_same_name_stays_and_what_cannot_be_read_is_left_out', () => {
    const own = '  - { topic: oven, key: mine, fields: { x: y } }';
    const { sources } = parse(
      `${own}\n${PRESET}`,
      announce('sensor/a', { ...dev, stat_t: 'oven', val_tpl: '{{ value_json.t }}' }),
      announce('sensor/b', { ...dev, stat_t: 'a\u0000b', name: 'x' }),
      announce('sensor/c', { ...dev, stat_t: `${'x'.repeat(200)}/{b}`, name: 'x' }),
    );
    expect(sources.slice(3).map(({ topic, key }) => [topic, key])).toEqual([[`${'x'.repeat(200)}/+`, 'Oven']]);
    expect(sources[0]).toMatchObject({ name: 'oven', key: 'mine' });
  });

  test('what_a_gateway_announces_itself_is_not_read_back', () => {
    const { sources } = parse(PRESET, announce('sensor/a', { ...dev, stat_t: 'out', origin: { name: 'Rivulet' } }));
    expect(sources).toHaveLength(2);
  });

  test('there_are_as_many_as_the_core_follows_at_most', () => {
    const many = Array.from({ length: 1200 }, (_, n) => announce(`sensor/s${n}`, { ...dev, stat_t: `t/${n}` }));
    expect(parse(PRESET, ...many).sources).toHaveLength(1024);
  });

  test('a_plan_with_them_stays_one_block_however_often_a_long_name_is_said', () => {
    const cmps = Object.fromEntries(Array.from({ length: 900 }, (_, n) => [n, { p: 'sensor', stat_t: `t/${n}` }]));
    const config = parse(PRESET, announce('device/a', { dev: { name: 'x'.repeat(30_000) }, cmps }));
    expect(config.sources.length).toBeGreaterThan(2);
    expect(compilePlan(config).length).toBeLessThan(BLOCK_PAYLOAD_BYTES_MAX / 4);
  });
});
