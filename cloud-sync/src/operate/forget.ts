/**
 * Takes a gateway out of every model. The statistics of gateways are made without any release and the merge is exact,
 * so what is left is the model of a fleet that never had the gateway; that is not only claimed but proven, by the digest
 * of the root: once of the live merge after the removal, once of a merge made anew of everybody else's statistics.
 * With `since` the gateway goes back to the last delta of a day before: its statistics are cumulative, so what came later is
 * gone with the later ones, and its later deltas are refused like those of a gateway that is out altogether.
 * Releases made before hold the gateway's rows and cannot be called back from where they went: they are named.
 */
import { type Clock, RivuletError } from '@rivulet/host';
import type { Contribution, Head, ReleaseRecord, Store } from '../drivers/store.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Models } from '../registry/models.ts';
import type { Releaser } from '../registry/releaser.ts';

type Out = Omit<Contribution, 'statistics'>;

export interface ForgetParts {
  readonly store: Store;
  readonly models: Models;
  readonly releaser: Pick<Releaser, 'renew'>;
  readonly roster: Pick<Roster, 'get'>;
  readonly clock: Clock;
}

export interface ForgetRequest {
  readonly gateway: string;
  readonly allowReturn: boolean;
  /** What came before stays, as far as the store has kept it; null, the default: nothing stays. */
  readonly sinceMs?: number | null;
}

/** What was done to one model. Digests are those of the merge's root, hex; zeros: nobody is left. */
export interface ForgottenModel {
  readonly task: string;
  readonly schema: string;
  /** When the delta came that counts of it now, epoch milliseconds; null: none does. */
  readonly goes_back_to: number | null;
  readonly root_before: string;
  readonly root_after: string;
  readonly root_never_had: string;
  readonly gateways: number;
  readonly rows: number;
  /** The release that holds what is left; null: too little is left for one, and gateways are told of none. */
  readonly release: string | null;
}

export interface ForgetAnswer {
  readonly gateway: string;
  readonly allow_return: boolean;
  /** Only what came from then on was taken out, epoch milliseconds; null: all. */
  readonly since: number | null;
  readonly models: readonly ForgottenModel[];
  /** Releases that were made with it and went out: what panels learned beside them is not removable in this sense. */
  readonly not_removable: readonly string[];
}

/** Throws `RIV_NOT_FOUND` for a gateway that never enrolled. All or nothing. */
export function forgetGateway({ gateway, allowReturn, sinceMs = null }: ForgetRequest, parts: ForgetParts) {
  const { store, roster, clock } = parts;
  if (roster.get(gateway) === null) throw new RivuletError('RIV_NOT_FOUND', `no gateway ${JSON.stringify(gateway)}`);
  const own = store.deltas.contributionsOf(gateway).filter(({ receivedMs }) => receivedMs >= (sinceMs ?? 0));
  const made: ReleaseRecord[] = [];
  const answer = store.atomically((): ForgetAnswer => {
    const back = own.map(({ schema }) => (sinceMs === null ? null : store.deltas.earlier(schema, gateway, sinceMs)));
    const notRemovable = madeWith(gateway, { sinceMs, own, back }, store);
    const forgotten = own.map(({ schema }, at) =>
      takeOut(gateway, schema, back[at] ?? null, new Set(notRemovable), parts, made),
    );
    store.quarantine.forget(gateway);
    store.clones.remove(gateway);
    store.relay.forget(gateway);
    if (allowReturn) store.forgotten.remove(gateway);
    else store.forgotten.add(gateway, clock.wallMs());
    const result = {
      ...{ gateway, allow_return: allowReturn, since: sinceMs },
      ...{ models: forgotten, not_removable: notRemovable },
    };
    const action = allowReturn && own.length === 0 ? 'allow_return' : 'forget';
    store.audit.add({ atMs: clock.wallMs(), action, subject: gateway, detail: { ...result } });
    return result;
  });
  return { answer, made };
}

/** Releases that hold what is taken out now: all with the gateway, but those that hold no more of it than what stays. */
function madeWith(
  gateway: string,
  { sinceMs, own, back }: { sinceMs: number | null; own: readonly Out[]; back: readonly (Contribution | null)[] },
  { releases }: Store,
): string[] {
  const stays = new Map(own.map(({ schema }, at) => [schema, back[at] ?? null]));
  return releases
    .madeWith(gateway)
    .filter(({ hash, schema }) => {
      if (sinceMs === null) return true;
      if (!stays.has(schema)) return false; // nothing of this model came since
      const kept = stays.get(schema) ?? null;
      const part = releases.get(hash)?.lineage.find((entry) => entry.gateway === gateway);
      if (kept === null || part === undefined) return true;
      return part.incarnation !== kept.incarnation || part.seq > kept.seq;
    })
    .map(({ hash }) => hash);
}

/** @param back what the gateway is gone back to; null: to nothing */
function takeOut(
  gateway: string,
  schema: string,
  back: Contribution | null,
  tainted: ReadonlySet<string>,
  { store, models, releaser }: ForgetParts,
  made: ReleaseRecord[],
): ForgottenModel {
  const head = store.heads.get(schema);
  if (head === null) throw new RivuletError('RIV_INTERNAL', `a contribution of ${gateway} to a model without a head`);
  const before = models.measure(head);
  if (back === null) {
    store.deltas.withdraw(schema, gateway);
    models.remove(head, gateway);
  } else {
    store.deltas.goBack(back);
    models.put(head, back);
  }
  const after = models.measure(head);
  const neverHad = models.measureAnew(head);
  if (!after.digest.equals(neverHad.digest) || !after.removable.equals(neverHad.removable)) {
    throw new RivuletError('RIV_INTERNAL', `the model of ${head.task} without ${gateway} is not one that never had it`);
  }
  store.forgotten.keepRemovable(schema);
  const release = releaser.renew(schema);
  if (release !== null) made.push(release);
  dropTold(schema, tainted, store);
  return {
    task: head.task,
    schema,
    goes_back_to: back?.receivedMs ?? null,
    root_before: before.removable.toString('hex'),
    root_after: after.removable.toString('hex'),
    root_never_had: neverHad.removable.toString('hex'),
    gateways: after.gateways,
    rows: after.rows,
    release: store.heads.get(schema)?.release ?? null,
  };
}

/** A release made with the gateway is not told any more, nor what one could roll back to. */
function dropTold(schema: string, tainted: ReadonlySet<string>, store: Store): void {
  const head = store.heads.get(schema) as Head;
  const clean = (hash: string | null) => (hash !== null && tainted.has(hash) ? null : hash);
  const next = { ...head, pinned: clean(head.pinned), previous: clean(head.previous), revision: head.revision + 1 };
  if (!store.heads.compareAndSet(head.revision, next)) {
    throw new RivuletError('RIV_INTERNAL', `the head of ${head.task} moved while a gateway was taken out`);
  }
}
