import { expect, it } from 'vitest';
import { fleetReadings, type Telling } from './readings.ts';
import { type FleetWant, parseFleetReport } from './report_fleet.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = 100 * HOUR_MS;
const WANT: FleetWant = { name: 'n', statistic: 'mean', field: 'pm25', of: 'neighbours', maxAgeMs: HOUR_MS };
const telling = (id: string, value: number, at = NOW_MS - HOUR_MS): Telling => ({
  id,
  report: { fleet: { readings: new Map([['pm25', { at, value }]]), wants: [] } },
});
const FLEET = [telling('a', 1), telling('b', 2), telling('c', 9), telling('d', 40), { id: 'e', report: null }];
const of = (want: Partial<FleetWant>, fleet: readonly Telling[] = FLEET) =>
  fleetReadings('a', [{ ...WANT, ...want }], fleet, NOW_MS)[0];

it.each([
  ['mean', 'neighbours', 17],
  ['mean', 'fleet', 13],
  ['median', 'neighbours', 9],
  ['median', 'fleet', 5.5],
  ['min', 'neighbours', 2],
  ['max', 'fleet', 40],
  ['sum', ['b', 'c', 'nobody'], 11],
  ['count', 'neighbours', 3],
] as const)('the %s of %j is %d', (statistic, whom, value) => {
  expect(of({ statistic, of: whom })?.value).toBeCloseTo(value, 12);
});

it('says of when it is, how old that is, and of how many', () => {
  const [late, early] = [NOW_MS - 10_000, NOW_MS - 20_000];
  const fleet = [telling('b', 1, late), telling('c', 3, early)];
  expect(of({}, fleet)).toEqual({ name: 'n', at: late, age_ms: 10_000, gateways: 2, value: 2 });
});

it('what is older than the newest by more than asked does not count, nor does a clock that is far ahead', () => {
  expect(of({}, [telling('b', 1), telling('c', 3, NOW_MS - 3 * HOUR_MS)])?.value).toBe(1);
  expect(of({}, [telling('b', 1), telling('c', 3, NOW_MS + 48 * HOUR_MS)])?.value).toBe(1);
});

it('what nobody measures is left out, and so is what cannot be said in a number', () => {
  expect(of({ field: 'other' })).toBeUndefined();
  expect(of({}, [telling('a', 1)])).toBeUndefined();
  expect(of({ statistic: 'sum' }, [telling('b', 1e308), telling('c', 1e308)])).toBeUndefined();
});

it('a report is read as a gateway writes it, and one that is none is refused', () => {
  const wants = [{ name: 'n', statistic: 'mean', field: 'f', of: ['x'], max_age_ms: 5 }];
  const read = parseFleetReport({ readings: { f: { at: 1, value: 2, keys: 3 } }, wants });
  expect(read.readings.get('f')).toEqual({ at: 1, value: 2 });
  expect(read.wants).toEqual([{ name: 'n', statistic: 'mean', field: 'f', of: ['x'], maxAgeMs: 5 }]);
  expect(parseFleetReport(undefined).wants).toEqual([]);
  const many = Array.from({ length: 33 }, () => wants[0]);
  const hostile: unknown[] = [7, [], { readings: 7 }, { readings: { f: { at: 1.5, value: 1 } } }, { wants: many }];
  for (const wrong of [...hostile, { wants: 'x' }, { wants: [{ ...wants[0], statistic: 'mode' }] }, { wants: [null] }])
    expect(() => parseFleetReport(wrong)).toThrow(expect.objectContaining({ code: 'RIV_REQUEST' }));
});
