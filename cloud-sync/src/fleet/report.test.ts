import { describe, expect, it } from 'vitest';
import { advance, newFleet, reportOf } from '../../../test/support/fleet.ts';
import { parseReport } from './report.ts';

const LEDGER = { received: 1, used: 1 };

describe('a status report', () => {
  it('is read with everything a gateway says of itself', () => {
    const gateway = newFleet()[0];
    if (gateway === undefined) throw new Error('the fleet is empty');
    for (let i = 0; i < 5; i++) advance(gateway);
    const report = parseReport(JSON.stringify(reportOf(gateway)));
    expect(report.gateway).toBe('building-north');
    expect(report.simulated).toBe(true);
    const { received, ...parts } = report.ledger;
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(received);
    expect(report.tasks.map(({ name }) => name)).toEqual(['temp_in_30m', 'occupied']);
    expect(report.tasks[0]?.panel.length).toBe(5);
  });

  it('may say more than this coordinator knows', () => {
    const body = JSON.stringify({ gateway: 'g', messages: 1, ledger: LEDGER, tasks: [], novelty: { deep: [1] } });
    expect(parseReport(body)).not.toHaveProperty('novelty');
  });

  it.each([
    ['no JSON', 'nonsense'],
    ['a list', '[]'],
    ['no gateway', '{"messages":1,"ledger":{"received":1}}'],
    ['no ledger', '{"gateway":"g","messages":1}'],
    ['a negative count', '{"gateway":"g","messages":-1,"ledger":{"received":1}}'],
    ['half a message', '{"gateway":"g","messages":1.5,"ledger":{"received":1}}'],
    ['a count that is text', '{"gateway":"g","messages":"1","ledger":{"received":1}}'],
    [
      'an infinite sum',
      '{"gateway":"g","messages":1,"ledger":{"received":1},"tasks":[{"name":"t","kind":"forecast","error_sum":1e999}]}',
    ],
    [
      'too many tasks',
      JSON.stringify({
        gateway: 'g',
        messages: 1,
        ledger: LEDGER,
        tasks: new Array(65).fill({ name: 't', kind: 'k' }),
      }),
    ],
    ['a name without end', JSON.stringify({ gateway: 'g'.repeat(300), messages: 1, ledger: LEDGER })],
    [
      'a schema that is no hash',
      JSON.stringify({ gateway: 'g', messages: 1, ledger: LEDGER, tasks: [{ name: 't', kind: 'k', schema: '<b>' }] }),
    ],
  ])('is refused with %s', (_, body) => {
    expect(() => parseReport(body)).toThrow(expect.objectContaining({ code: 'RIV_REQUEST' }));
  });
});
