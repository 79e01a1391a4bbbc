/** Scores that the core does not compute because they are about one class. */
import { RivuletError } from '@rivulet/host';

/**
 * F1 of one class from the confusion matrix (row = truth): of `positive`, or of the rarer of two classes. Null when there
 * are more than two classes and none is named, or no matrix; 0 when the class was never predicted nor there.
 * @throws RIV_USAGE when no class is called `positive`
 */
export function f1Of(
  confusion: readonly (readonly number[])[] | undefined,
  names: readonly string[],
  positive: string | undefined,
): number | null {
  if (positive !== undefined && !names.includes(positive)) {
    const expected = `one of ${names.slice(0, 20).join(', ')}`;
    throw new RivuletError('RIV_USAGE', { where: '--positive', found: `no class "${positive}"`, expected });
  }
  if (confusion === undefined || (positive === undefined && confusion.length !== 2)) return null;
  const truths = confusion.map((row) => row.reduce((sum, count) => sum + count, 0));
  const rarer = (truths[1] ?? 0) <= (truths[0] ?? 0) ? 1 : 0;
  const index = positive === undefined ? rarer : names.indexOf(positive);
  const hits = confusion[index]?.[index] ?? 0;
  const truth = truths[index] ?? 0;
  const served = confusion.reduce((sum, row) => sum + (row[index] ?? 0), 0);
  return truth + served === 0 ? 0 : (2 * hits) / (truth + served);
}
