import { expect, test } from 'vitest';
import {
  figureOfAge,
  figureOfCount,
  figureOfCountShort,
  figureOfDuration,
  figureOfError,
  figureOfImprovement,
  figureOfMebibytes,
  figureOfMicroseconds,
  figureOfRate,
  figureOfShare,
  shortHash,
} from './figures.ts';

test.each([
  [figureOfCount(1_234_567), '1,234,567'],
  [figureOfCountShort(9_999), '9,999'],
  [figureOfCountShort(56_700), '56.7 k'],
  [figureOfCountShort(8_900_000), '8.90 M'],
  [figureOfRate(48.25), '48.3'],
  [figureOfRate(1234.5), '1,235'],
  [figureOfError(0.1234, 'forecast'), '0.123'],
  [figureOfError(12.34, 'forecast'), '12.3'],
  [figureOfError(0.000_01, 'forecast'), '1.0e-5'],
  [figureOfError(0, 'forecast'), '0'],
  [figureOfError(0.0123, 'classification'), '1.23 %'],
  [figureOfError(null, 'forecast'), '–'],
  [figureOfShare(0.0004), '<0.1 %'],
  [figureOfShare(0), '0.0 %'],
  [figureOfShare(0.381), '38.1 %'],
  [figureOfImprovement(-0.284), '−28 %'],
  [figureOfMicroseconds(18.26), '18.3 µs'],
  [figureOfMicroseconds(4346), '4.3 ms'],
  [figureOfMebibytes(81.7), '82 MiB'],
  [figureOfDuration(3725), '1 h 2 min'],
  [figureOfDuration(59.9), '59 s'],
  [figureOfAge(1000, 1500), 'now'],
  [figureOfAge(1000, 91_000), '90 s ago'],
  [figureOfAge(null, 91_000), '–'],
  [shortHash('0123456789abcdef'), '0123456789'],
])('%s', (figure, expected) => {
  expect(figure).toBe(expected);
});
