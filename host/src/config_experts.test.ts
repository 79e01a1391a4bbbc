import { describe, expect, test } from 'vitest';
import { expertsNamed } from './config_experts.ts';
import { parseConfig } from './config_parse.ts';
import { compilePlan } from './plan.ts';

const yaml = (experts: string, task = 'classify: { topic: l, key: k, path: v }') => `
gateway: g
sources: [{ topic: t, key: k, fields: { x: x } }]
tasks: [{ name: soon, ${task}${experts} }]
`;
const parse = (experts: string, task?: string) => parseConfig(yaml(experts, task), 'c.yaml');

describe('experts', () => {
  test('nothing_said_leaves_the_plan_as_it_was', () => {
    expect(parse('').tasks[0]?.experts).toBeUndefined();
    expect(compilePlan(parse('')).toString()).not.toContain('experts');
  });

  test('a_list_is_in_the_plan_in_one_order_each_once', () => {
    const config = parse(', experts: [naive_bayes, default, default]');
    expect(JSON.parse(compilePlan(config).toString()).tasks[0].experts).toEqual(['default', 'naive_bayes']);
  });

  test('all_is_what_fits_the_task', () => {
    expect(parse(', experts: all').tasks[0]?.experts).toContain('naive_bayes');
    const forecast = parse(', experts: all', 'forecast: x, horizon: 10m').tasks[0]?.experts;
    expect(forecast).toContain('default');
    expect(forecast).not.toContain('naive_bayes');
  });

  test.each([
    ['an unknown one', ', experts: [oracle]', undefined],
    ['none', ', experts: []', undefined],
    ['a word', ', experts: default', undefined],
    ['a map', ', experts: { default: true }', undefined],
    ['what numbers do not have', ', experts: [naive_bayes]', 'forecast: x, horizon: 10m'],
  ])('%s is refused with its line', (_, experts, task) => {
    expect(() => parse(experts, task)).toThrow(/c\.yaml:4/);
  });

  test('on a command line they are words with commas', () => {
    expect(expertsNamed('naive_bayes,default', 'classes')).toEqual(['default', 'naive_bayes']);
    expect(expertsNamed('all', 'numbers')).toContain('default');
    for (const wrong of ['', 'oracle', 'default,,', 'naive_bayes']) {
      expect(() => expertsNamed(wrong, 'numbers')).toThrow(expect.objectContaining({ code: 'RIV_USAGE' }));
    }
  });
});
