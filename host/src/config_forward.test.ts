import { describe, expect, it } from 'vitest';
import { parseConfig } from './config_parse.ts';
import { compilePlan } from './plan.ts';

const yaml = (rule: string): string => `
sources: [{ name: s, topic: "in/{dev}", fields: { level: v, other: o } }]
windows: [{ name: m, every: 1m, of: [level] }]
forward: [${rule}]
`;
const parse = (rule: string) => parseConfig(yaml(rule), 'gateway.yaml');

describe('forwarding in a configuration', () => {
  it('has its defaults, and its rules over readings in the plan', () => {
    const config = parse(
      '{ readings: "*", topic: "out/{key}" }, { readings: [level], where: "value > other", deadband: 5%, topic: "x/{field}", qos: 0, retain: true }',
    );
    expect(config.forward[0]).toEqual({
      ...{ of: [], where: null, everyMs: 0, deadband: 0, relative: false, atLeastMs: 0, oneIn: 1, topic: 'out/{key}' },
      ...{ qos: 1, retain: false, unit: '', deviceClass: '' },
    });
    expect(config.forward[1]).toMatchObject({ of: ['level'], deadband: 0.05, relative: true, qos: 0, retain: true });
    expect(JSON.parse(String(compilePlan(config))).forward[1]).toEqual({
      ...{
        of: ['level'],
        where: 'value > other',
        every_ms: 0,
        deadband: 0.05,
        relative: true,
        at_least_ms: 0,
        one_in: 1,
      },
    });
  });

  it('sends windows like any output', () => {
    const { outputs, forward } = parse('{ windows: m, topic: "w/{window}/{key}", retain: true }');
    expect(forward).toEqual([]);
    expect(outputs.at(-1)).toEqual({ what: 'windows', of: 'm', topic: 'w/{window}/{key}', qos: 1, retain: true });
  });

  it('may send to what a source that reads everything leaves out', () => {
    const everything = (except: string): string =>
      yaml('{ readings: "*", topic: "out/{key}/{field}" }').replace(
        'topic: "in/{dev}"',
        `topic: "#", except: ["${except}"]`,
      );
    expect(parseConfig(everything('out/#'), 'g.yaml').forward.length).toBe(1);
    expect(parseConfig(everything('out/+/+'), 'g.yaml').forward.length).toBe(1);
    expect(() => parseConfig(everything('out/r1/level'), 'g.yaml')).toThrow(/would come in again/);
  });

  it.each([
    ['nothing', '{ topic: x }', /forwards nothing/],
    ['both', '{ readings: "*", windows: m, topic: x }', /forwards both/],
    ['a window with a deadband', '{ windows: m, deadband: 1, topic: x }', /`deadband` has no meaning here/],
    ['an unknown field', '{ readings: [levle], topic: x }', /level perhaps/],
    [
      'a condition over what is not there',
      '{ readings: "*", where: "z > 1", topic: x }',
      /names z, which no source has/,
    ],
    ['a condition that is none', '{ readings: "*", where: "value >", topic: x }', /4:\d+: .*at its column 8: it ends/],
    ['a deadband that is none', '{ readings: "*", deadband: -1, topic: x }', /a number such as 0\.5/],
    ['QoS 2', '{ readings: "*", qos: 2, topic: x }', /from 0 to 1/],
    ['a topic with a wildcard', '{ readings: "*", topic: "x/#" }', /a topic without wildcards/],
    ['an unknown placeholder', '{ readings: "*", topic: "x/{window}" }', /window/],
    ['a loop', '{ readings: "*", topic: "in/{key}" }', /the source s: what is forwarded would come in again/],
    ['a loop in disguise', '{ readings: "*", topic: "{gateway}/{key}" }', /would come in again/],
  ])('refuses %s', (_, rule, message) => {
    expect(() => parse(rule)).toThrow(message);
  });
});
