import { describe, expect, test } from 'vitest';
import { parseConfig } from './config_parse.ts';
import { compilePlan, planForEvaluation, planHash } from './plan.ts';

const yaml = `
gateway: plant-7
broker: { listen: 0 }
sources: [{ name: rooms, topic: "b/{room}/{sensor}", fields: { "{sensor}": v }, time: ts, lateness: 5s, door: broker }]
windows: [{ name: w, every: 5m, of: [t], stats: [mean] }]
tasks:
  - { name: f, forecast: t, horizon: 30m }
  - { name: a, anomaly: t, threshold: 4.5 }
  - { name: c, classify: { topic: "l/{room}", path: v, time: ts } }
`;

describe('the plan compiler', () => {
  test('gives_the_canonical_text_of_the_format', () => {
    expect(compilePlan(parseConfig(yaml, 'x')).toString()).toBe(
      '{"plan":1,"gateway":"plant-7",' +
        '"limits":{"keys":10000,"fields":256,"pending_per_key":4096,"payload_bytes":262144,"classes":64},' +
        '"sources":[{"name":"rooms","topic":"b/{room}/{sensor}","door":1,"format":"auto","key":"{room}",' +
        '"fields":[{"name":"{sensor}","path":"v"}],"time":"ts","seq":null,' +
        '"lateness_ms":5000,"clock_skew_max_ms":86400000,"idle_ms":60000}],' +
        '"windows":[{"name":"w","every_ms":300000,"of":["t"],"stats":["mean"],"lateness_ms":5000}],' +
        '"tasks":[{"name":"f","kind":"forecast","target":"t","horizon_ms":1800000,"label":null,"features":[],' +
        '"every_ms":30000,"wait_ms":2250000,"tolerance_ms":450000,"threshold":0},' +
        '{"name":"a","kind":"anomaly","target":"t","horizon_ms":0,"label":null,"features":[],' +
        '"every_ms":0,"wait_ms":3600000,"tolerance_ms":0,"threshold":4.5},' +
        '{"name":"c","kind":"classification","target":null,"horizon_ms":0,' +
        '"label":{"topic":"l/{room}","key":"{room}","path":"v","time":"ts"},"features":[],' +
        '"every_ms":60000,"wait_ms":86400000,"tolerance_ms":600000,"threshold":0}]}',
    );
  });

  test('gives_equal_bytes_for_configurations_that_mean_the_same', () => {
    const other = yaml
      .replace('5m', '300s')
      .replace('every:', 'stats: [mean], every:')
      .replace(', stats: [mean] }', ' }');
    const hash = planHash(compilePlan(parseConfig(yaml, 'x')));
    expect(planHash(compilePlan(parseConfig(`# comment\n${other}`, 'y')))).toEqual(hash);
    expect(planHash(compilePlan(parseConfig(yaml.replace('4.5', '4.6'), 'x')))).not.toEqual(hash);
  });

  test('gives_the_plan_of_an_evaluation', () => {
    const columns = [{ name: 'x', type: 'number' as const }];
    const spec = { kind: 'forecast' as const, columns, target: 'y', horizon: 2, labelDelay: 3, classes: 0 };
    expect(planForEvaluation(spec).toString()).toBe(
      '{"plan":1,"evaluate":{"kind":"forecast","columns":[{"name":"x","type":"number"}],"target":"y","horizon":2,"label_delay":3,"classes":0}}',
    );
  });
});
