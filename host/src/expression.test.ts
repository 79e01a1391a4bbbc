import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadCore } from './core.ts';
import { checkExpression } from './expression.ts';

describe('an expression', () => {
  it('has names, each once', () => {
    expect(checkExpression('sqrt(x^2 + `my field`*x)')).toEqual({ names: ['x', 'my field'] });
    expect(checkExpression('1 + .5e-3')).toEqual({ names: [] });
  });

  it.each([
    ['sqrt(x', '`)` is missing', 7],
    ['2 * sqroot(x)', 'no function is called "sqroot"', 5],
    ['x + ', 'it ends where a value was expected', 5],
    ['x y', '"y" where it should end', 3],
    ['max(x)', 'max takes 2 arguments', 6],
    ['sqrt(x, 1)', 'sqrt takes 1 argument', 7],
    ['1e999', '1e999 is no number', 1],
    ['a < b < c', '"<" where it should end', 7],
    ['x + `y', 'a ` without its other', 5],
    [`${'('.repeat(40)}1`, 'more than 32 levels', 34],
  ])('is refused with its column: %s', (text, wrong, column) => {
    expect(checkExpression(text)).toEqual({ wrong, column });
  });

  it('is taken here exactly when the core takes it', async () => {
    const engine = (await loadCore()).newEngine();
    const taken = (expression: string): boolean => {
      const source = {
        ...{ name: 's', topic: 't', door: null, format: 'json', key: 'k', fields: [{ name: 'a', path: 'a' }] },
        ...{ time: null, seq: null, derived: [{ name: 'd', expression }] },
        ...{ lateness_ms: 0, clock_skew_max_ms: 0, idle_ms: 0 },
      };
      const limits = { keys: 1, fields: 9, pending_per_key: 1, payload_bytes: 9, classes: 2 };
      const plan = { plan: 1, gateway: 'g', limits, sources: [source], windows: [], tasks: [] };
      try {
        engine.open(Buffer.from(JSON.stringify(plan)));
        return true;
      } catch {
        return false;
      }
    };
    expect(taken('a + 1')).toBe(true);
    const piece = fc.constantFrom(
      ...[
        'a',
        'b1',
        '_c',
        '`d e`',
        '1',
        '2.5',
        '.5',
        '1e3',
        '1e',
        '.',
        '(',
        ')',
        ',',
        '+',
        '-',
        '*',
        '/',
        '%',
        '^',
        '!',
      ],
      ...['<', '<=', '==', '!=', '&&', '||', '&', '=', ' ', '\t', 'sqrt(', 'max(', 'if(', 'nope(', '`', 'é', '\n'],
    );
    const texts = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(texts, (text) => {
        expect('names' in checkExpression(text), JSON.stringify(text)).toBe(taken(text));
      }),
      { numRuns: 3000 },
    );
  });
});
