/** The way of a status report: parse, check the signature over the very bytes, note. */
import { RivuletError } from '@rivulet/host';
import type { Store } from '../drivers/store.ts';
import { parseReport } from '../fleet/report.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Keys } from './keys.ts';

/** Takes a report in and returns who sent it. `signature` is base64. */
export function receiveReport(
  body: Uint8Array,
  signature: string,
  { store, roster, keys }: { store: Store; roster: Roster; keys: Keys },
): string {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const report = parseReport(text);
  if (signature === '') throw new RivuletError('RIV_SIGNATURE', 'a report without the header x-rivulet-signature');
  keys.check(report.gateway, body, Buffer.from(signature, 'base64'));
  store.atomically(() => roster.reported(report.gateway, report, text));
  return report.gateway;
}
