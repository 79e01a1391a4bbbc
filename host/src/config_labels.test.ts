import { describe, expect, test } from 'vitest';
import { parseConfig } from './config_parse.ts';
import { compilePlan } from './plan.ts';

const parse = (more: string) =>
  parseConfig(
    `
gateway: g
sources: [{ topic: "b/{room}/x", key: "{room}", fields: { x: x } }]
tasks: [{ name: occupied, classify: { topic: "labels/{room}", path: v${more} } }]
`,
    'c.yaml',
  );
const planned = (more: string) => JSON.parse(compilePlan(parse(more)).toString()).tasks[0].label;

describe('labels', () => {
  test('what_is_not_said_is_not_in_the_plan', () => {
    expect(planned('')).toEqual({ topic: 'labels/{room}', key: '{room}', path: 'v', time: null });
    expect(parse('').tasks[0]?.label).toMatchObject({ id: null, conflicts: 'first', breaker: 'off' });
  });

  test('a_prediction_may_be_named_and_second_labels_and_sources_that_change_have_a_policy', () => {
    expect(planned(', time: t, id: prediction.id, conflicts: last, breaker: hold')).toMatchObject({
      time: 't',
      id: 'prediction.id',
      conflicts: 'last',
      breaker: 'hold',
    });
  });

  test.each(['conflicts: coin', 'breaker: fuse', 'id: "a[*]"', 'sequence: n'])(
    '%s is refused with its line',
    (wrong) => {
      expect(() => parse(`, ${wrong}`)).toThrow(/c\.yaml:4/);
    },
  );
});
