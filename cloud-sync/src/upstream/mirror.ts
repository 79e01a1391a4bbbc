/**
 * What a site's coordinator takes over from the one above it: releases, under the hash that they have there, so that a
 * gateway's base is known above whichever of the two it asks.
 */
import { type Clock, decodeEnvelope, decodeRelease, RivuletError, releaseHash } from '@rivulet/host';
import type { HeadView } from '../api/views.ts';
import type { Head, ReleaseRecord, Store } from '../drivers/store.ts';
import type { Models } from '../registry/models.ts';

const NO_HASH = Buffer.alloc(32);

/**
 * Makes a release of above the one that gateways are told of. Null: nothing has changed, or nobody here has a part in the model.
 * @param bytes of the release that `head` names; null when it names none
 * @throws RIV_SYNC_ANSWER when they are not what it names, and the errors of decoding
 */
export function mirrorRelease(
  { task, schema, release }: HeadView,
  bytes: Uint8Array | null,
  { store, clock }: { store: Store; clock: Clock },
): ReleaseRecord | null {
  const head = store.heads.get(schema);
  if (head === null || head.release === release) return null;
  if (release === null || bytes === null) {
    store.atomically(() => moveTo(head, null, store));
    return null;
  }
  const content = decodeRelease(bytes);
  const is = { hash: releaseHash(bytes).toString('hex'), schema: Buffer.from(content.schemaHash).toString('hex') };
  if (is.hash !== release || is.schema !== schema || content.task !== task) {
    throw new RivuletError('RIV_SYNC_ANSWER', {
      found: `release ${is.hash} of ${content.task}, schema ${is.schema}`,
      expected: `release ${release} of ${task}, schema ${schema}`,
    });
  }
  const parent = NO_HASH.equals(content.parent) ? null : Buffer.from(content.parent).toString('hex');
  const { gateways, rows } = content;
  const record: ReleaseRecord = {
    ...{ hash: release, parent, task, schema, form: head.form, gateways, rows },
    createdMs: clock.wallMs(),
    lineage: [], // it is the one above that knows
  };
  store.atomically(() => {
    store.blobs.put(release, bytes);
    if (!store.releases.has(release)) store.releases.add(record);
    store.count('releases');
    moveTo(head, release, store);
  });
  return record;
}

function moveTo(head: Head, release: string | null, { heads }: Store): void {
  const next = {
    ...{ ...head, release, previous: head.release, releaseOffset: head.offset },
    ...{ releases: head.releases + Number(release !== null), revision: head.revision + 1 },
  };
  if (heads.compareAndSet(head.revision, next)) return;
  throw new RivuletError('RIV_INTERNAL', `the head of ${head.task} moved while a release was taken over`);
}

/**
 * An envelope that the coordinator above cannot take, since it does not know the release that it goes on from: it does not
 * count here either, and the release is unknown here too. So its gateway is told to go on from another one, and says all anew.
 */
export function handBack(bytes: Uint8Array, { store, models }: { store: Store; models: Models }): void {
  const { gateway, incarnation, seq, baseRelease, schemaHash } = decodeEnvelope(bytes);
  const schema = schemaHash.toString('hex');
  const head = store.heads.get(schema);
  const its = Buffer.from(incarnation).toString('hex');
  const counts = store.deltas
    .contributionsOf(gateway)
    .some((held) => held.schema === schema && held.incarnation === its && held.seq === seq);
  store.atomically(() => {
    store.releases.remove(Buffer.from(baseRelease).toString('hex'));
    if (head === null || !counts) return; // the gateway has said something newer meanwhile
    store.deltas.withdraw(schema, gateway);
    models.remove(head, gateway);
  });
}
