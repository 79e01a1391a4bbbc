import { describe, expect, it } from 'vitest';
import { announcedSources, entities } from './home_assistant.ts';

const announce = (topic: string, ...configs: unknown[]) => ({
  topic: `homeassistant/${topic}/config`,
  samples: configs.map((config) => Buffer.from(typeof config === 'string' ? config : JSON.stringify(config))),
  live: 0,
});
/** As it stands there. */
const plain = { scale: 1, offset: 0, id: expect.any(String) };
const dev = { dev: { ids: ['0x1'], name: 'Plug' } };

describe('what Home Assistant is told of', () => {
  it('an_entity_has_topic_path_unit_and_device_in_full_or_abbreviated', () => {
    const long = {
      state_topic: 'a/b',
      value_template: "{{ value_json['x y'].z | float }}",
      unit_of_measurement: 'W',
      device: { identifiers: 'i' },
    };
    const short = { '~': 'a', stat_t: '~/b', val_tpl: '{{ value_json.v[0] | round(1) }}', unit_of_meas: 'V', ...dev };
    expect(entities([announce('sensor/l', long), announce('sensor/n/s', short)]).entities).toEqual([
      { topic: 'a/b', path: "['x y'].z", field: 'z', unit: 'W', device: 'i', values: null, ...plain },
      { topic: 'a/b', path: 'v[0]', field: expect.any(String), unit: 'V', device: 'Plug', values: null, ...plain },
    ]);
  });

  it('a_template_of_many_filters_that_is_none_after_all_is_refused_at_once', () => {
    const filters = '|round    '.repeat(200);
    const config = (template: string) => ({ stat_t: 'a/b', name: 'v', val_tpl: template });
    const heard = entities([
      announce('sensor/a', config(`{{ value_json.v ${filters}x }}`)),
      announce('sensor/b', config(`{{ value ${filters}x }}`)),
      announce('sensor/c', config(`{{ value_json.v ${filters}| round ( 2 ) | float}}`)),
    ]);
    expect(heard.notRead).toHaveLength(2);
    expect(heard.entities.map(({ path }) => path)).toEqual(['v']);
  });

  it('a_template_that_is_long_or_deep_is_refused_at_once', () => {
    const templates = [
      `{{ ${'('.repeat(2000)}value }}`,
      `{{ value ${'+ 1'.repeat(2000)} }}`,
      `{{ ${'-'.repeat(5000)}value }}`,
    ];
    for (const val_tpl of templates) {
      expect(entities([announce('sensor/a', { stat_t: 'a/b', name: 'v', val_tpl })]).notRead).toHaveLength(1);
    }
  });

  it('a_hundred_thousand_entities_are_read_in_one_go', () => {
    const cmps = (topic: string) =>
      Array.from({ length: 500 }, (_, n) => [n, { p: 'sensor', stat_t: topic, val_tpl: `{{ value_json.f${n} }}` }]);
    const heard = Array.from({ length: 200 }, (_, n) =>
      announce(`device/d${n}`, { cmps: Object.fromEntries(cmps(`t/${n}`)) }),
    );
    expect(announcedSources(entities(heard).entities)).toHaveLength(200);
  });

  it('the_newest_configuration_counts_and_an_empty_one_takes_the_entity_away', () => {
    const config = (topic: string) => ({ stat_t: topic, name: 'v' });
    const heard = entities([announce('sensor/a', config('old'), config('new')), announce('sensor/b', config('x'), '')]);
    expect(heard.entities.map(({ topic }) => topic)).toEqual(['new']);
    expect(heard.announcing).toHaveLength(2);
  });

  it('all_entities_of_a_device_may_stand_in_one_configuration', () => {
    const device = {
      ...{ ...dev, o: { name: 'x' }, stat_t: 'plug/state' },
      cmps: {
        power: { p: 'sensor', val_tpl: '{{ value_json.power }}', unit_of_meas: 'W' },
        relay: { p: 'switch', val_tpl: '{{ value_json.relay }}', stat_on: 'closed', stat_off: 'open' },
        restart: { p: 'button', cmd_t: 'plug/restart' },
      },
    };
    expect(entities([announce('device/0x1', device)]).entities).toEqual([
      { topic: 'plug/state', path: 'power', field: 'power', unit: 'W', device: 'Plug', values: null, ...plain },
      {
        topic: 'plug/state',
        path: 'relay',
        field: 'relay',
        unit: null,
        device: 'Plug',
        values: { closed: 1, open: 0 },
        ...plain,
      },
    ]);
  });

  it('paths_that_end_alike_are_told_apart', () => {
    const at = (path: string) => ({ stat_t: 't', val_tpl: `{{ value_json.${path} }}` });
    const { entities: found } = entities([announce('sensor/a', at('in.temp')), announce('sensor/b', at('out.temp'))]);
    expect(found.map(({ field }) => field)).toEqual(['in_temp', 'out_temp']);
  });

  it.each([
    [{ stat_t: 't', val_tpl: '{{ value_json.t * value_json.u }}' }, 'does more than read a value'],
    [{ stat_t: 't/+/x' }, 'has a wildcard'],
  ])('%j_is_listed_with_why_it_is_not_read', (config, why) => {
    const { notRead, entities: found } = entities([announce('sensor/a', config)]);
    expect(found).toEqual([]);
    expect(notRead).toEqual([{ topic: 'homeassistant/sensor/a/config', why: expect.stringContaining(why) }]);
  });

  it.each([
    ['{{ value_json.t * 9 / 5 + 32 }}', 't', 1.8, 32],
    ['{{ 100 - value_json.t }}', 't', -1, 100],
    ['{{ (value_json.t | float - 32) * 5 / 9 }}', 't', 5 / 9, -160 / 9],
    ['{{ value_json.t + 2 * 3 }}', 't', 1, 6],
    ["{{ (value_json['a b'].t | int / 1000) | round(2) }}", "['a b'].t", 1e-3, 0],
    ['{{ value_json.t | multiply(0.1) | add(2) | round(1) }}', 't', 0.1, 2],
    ['{{ value | float * -2 }}', '', -2, 0],
    ['{{value_json.t|is_defined}}', 't', 1, 0],
    ['{{ ((value_json.t)) }}', 't', 1, 0],
  ])('%s_is_a_number_on_another_scale', (template, path, scale, offset) => {
    const [entity] = entities([announce('sensor/a', { stat_t: 't', name: 'n', val_tpl: template })]).entities;
    expect(entity).toMatchObject({ path });
    expect(entity?.scale).toBeCloseTo(scale, 12);
    expect(entity?.offset).toBeCloseTo(offset, 12);
  });

  it('one_number_on_several_scales_is_a_field_for_each', () => {
    const at = (val_tpl: string) => ({ stat_t: 't', val_tpl });
    const cmps = {
      psi: at('{{ value_json.bar * 14.5 }}'),
      p: at('{{ value_json.bar }}'),
      q: at('{{ value_json.bar }}'),
    };
    const parts = Object.entries(cmps).map(([name, config]) => announce(`sensor/${name}`, { ...config, obj_id: name }));
    expect(entities(parts).entities.map(({ field, scale }) => [field, scale])).toEqual([
      ['psi', 14.5],
      ['bar', 1],
      ['bar', 1],
    ]);
  });

  it('a_scale_and_a_unit_are_one_contract', () => {
    const config = { stat_t: 't', val_tpl: '{{ value_json.t / 10 }}', unit_of_meas: '°F' };
    const [source] = announcedSources(entities([announce('sensor/a', config)]).entities);
    const [field = { scale: 0, offset: 0 }] = Object.values(source?.fields ?? {}) as {
      scale: number;
      offset: number;
    }[];
    expect(680 * field.scale + field.offset).toBeCloseTo(20, 12);
  });

  it.each([
    '{{ value_json.t * 0 }}',
    '{{ value_json.t / 0 }}',
    '{{ 1 / value_json.t }}',
    '{{ value_json.t - value_json.t }}',
    '{{ 7 }}',
    '{{ }}',
    '{{ value_json.t',
    '{{ value_json.t | timestamp_local }}',
    '{{ value_json.t | multiply() }}',
    "{{ 'ON' if value_json.t > 3 else 'OFF' }}",
    '{% if value_json.t %}1{% endif %}',
  ])('%s_is_not_read', (template) => {
    const heard = entities([announce('sensor/a', { stat_t: 't', name: 'n', val_tpl: template })]);
    expect(heard.entities).toEqual([]);
    expect(heard.notRead).toHaveLength(1);
  });

  it.each(['{', '[]', 'null', '7', '{"stat_t":7}', '{"cmps":7}', '{"cmps":{"a":null}}', '{"dev":[]}'])(
    'any_payload_is_taken_or_passed_over: %s',
    (payload) => {
      expect(entities([announce('device/a', payload), announce('sensor/a', payload)]).entities).toEqual([]);
    },
  );
});
