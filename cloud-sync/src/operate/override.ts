/**
 * An operator's word on a gateway, over the class-mean test: trusted gateways are in every release, distrusted ones in
 * none. What was decided is in the audit log, and the models are released anew with it at once.
 */
import { type Clock, RivuletError } from '@rivulet/host';
import type { ReleaseRecord, Store } from '../drivers/store.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Releaser } from '../registry/releaser.ts';

export interface OverrideParts {
  readonly store: Store;
  readonly roster: Roster;
  readonly releaser: Releaser;
  readonly clock: Clock;
}

export interface OverrideAnswer {
  readonly gateway: string;
  /** Null: the test decides. */
  readonly trusted: boolean | null;
  readonly models: readonly { readonly task: string; readonly release: string | null; readonly in_release: boolean }[];
}

/** Throws `RIV_NOT_FOUND` for a gateway that never enrolled. All or nothing. */
export function overrideJudgement(gateway: string, trusted: boolean | null, parts: OverrideParts) {
  const { store, roster, releaser, clock } = parts;
  if (roster.get(gateway) === null) throw new RivuletError('RIV_NOT_FOUND', `no gateway ${JSON.stringify(gateway)}`);
  const made: ReleaseRecord[] = [];
  const answer = store.atomically((): OverrideAnswer => {
    store.overrides.set(gateway, trusted, clock.wallMs());
    const models = store.deltas.contributionsOf(gateway).map(({ schema, task }) => {
      const release = releaser.renew(schema);
      if (release !== null) made.push(release);
      const newest = store.heads.get(schema)?.release ?? null;
      const lineage = newest === null ? [] : (store.releases.get(newest)?.lineage ?? []);
      return { task, release: newest, in_release: lineage.some((entry) => entry.gateway === gateway) };
    });
    const action = trusted === null ? 'judge' : trusted ? 'trust' : 'distrust';
    const result = { gateway, trusted, models };
    store.audit.add({ atMs: clock.wallMs(), action, subject: gateway, detail: result });
    return result;
  });
  return { answer, made };
}
