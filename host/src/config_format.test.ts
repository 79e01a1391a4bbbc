import { describe, expect, test } from 'vitest';
import { parseConfig } from './config_parse.ts';

function source(yaml: string) {
  const found = parseConfig(`sources: [${yaml}]`, 'x').sources[0];
  if (found === undefined) throw new Error('no source');
  return found;
}

describe('formats', () => {
  test('a_format_brings_the_paths_that_its_payloads_have', () => {
    expect(source('{ topic: "a/{site}", format: influx, captures: { host: tags.host } }')).toMatchObject({
      format: { influx: { precision: 'ns' } },
      key: '{site}/{host}',
      fields: [{ name: '{field}', path: 'fields.{field}' }],
      time: 'time',
    });
    expect(source('{ topic: a, format: senml }')).toMatchObject({
      fields: [{ name: '{name}', path: 'v' }],
      captures: [{ name: 'name', path: 'name' }],
      time: 't',
      key: 'a',
    });
    const binary = '{ topic: a, format: { binary: { values: { t: { at: 1, type: i16, scale: 0.1 } } } } }';
    expect(source(binary)).toMatchObject({
      format: {
        binary: {
          length: 3,
          values: [{ name: 't', at: 1, type: 'i16', endian: 'big', bits: [], scale: 0.1, add: 0 }],
        },
      },
      fields: [{ name: 't', path: "['t']" }],
    });
  });

  test('a_source_about_several_devices_is_keyed_by_what_it_captures', () => {
    expect(source('{ topic: "g/{site}", fields: { temp: "devices.{dev}.temp" }, time: ts }').key).toBe('{site}/{dev}');
    expect(source('{ topic: g, captures: { id: id, kind: k }, fields: { "{kind}": v } }').key).toBe('{id}');
  });

  test.each([
    ['{ topic: a, format: xml }', 'one of auto'],
    ['{ topic: a, format: { csv: {}, influx: {} } }', 'one of influx'],
    ['{ topic: a, format: { csv: { separator: "é" } }, fields: { t: "[0]" } }', 'one character'],
    ['{ topic: a, format: { csv: { columns: [a, a] } }, fields: { t: a } }', 'second column'],
    ['{ topic: a, format: { csv: { columns: [a] } }, fields: { t: b } }', 'one of a'],
    ['{ topic: a, format: { binary: { values: { t: { at: 0, type: f16 } } } } }', 'one of u8'],
    ['{ topic: a, format: { binary: { values: { t: { at: 0, type: u8, bits: [7, 2] } } } } }', 'from 1 to 1'],
    ['{ topic: a, format: { binary: { length: 1, values: { t: { at: 0, type: u16 } } } } }', 'from 2 to'],
    ['{ topic: a, format: { binary: { values: { t: { at: 0, type: u8 } } } }, fields: { x: y } }', 'one of t'],
    ['{ topic: a, fields: { t: "d.{dev}.t", u: u }, key: "{dev}" }', '{dev}'],
    ['{ topic: "{dev}", fields: { t: "d.{dev}.t" } }', 'both capture'],
    ['{ topic: a, fields: { t: t }, time: "*.ts" }', 'further in'],
  ])('%s_is_refused_with_%s', (yaml, says) => {
    expect(() => source(yaml)).toThrow(says);
  });
});
