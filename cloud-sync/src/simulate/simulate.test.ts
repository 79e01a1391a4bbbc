import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Core, loadCore } from '@rivulet/host';
import { beforeAll, describe, expect, it } from 'vitest';
import { TROUBLE } from './faults.ts';
import { type FleetOptions, runFleet } from './fleet.ts';
import { scenarioOf } from './scenarios.ts';
import { openTimeline } from './timeline.ts';

let core: Core;
beforeAll(async () => {
  core = await loadCore();
});

function fleet(
  over: Partial<FleetOptions> & { scenarioName?: string; gateways?: number; ticks?: number; trouble?: string } = {},
) {
  const { scenarioName = 'sea', gateways = 5, ticks = 4, trouble = 'none', seed = 1, ...rest } = over;
  const scenario = scenarioOf(scenarioName, { gateways, ticks, seed, data: null });
  const faults = (TROUBLE[trouble] as (seed: number) => FleetOptions['faults'])(seed);
  return runFleet({ core, scenario, seed, faults, together: true, attack: null, ...rest });
}

describe('a simulated fleet', { timeout: 120_000 }, () => {
  it('is the same run for the same seed, and another for another', () => {
    expect(fleet({ trouble: 'random', seed: 3 })).toEqual(fleet({ trouble: 'random', seed: 3 }));
    expect(fleet({ seed: 4 }).digest).not.toBe(fleet({ seed: 5 }).digest);
  });

  it.each(['storm', 'clocks', 'offline', 'stragglers'])(
    'comes to the same merge through %s as without, bit for bit',
    (trouble) => {
      const straight = fleet();
      const troubled = fleet({ trouble });
      expect(troubled.digest).toBe(straight.digest);
      if (trouble === 'storm') expect(troubled.duplicates).toBeGreaterThan(0);
    },
  );

  it.each(Array.from({ length: 6 }, (_, seed) => seed))('adds up after random faults of seed %i', (seed) => {
    expect(fleet({ trouble: 'random', seed }).digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('says who lied when some do, and nobody when nobody does', () => {
    const of = (attack: FleetOptions['attack']) =>
      fleet({ scenarioName: 'synthetic-iid', gateways: 20, ticks: 2, attack });
    expect(of(null).quarantined).toEqual([]);
    const attacked = of({ kind: 'scale', share: 0.2 });
    const liars = attacked.gateways.filter(({ attacker }) => attacker).map(({ id }) => id);
    expect(attacked.quarantined.length).toBeGreaterThan(0);
    expect(liars).toEqual(expect.arrayContaining([...attacked.quarantined]));
  });
});

it('what is due at a time happens in the order it was asked for, and can be taken back', () => {
  const timeline = openTimeline(0);
  const happened: string[] = [];
  timeline.at(20, () => happened.push('c'));
  timeline.at(10, () => happened.push('a'));
  timeline.at(10, () => {
    happened.push('b');
    timeline.after(5, () => happened.push('between'));
  });
  timeline.at(30, () => happened.push('never'))();
  timeline.runUntil(40);
  expect(happened).toEqual(['a', 'b', 'between', 'c']);
  expect(timeline.nowMs()).toBe(40);
});

const BIN = fileURLToPath(new URL('../../bin/rivulet-cloud.js', import.meta.url));
const simulate = (...args: string[]) =>
  new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [BIN, 'simulate', ...args], (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });

it('the command answers in JSON, with the command that repeats it', async () => {
  const { code, out } = await simulate('--scenario', 'sine-2', '--gateways', '3', '--ticks', '3', '--json');
  expect(code).toBe(0);
  const summary = JSON.parse(out) as { repeat: string; accuracy: number };
  expect(summary.repeat).toBe('rivulet-cloud simulate --scenario sine-2 --gateways 3 --ticks 3 --seed 0');
  expect(summary.accuracy).toBeGreaterThan(0.3);
});

it.each([
  ['--scenario', 'elsewhere'],
  ['--gateways', '0'],
  ['--attack', 'shout'],
  ['--trouble', 'much'],
  ['--attackers', '2'],
  ['--fast'],
])('asked for wrongly (%s %s) it exits with 2', async (...args) => {
  expect((await simulate(...args)).code).toBe(2);
});
