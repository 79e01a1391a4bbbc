/**
 * A report cannot be handed in again by whoever has heard it: each has a higher number than the one before of its
 * incarnation, under the same signature. Without that an old report of an old incarnation could be replayed until its
 * gateway seems to live twice.
 */
import { RivuletError } from '@rivulet/host';
import type { Directory } from '../drivers/store.ts';
import type { Report } from '../fleet/report.ts';

/** `RIV_REPORT_OLD` with the number that the next one must be above. */
export class ReportOld extends RivuletError {
  readonly newest: number;
  constructor(found: string, newest: number) {
    super('RIV_REPORT_OLD', { found, expected: `a number above ${newest}` });
    this.newest = newest;
  }
}

/** Throws `ReportOld` for a report that is not newer than the last one, and for one without a number where there were some. */
export function checkNumber(
  { gateway, incarnation, number }: Report,
  directory: Pick<Directory, 'reportNumbers'>,
): void {
  const numbers = directory.reportNumbers(gateway);
  if (incarnation === null || number === null) {
    const newest = Math.max(0, ...numbers.values());
    if (newest > 0) throw new ReportOld('a report without a number, of a gateway that numbers them', newest);
    return;
  }
  const newest = numbers.get(incarnation) ?? 0;
  if (number <= newest) throw new ReportOld(`report ${number}`, newest);
}
