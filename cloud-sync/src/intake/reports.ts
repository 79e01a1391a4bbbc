/** The way of a status report: parse, check the signature over the very bytes, note. */
import { RivuletError } from '@rivulet/host';
import type { Store } from '../drivers/store.ts';
import { parseReport, type Report } from '../fleet/report.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Clones } from './clones.ts';
import type { Keys } from './keys.ts';
import { checkNumber } from './report_number.ts';

/** Reads a report and checks its signature off this thread; null: `receiveReport` will say what is wrong with it. */
export async function checkReport(body: Uint8Array, signature: string, keys: Keys): Promise<Report | null> {
  try {
    const report = parseReport(textOf(body));
    return (await keys.checkAhead(report.gateway, body, Buffer.from(signature, 'base64'))) ? report : null;
  } catch {
    return null;
  }
}

function readReport(text: string, body: Uint8Array, signature: string, keys: Keys): Report {
  const report = parseReport(text);
  if (signature === '') throw new RivuletError('RIV_SIGNATURE', 'a report without the header x-rivulet-signature');
  keys.check(report.gateway, body, Buffer.from(signature, 'base64'));
  return report;
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
}

/** Takes a report in; answers who sent it, and whether it shows that the gateway is there twice. `signature` is base64, `checked` what `checkReport` read of the same bytes. */
export function receiveReport(
  body: Uint8Array,
  signature: string,
  checked: Report | null,
  { store, roster, keys, clones }: { store: Store; roster: Roster; keys: Keys; clones: Clones },
): { gateway: string; cloned: boolean } {
  const text = textOf(body);
  const report = checked ?? readReport(text, body, signature, keys);
  const { gateway, incarnation, number } = report;
  checkNumber(report, store.directory);
  const cloned = store.atomically(() => {
    roster.reported(gateway, report, text);
    if (incarnation === null) return false;
    const twice = clones.spoke(gateway, incarnation);
    if (number !== null) store.directory.noteReport(gateway, incarnation, number);
    return twice;
  });
  return { gateway, cloned };
}
