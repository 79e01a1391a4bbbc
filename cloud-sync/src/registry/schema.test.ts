import { describe, expect, it } from 'vitest';
import { parseSchema } from './schema.ts';

const GOOD = { task: 't', kind: 'forecast', target: 'x', horizon_ms: 60_000, features: ['x', 'x.lag1'] };

describe('a schema', () => {
  it('is read', () => {
    expect(parseSchema(JSON.stringify(GOOD))).toEqual({
      task: 't',
      kind: 'forecast',
      target: 'x',
      horizonMs: 60_000,
      features: ['x', 'x.lag1'],
    });
  });

  it.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['null', 'null'],
    ['an unknown kind', JSON.stringify({ ...GOOD, kind: 'ranking' })],
    ['an unknown key', JSON.stringify({ ...GOOD, weights: [1] })],
    ['definitions that are no hash', JSON.stringify({ ...GOOD, definitions: 'abc' })],
    ['no features', JSON.stringify({ ...GOOD, features: [] })],
    ['features that are no names', JSON.stringify({ ...GOOD, features: [1] })],
    ['too many features', JSON.stringify({ ...GOOD, features: new Array(1_025).fill('x') })],
    ['no task', JSON.stringify({ ...GOOD, task: '' })],
    ['a negative horizon', JSON.stringify({ ...GOOD, horizon_ms: -1 })],
  ])('is refused, never guessed, with %s', (_, text) => {
    expect(() => parseSchema(text)).toThrow(expect.objectContaining({ code: 'RIV_SCHEMA_MISMATCH' }));
  });
});
