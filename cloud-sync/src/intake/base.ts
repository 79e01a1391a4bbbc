/**
 * A delta names the release that its gateway's panel goes on from. When this coordinator does not know that release (it
 * was restored from a backup, or is another one), the gateway must not go on from it: it is told where to begin.
 */
import { type Envelope, RivuletError } from '@rivulet/host';
import type { ErrorView } from '../api/views.ts';
import { championOf, type Store } from '../drivers/store.ts';

const NO_RELEASE = Buffer.alloc(32);

/** `RIV_BASE_GONE` with the release to go on from. */
export class BaseGone extends RivuletError {
  readonly resync: NonNullable<ErrorView['resync']>;
  constructor(base: string, resync: NonNullable<ErrorView['resync']>) {
    const from = resync.release === null ? 'resync from no release' : `resync from release ${resync.release}`;
    super('RIV_BASE_GONE', { found: `release ${base} is not of this coordinator: ${from}` });
    this.resync = resync;
  }
}

/** Throws `BaseGone` unless the delta's base is none or a release of here. */
export function checkBase(envelope: Envelope, { releases, heads }: Pick<Store, 'releases' | 'heads'>): void {
  if (NO_RELEASE.equals(envelope.baseRelease)) return;
  const base = Buffer.from(envelope.baseRelease).toString('hex');
  if (releases.has(base)) return;
  const schema = envelope.schemaHash.toString('hex');
  const head = heads.get(schema);
  throw new BaseGone(base, { task: envelope.task, schema, release: head === null ? null : championOf(head) });
}
