import { expect, test } from 'vitest';
import { conversion, scaling, UNITS } from './units_convert.ts';

const apply = (linear: ReturnType<typeof conversion>, value: number): number => {
  const [before, times, by, after] = linear ?? [0, Number.NaN, 1, 0];
  return ((value + before) * times) / by + after;
};

test.each([
  ['°F → °C', 212, 100],
  ['°F -> °C', -40, -40],
  ['°C→°F', 100, 212],
  ['km/h → m/s', 36, 10],
  ['mV → V', 3005, 3.005],
  ['kn → m/s', 3600, 1852],
])('%s_of_%d_is_%d', (name, from, to) => {
  expect(apply(conversion(name), from)).toBe(to);
});

test('every_conversion_is_known_by_its_name_and_others_are_not', () => {
  for (const name of UNITS) expect(conversion(name)).not.toBeNull();
  for (const name of ['°C', '°C → °C', 'toString', '']) expect(conversion(name)).toBeNull();
});

test('a_decimal_scale_gives_the_decimal_that_is_meant', () => {
  expect(apply(scaling(0.01, 0), 2157)).toBe(21.57);
  expect(apply(scaling(0.1, -40), 615)).toBe(21.5);
  expect(apply(scaling(2.5, 1), 3)).toBe(8.5);
});
