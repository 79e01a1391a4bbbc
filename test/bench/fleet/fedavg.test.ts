import { expect, it } from 'vitest';
import { randomFrom } from '../../../cloud-sync/src/simulate/random.ts';
import type { Row, Scenario } from '../../../cloud-sync/src/simulate/scenario.ts';
import { fedavg } from './fedavg.ts';

/** Twelve gateways, each sees one side of a line more often; together they see both. */
const scenario: Scenario = {
  name: 'sides',
  about: '',
  fields: ['a', 'b'],
  task: { kind: 'classify', labels: ['under', 'over'] },
  rowMs: 1,
  ticks: 2,
  tickMs: 1,
  sites: Array.from({ length: 12 }, (_, at) => ({
    id: `gateway-${at}`,
    from: 0,
    train: (tick: number) => drawn(`${at} ${tick}`, 40, at % 2 === 0 ? 0.9 : 0.1),
    test: (tick: number) => (tick === 1 ? drawn(`${at} test`, 20, 0.5) : []),
  })),
};

function drawn(name: string, rows: number, over: number): Row[] {
  const random = randomFrom(1, name);
  return Array.from({ length: rows }, () => {
    const label = random.chance(over) ? 'over' : 'under';
    const a = 3 * random.gaussian();
    return { x: Float64Array.of(a, a + (label === 'over' ? 1 : -1) * (0.3 + random.uniform())), label };
  });
}

it('finds the line that no gateway has to itself', () => {
  expect(fedavg(scenario, 1, 20)).toBeGreaterThan(0.97);
  expect(fedavg(scenario, 1, 20)).toBe(fedavg(scenario, 1, 20));
});

it('says nothing of a scenario that predicts numbers', () => {
  expect(fedavg({ ...scenario, task: { kind: 'forecast', target: 'a' } }, 1)).toBeNull();
});
