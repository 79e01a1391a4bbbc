/** The way of a status report: parse, check the signature over the very bytes, note. */
import { RivuletError } from '@rivulet/host';
import type { Store } from '../drivers/store.ts';
import { parseReport } from '../fleet/report.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Clones } from './clones.ts';
import type { Keys } from './keys.ts';

/** Takes a report in; answers who sent it, and whether it shows that the gateway is there twice. `signature` is base64. */
export function receiveReport(
  body: Uint8Array,
  signature: string,
  { store, roster, keys, clones }: { store: Store; roster: Roster; keys: Keys; clones: Clones },
): { gateway: string; cloned: boolean } {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const report = parseReport(text);
  if (signature === '') throw new RivuletError('RIV_SIGNATURE', 'a report without the header x-rivulet-signature');
  keys.check(report.gateway, body, Buffer.from(signature, 'base64'));
  const { gateway, incarnation } = report;
  const cloned = store.atomically(() => {
    roster.reported(gateway, report, text);
    return incarnation !== null && clones.spoke(gateway, incarnation);
  });
  return { gateway, cloned };
}
