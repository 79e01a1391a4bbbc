import type { TaskReport } from '@rivulet/host';
import { expect, test } from 'vitest';
import { panelText, run } from './panel.ts';

const TASK: TaskReport = {
  name: 'temp_in_30m',
  kind: 'forecast',
  predictions: 90,
  matured: 80,
  expired: 0,
  pending: 10,
  unmatched: 0,
  alarms: 0,
  repeated: 0,
  conflicting: 0,
  corrected: 0,
  breaker: null,
  error_sum: 8,
  baseline_sum: 16,
  schema: null,
  features: [],
  missing: [],
  rows: 80,
  drift: null,
  release: null,
  releases: 0,
  panel: [
    { expert: 'no change', weight: 0.25, labels: 80, error: 0.2 },
    { expert: 'tiles 0.0003 from mean', weight: 0.7, labels: 80, error: 0.123456 },
    { expert: 'stack', weight: 0.05, labels: null, error: null },
  ],
  leader: { expert: 'tiles 0.0003 from mean', since: 48, labels: 80 },
};

test('a_panel_says_who_leads_since_when_and_how_each_has_done', () => {
  expect(panelText(TASK, 2).split('\n')).toEqual([
    'temp_in_30m (forecast): tiles 0.0003 from mean leads since label 48 of 80',
    '  expert                  weight   error  labels',
    '  tiles 0.0003 from mean  70.0 %  0.1235      80',
    '  no change               25.0 %     0.2      80',
    '  … and 1 more (--top 0 shows all)',
  ]);
});

test('what_the_watch_has_found_stands_below_the_newest_first', () => {
  const found = { of: 'error', feature: '', key: 'r1', at: 0, before: 0.1, after: 0.4, rows: 900, batch: 1, offset: 7 };
  const evidence = [found, { ...found, of: 'feature', feature: 'co2', at: 60_000, rows: 12 }];
  const drift = { detector: 'adwin', run_length: 100_000, alarms: 2, evidence };
  expect(
    panelText({ ...TASK, drift }, 0)
      .split('\n')
      .slice(-3),
  ).toEqual([
    '  drift: 2 found by adwin',
    '    1970-01-01T00:01:00.000Z feature co2 0.1 → 0.4 after 12 rows, at r1',
    '    1970-01-01T00:00:00.000Z error 0.1 → 0.4 after 900 rows, at r1',
  ]);
});

test('labels_that_did_not_come_fit_or_agree_and_a_source_that_is_not_believed_are_said', () => {
  const breaker = { open: 1, opened: 2, held: 7, dropped: 64 };
  expect(
    panelText({ ...TASK, expired: 4, unmatched: 2, conflicting: 3, corrected: 1, breaker }, 0)
      .split('\n')
      .slice(-2),
  ).toEqual([
    '  labels: 4 did not come in time, 2 found no prediction, 3 contradicted, 1 corrected',
    '  label source: breaker open, opened 2 times, 7 held, 64 not learned',
  ]);
});

test('a_task_without_labels_or_features_says_so', () => {
  expect(panelText({ ...TASK, leader: { expert: 'mean', since: 0, labels: 0 } }, 1)).toMatch(/no label yet/);
  expect(panelText({ ...TASK, leader: null, panel: [] }, 1)).toMatch(/no panel yet/);
});

test('wrong_words_are_refused_with_a_code', async () => {
  await expect(run(['list', '/tmp'])).rejects.toMatchObject({ code: 'RIV_USAGE' });
  await expect(run(['show'])).rejects.toMatchObject({ code: 'RIV_USAGE' });
  await expect(run(['show', '/tmp', '--top', 'all'])).rejects.toMatchObject({ code: 'RIV_USAGE' });
});
