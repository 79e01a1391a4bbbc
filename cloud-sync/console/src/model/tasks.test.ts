import { describe, expect, test } from 'vitest';
import { improvement, improvementInWords, isWorse, panelRows, standingOf, standingOfAll, tasksOf } from './tasks.ts';
import { readFleet, type Task } from './wire.ts';

const fleetOf = (gateways: { id: string; tasks: Record<string, unknown>[] }[]) => readFleet({ gateways });

const taskOf = (task: Record<string, unknown>): Task => {
  const read = fleetOf([{ id: 'a', tasks: [{ name: 't', kind: 'forecast', ...task }] }]).gateways[0]?.tasks[0];
  if (read === undefined) throw new Error('a fleet with one task has one task');
  return read;
};

test('tasks_of_the_same_name_are_one_with_all_its_gateways_forecasts_first', () => {
  const fleet = fleetOf([
    { id: 'a', tasks: [{ name: 'odd', kind: 'anomaly' }] },
    { id: 'b', tasks: [{ name: 'warm', kind: 'forecast' }] },
    { id: 'c', tasks: [{ name: 'warm', kind: 'forecast' }] },
  ]);
  expect(tasksOf(fleet).map((task) => [task.name, task.members.map((member) => member.gateway.id)])).toEqual([
    ['warm', ['b', 'c']],
    ['odd', ['a']],
  ]);
});

describe('standing', () => {
  test('recent_errors_come_before_those_since_the_start', () => {
    const standing = standingOf(taskOf({ error: 4, error_last_value: 4, recent_error: 3, recent_error_last_value: 4 }));
    expect(standing).toEqual({ error: 3, baseline: 4, improvement: 0.25, recent: true });
  });

  test('without_recent_errors_those_since_the_start_stand', () => {
    expect(standingOf(taskOf({ error: 2, error_last_value: 4 }))).toMatchObject({ improvement: 0.5, recent: false });
  });

  test('gateways_without_labels_do_not_count_in_the_mean', () => {
    const fleet = fleetOf([
      { id: 'a', tasks: [{ name: 't', error: 1, error_last_value: 2 }] },
      { id: 'b', tasks: [{ name: 't' }] },
    ]);
    expect(standingOfAll(tasksOf(fleet)[0]?.members ?? [])).toMatchObject({ error: 1, baseline: 2, improvement: 0.5 });
  });

  test.each([
    [0.314, 'forecast', '31 % under the last value'],
    [-0.2, 'classification', '20 % over the last class'],
    [0.001, 'forecast', 'level with the last value'],
    [null, 'forecast', 'no comparison with the last value yet'],
  ] as const)('an improvement of %s in a %s reads "%s"', (share, kind, words) => {
    expect(improvementInWords(share, kind)).toBe(words);
    expect(isWorse(share)).toBe(words.includes('over'));
  });

  test('a_perfect_baseline_gives_no_comparison', () => {
    expect(improvement(0.1, 0)).toBeNull();
  });
});

test('the_panel_has_an_expert_a_row_heaviest_first_with_the_release_marked', () => {
  const first = taskOf({
    panel: [
      { expert: 'last value', weight: 0.7 },
      { expert: 'release', weight: 0.3 },
    ],
  });
  const second = taskOf({ panel: [{ expert: 'second order', weight: 1 }] });
  expect(panelRows([first, second]).map((row) => [row.expert, row.isRelease, row.weights])).toEqual([
    ['second order', false, [null, 1]],
    ['last value', false, [0.7, null]],
    ['release', true, [0.3, null]],
  ]);
});
