import { describe, expect, test } from 'vitest';
import { parseConfig } from './config_parse.ts';
import { compilePlan } from './plan.ts';

const yaml = (drift: string) => `
gateway: g
sources: [{ topic: t, key: k, fields: { x: x } }]
tasks: [{ name: soon, forecast: x, horizon: 10m${drift} }]
`;
const parse = (drift: string) => parseConfig(yaml(drift), 'c.yaml');

describe('drift', () => {
  test('nothing_said_leaves_the_plan_as_it_was_and_the_default_to_the_core', () => {
    expect(parse('').tasks[0]?.drift).toBeUndefined();
    expect(compilePlan(parse('')).toString()).not.toContain('drift');
  });

  test('a_word_is_a_detector_or_off', () => {
    expect(parse(', drift: cusum').tasks[0]?.drift).toEqual({
      detector: 'cusum',
      runLength: 100_000,
      on: ['error', 'prediction'],
      do: ['alert'],
    });
    expect(parse(', drift: off').tasks[0]?.drift?.on).toEqual([]);
  });

  test('a_map_is_in_the_plan_in_one_order_each_word_once', () => {
    const config = parse(', drift: { run_length: 5000, on: [multivariate, error, error], do: [adapt, sync] }');
    expect(JSON.parse(compilePlan(config).toString()).tasks[0].drift).toEqual({
      detector: 'adwin',
      run_length: 5000,
      on: ['error', 'multivariate'],
      do: ['sync', 'adapt'],
    });
  });

  test('a_classification_may_remember_its_concepts', () => {
    const classify = yaml(', drift: { do: [replay, anchor] }').replace(
      'forecast: x, horizon: 10m',
      'classify: { topic: l, key: k, path: v }',
    );
    expect(parseConfig(classify, 'c.yaml').tasks[0]?.drift?.do).toEqual(['anchor', 'replay']);
  });

  test('a network may hold its weights or begin new columns where the task has one', () => {
    const classify = (experts: string) =>
      yaml(`${experts}, drift: { do: [columns, hold] }`).replace(
        'forecast: x, horizon: 10m',
        'classify: { topic: l, key: k, path: v }',
      );
    const task = parseConfig(classify(', experts: [default, network]'), 'c.yaml').tasks[0];
    expect(task?.drift?.do).toEqual(['hold', 'columns']);
    expect(() => parseConfig(classify(''), 'c.yaml')).toThrow(/c\.yaml:4/);
  });

  test.each([
    ['unknown', 'drift: seismograph'],
    ['too short', 'drift: { run_length: 10 }'],
    ['no list', 'drift: { on: error }'],
    ['unknown word', 'drift: { do: [panic] }'],
    ['what only classes have', 'drift: { do: [anchor] }'],
    ['unknown key', 'drift: { threshold: 3 }'],
  ])('%s is refused with its line', (_, wrong) => {
    expect(() => parse(`, ${wrong}`)).toThrow(/c\.yaml:4/);
  });
});
