import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfig } from './config_parse.ts';
import { loadCore } from './core.ts';
import { featureParts } from './features.ts';
import { compilePlan } from './plan.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
writeFileSync(join(directory, 'rooms.yaml'), 'r2: { area: 12, floor: }\nr1: { area: 20.5 }\n');

const tables: Record<string, string> = {
  'rooms.csv': 'room;area;floor\r\nr2;12;\r\nr1;20.5;"  "\r\n',
  'word.csv': 'room,area\nr1,20.5\nr2,big\n',
  'twice.csv': 'room,area\nr1,1\nr1,2\n',
  'wide.csv': 'room,area\nr1,1,2\n',
  'same.csv': 'room,area,area\nr1,1,2\n',
  'narrow.csv': 'room\nr1\n',
};
for (const [name, text] of Object.entries(tables)) writeFileSync(join(directory, name), text);

const yaml = (more: string, features = '[air, time.hour]'): string => `
sources:
  - { name: s, topic: "b/{room}", fields: { x: x, y: y, "odd.name": z }, derived: { size: "sqrt(x^2 + y^2)", twice: "2 * size" } }
lookups: [{ name: rooms, file: rooms.yaml }]
windows: [{ name: m, every: 1m, of: [x], stats: [mean] }]
features:
  - name: air
    owner: me
    features: [x, { feature: size.rate, unit: m/h, description: how fast }, m.x.p95, lookup.rooms.area]
tasks:
  - { name: t, forecast: x, horizon: 1m, features: ${features} }
${more}`;

const parse = (text: string) => parseConfig(text, join(directory, 'gateway.yaml'));

describe('features in a configuration', () => {
  it('are named sets that tasks name, over derived fields and tables, and open in the core', async () => {
    const config = parse(yaml(''));
    expect(config.tasks[0]?.features).toEqual(['x', 'size.rate', 'm.x.p95', 'lookup.rooms.area', 'time.hour']);
    expect(config.tasks[0]?.featureSets).toEqual(['air']);
    expect(config.featureSets[0]?.features[1]).toEqual({ name: 'size.rate', unit: 'm/h', description: 'how fast' });
    expect(config.lookups[0]).toEqual({
      name: 'rooms',
      columns: ['area', 'floor'],
      rows: [
        { key: 'r1', values: [20.5, null] },
        { key: 'r2', values: [12, null] },
      ],
    });
    const engine = (await loadCore()).newEngine();
    engine.open(compilePlan(config));
    expect(engine.report().tasks[0]?.features).toEqual(config.tasks[0]?.features);
  });

  it('a table may be CSV', () => {
    expect(parse(yaml('').replace('rooms.yaml', 'rooms.csv')).lookups).toEqual(parse(yaml('')).lookups);
  });

  it.each([
    ['word.csv', /word\.csv:3: "big" in the column area; expected a number, or nothing/],
    ['twice.csv', /twice\.csv:3: the key "r1", which line 2 has too/],
    ['wide.csv', /wide\.csv:2: 3 cells; expected 2, as in the first line/],
    ['same.csv', /same\.csv:1: a second column named "area"/],
    ['narrow.csv', /narrow\.csv:1: a table without columns/],
  ])('refuse the table %s', (file, message) => {
    expect(() => parse(yaml('').replace('rooms.yaml', file))).toThrow(message);
  });

  it('take nothing from a plan that has none of it', () => {
    const plain = 'sources: [{ topic: t }]\n';
    expect(String(compilePlan(parse(plain)))).not.toMatch(/derived|lookups|forward/);
  });

  it.each([
    ['an unknown field', yaml('', '[z]'), /gateway\.yaml:11:\d+: .*there is not the field "z"/],
    ['an unknown kind', yaml('', '[x.lga1]'), /there is not what "x\.lga1" is/],
    ['a lag that is too long', yaml('', '[x.lag17]'), /there is not what "x\.lag17" is/],
    ['an unknown table', yaml('', '[lookup.floors.area]'), /there is not the lookup "floors"/],
    ['an unknown column', yaml('', '[lookup.rooms.colour]'), /there is not its column "colour"/],
    ['a list of a window', yaml('', '[m.x.top_3]'), /there is not what "m\.x\.top_3" is/],
    ['a field that the window does not cover', yaml('', '[m.y.mean]'), /there is not what "m\.y\.mean" is/],
    ['an expression that is none', yaml('').replace('2 * size', '2 * (size'), /at its column 10: `\)` is missing/],
    ['an expression of nothing', yaml('').replace('2 * size', '2 * 3'), /names no field/],
    ['an expression over what is not there', yaml('').replace('2 * size', '2 * sise'), /names sise.*size perhaps/],
    ['a derived field named like another', yaml('').replace('twice:', 'y:'), /a second field "y"/],
    ['a set named like a field', yaml('').replace('name: air', 'name: x'), /a set named like the field x/],
    [
      'a table that is not there',
      yaml('').replace('rooms.yaml', 'none.yaml'),
      /none\.yaml: cannot read the table \(ENOENT\)/,
    ],
    ['a table with text', yaml('').replace('rooms.yaml', 'gateway.yaml'), /ENOENT/],
  ])('refuse %s', (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });

  it('say what their names mean', () => {
    const config = parse(yaml(''));
    expect(featureParts('odd.name', config)).toEqual({ kind: 'last', field: 'odd.name' });
    expect(featureParts('x@out.side', config)).toEqual({ kind: 'at', field: 'x', key: 'out.side' });
    expect(featureParts('x.diff3', config)).toEqual({ kind: 'diff', field: 'x', back: 3 });
    expect(featureParts('odd.name.age', config)).toEqual({ kind: 'age', field: 'odd.name' });
  });
});
