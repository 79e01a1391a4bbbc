import { parseConfig } from '@rivulet/host';
import { expect, test } from 'vitest';
import { asDot, asMermaid, asText, catalogue, contentHash, lineage } from './catalogue.ts';

const config = parseConfig(
  `sources: [{ name: s, topic: t, fields: { x: x, 'say "y"': y }, derived: { z: "2 * x" } }]
windows: [{ name: m, every: 1m, of: [x], stats: [mean] }]
features: [{ name: set, owner: me, features: [z, { feature: m.x.mean, unit: m }] }]
tasks:
  - { name: named, forecast: x, horizon: 1m, features: [set, 'say "y"'] }
  - { name: automatic, forecast: x, horizon: 1m }
`,
  'x.yaml',
);

test('a catalogue has named sets, what tasks name beside them, and what was settled', () => {
  const [set, own, automatic] = catalogue(config);
  expect(set).toMatchObject({ name: 'set', owner: 'me', tasks: ['named'] });
  expect(set?.features[1]).toEqual({
    ...{ feature: 'm.x.mean', meaning: 'mean of x in the m closed last', unit: 'm', description: '' },
  });
  expect(own).toMatchObject({ name: 'named', features: [{ feature: 'say "y"' }] });
  expect(automatic).toMatchObject({ hash: '', features: [], description: 'automatic: not settled yet' });
  const settled = catalogue(config, new Map([['automatic', ['x', 'x.delta']]]))[2];
  expect(settled).toMatchObject({ features: [{ feature: 'x' }, { feature: 'x.delta' }], description: 'automatic' });
  expect(settled?.hash).toMatch(/^[0-9a-f]{64}$/);
});

test('the content hash changes with what the names refer to, and with nothing else', () => {
  const [window] = config.windows;
  if (window === undefined) throw new Error('no window');
  const longer = { ...config, windows: [{ ...window, latenessMs: window.latenessMs + 1 }] };
  expect(contentHash(longer, ['m.x.mean'])).not.toBe(contentHash(config, ['m.x.mean']));
  expect(contentHash(longer, ['x'])).toBe(contentHash(config, ['x']));
  const [source] = config.sources;
  if (source === undefined) throw new Error('no source');
  const other = { ...config, sources: [{ ...source, derived: [{ name: 'z', expression: '3 * x' }] }] };
  expect(contentHash(other, ['z.rate'])).not.toBe(contentHash(config, ['z.rate']));
  expect(contentHash(other, ['x'])).toBe(contentHash(config, ['x']));
});

test('the lineage leads from sources over fields, windows and sets to tasks, whatever is in the names', () => {
  const graph = lineage(config, new Map(config.tasks.map(({ name, features }) => [name, features])));
  expect(asText(graph)).toBe(
    [
      'task named',
      '  set set',
      '    feature z',
      '      field z',
      '        source s',
      '    feature m.x.mean',
      '      window m',
      '        field x',
      '          source s',
      '  feature say "y"',
      '    field say "y"',
      '      source s',
    ].join('\n'),
  );
  expect(asDot(graph)).toContain('"field say \\"y\\"" -> "feature say \\"y\\"";');
  expect(asMermaid(graph)).toContain('["say #quot;y#quot;"]');
});
