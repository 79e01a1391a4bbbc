import { expect, test } from 'vitest';
import { zoneChanges } from './zone.ts';

test.each([
  ['+01:00', [[0, 60]]],
  ['-0330', [[0, -210]]],
  ['UTC', [[Date.UTC(2010, 0), 0]]],
  ['Asia/Kolkata', [[Date.UTC(2010, 0), 330]]],
])('the_zone_%s_is_%j', (name, changes) => {
  expect(zoneChanges(name)).toEqual(changes);
});

test('a_zone_with_summer_time_changes_twice_a_year_to_the_second', () => {
  const changes = zoneChanges('Europe/Berlin') ?? [];
  expect(changes).toContainEqual([Date.UTC(2026, 2, 29, 1), 120]);
  expect(changes).toContainEqual([Date.UTC(2026, 9, 25, 1), 60]);
  expect(changes.length).toBe(81);
});

test('every_change_that_the_zone_database_knows_is_met_even_within_a_month', () => {
  // Morocco sets its clocks back for the month of Ramadan.
  const year = (zoneChanges('Africa/Casablanca') ?? []).filter(([from]) => new Date(from).getUTCFullYear() === 2024);
  expect(year.map(([, minutes]) => minutes)).toEqual([0, 60]);
});

test.each(['Mars/Olympus', '', '+15:00', '01:00', '../etc'])('there_is_no_zone_%j', (name) => {
  expect(zoneChanges(name)).toBeNull();
});
