/** What an operator can ask and decide about releases: list, show, compare, pin, roll back. */
import { type Clock, decodeRelease, RivuletError } from '@rivulet/host';
import type { LineageView, ReleaseView } from '../api/views.ts';
import {
  type AuditEntry,
  championOf,
  type Head,
  type LineageEntry,
  type ReleaseRecord,
  type Store,
} from '../drivers/store.ts';
import { modelWeights } from '../registry/model_weights.ts';
import { parseSchema } from '../registry/schema.ts';
import { lineageView, releaseView } from '../registry/views.ts';

/** Shortest beginning of a hash that names a release: chance meetings are rare from here on. */
const PREFIX_MIN = 6;
const ALIASES = ['champion', 'previous', 'newest'] as const;
type Alias = (typeof ALIASES)[number];

export interface ReleasesParts {
  readonly store: Store;
  readonly clock: Clock;
}

/** A release with the names it goes by. */
export interface NamedReleaseView extends ReleaseView {
  readonly aliases: readonly Alias[];
  readonly pinned: boolean;
}

export interface ShownReleaseView extends LineageView {
  readonly aliases: readonly Alias[];
  readonly pinned: boolean;
  /** Gateways in it that were taken out of the fleet since. */
  readonly forgotten: readonly string[];
  readonly weights: Readonly<Record<string, number>>;
}

export interface ReleaseDiffView {
  readonly from: ReleaseView;
  readonly to: ReleaseView;
  readonly joined: readonly string[];
  readonly left: readonly string[];
  /** What differs, largest change first; null: not in that release. */
  readonly weights: readonly { readonly name: string; readonly from: number | null; readonly to: number | null }[];
}

export interface ToldView {
  readonly task: string;
  readonly schema: string;
  readonly champion: string | null;
  readonly previous: string | null;
  readonly pinned: boolean;
}

export function listReleases(task: string | null, limit: number, { store }: ReleasesParts): NamedReleaseView[] {
  const filter = task === null ? { limit } : { task, limit };
  return store.releases.list(filter).map((release) => ({ ...releaseView(release), ...namesOf(release, store) }));
}

export function showRelease(ref: string, task: string | null, { store }: ReleasesParts): ShownReleaseView {
  const release = resolve(ref, task, store);
  return {
    ...lineageView(release),
    ...namesOf(release, store),
    forgotten: forgottenIn(release, store),
    weights: Object.fromEntries(weightsOf(release, store)),
  };
}

export function diffReleases(from: string, to: string, task: string | null, { store }: ReleasesParts): ReleaseDiffView {
  const [before, after] = [resolve(from, task, store), resolve(to, task, store)];
  const gateways = (release: ReleaseRecord) => release.lineage.map(({ gateway }) => gateway);
  const missing = (from: readonly string[], to: readonly string[]) => to.filter((gateway) => !from.includes(gateway));
  const [then, now] = [weightsOf(before, store), weightsOf(after, store)];
  const weights = [...new Set([...then.keys(), ...now.keys()])]
    .map((name) => ({ name, from: then.get(name) ?? null, to: now.get(name) ?? null }))
    .filter((weight) => weight.from !== weight.to)
    .toSorted((a, b) => changeOf(b) - changeOf(a));
  return {
    from: releaseView(before),
    to: releaseView(after),
    joined: missing(gateways(before), gateways(after)),
    left: missing(gateways(after), gateways(before)),
    weights,
  };
}

/** From now on gateways are told this release, whatever is released later; `newest` lifts the pin. */
export function pinRelease(ref: string, task: string | null, parts: ReleasesParts): ToldView {
  const { store } = parts;
  if (ref === 'newest') return tell(modelOf(task, store), null, 'unpin', parts);
  const release = resolve(ref, task, store);
  return tell(modelOf(release.schema, store), release.hash, 'pin', parts);
}

/** Gateways are told again what they were told before; done twice, it is undone. */
export function rollBack(task: string, parts: ReleasesParts): ToldView {
  const head = modelOf(task, parts.store);
  if (head.previous === null) throw new RivuletError('RIV_RELEASE_UNKNOWN', `${head.task} has no previous release`);
  return tell(head, head.previous, 'rollback', parts);
}

function tell(head: Head, pinned: string | null, action: AuditEntry['action'], parts: ReleasesParts): ToldView {
  const { store, clock } = parts;
  if (pinned !== null) refuseForgotten(pinned, store);
  const before = championOf(head);
  const champion = pinned ?? head.release;
  const previous = champion === before ? head.previous : before;
  const told = { task: head.task, schema: head.schema, champion, previous, pinned: pinned !== null };
  store.atomically(() => {
    const next = { ...head, pinned, previous, revision: head.revision + 1 };
    if (!store.heads.compareAndSet(head.revision, next)) {
      throw new RivuletError('RIV_INTERNAL', `the head of ${head.task} moved while it was pinned`);
    }
    store.audit.add({ atMs: clock.wallMs(), action, subject: head.task, detail: { ...told, before } });
  });
  return told;
}

function refuseForgotten(hash: string, store: Store): void {
  const release = store.releases.get(hash);
  const gone = release === null ? [] : forgottenIn(release, store);
  if (gone.length === 0) return;
  throw new RivuletError('RIV_GATEWAY_FORGOTTEN', `release ${hash.slice(0, 12)} was made with ${gone.join(', ')}`);
}

function forgottenIn(release: ReleaseRecord, store: Store): string[] {
  const forgotten = release.lineage.filter(({ gateway }) => store.forgotten.has(gateway));
  // of a gateway that went back to an earlier delta, what stays of it may be told
  const stays = ({ gateway, incarnation, seq }: LineageEntry) =>
    store.deltas
      .contributionsOf(gateway)
      .some((kept) => kept.schema === release.schema && kept.incarnation === incarnation && kept.seq >= seq);
  return forgotten.filter((entry) => !stays(entry)).map(({ gateway }) => gateway);
}

function namesOf({ hash, schema }: Pick<ReleaseRecord, 'hash' | 'schema'>, store: Store) {
  const head = store.heads.get(schema);
  if (head === null) return { aliases: [], pinned: false };
  return { aliases: ALIASES.filter((alias) => aliased(head, alias) === hash), pinned: head.pinned === hash };
}

function aliased(head: Head, alias: Alias): string | null {
  return { champion: championOf(head), previous: head.previous, newest: head.release }[alias];
}

/** A release by an alias of its model, or by the beginning of its hash. */
function resolve(ref: string, task: string | null, store: Store): ReleaseRecord {
  const alias = ALIASES.find((name) => name === ref);
  const hash = alias === undefined ? byPrefix(ref, store) : aliased(modelOf(task, store), alias);
  const release = hash === null ? null : store.releases.get(hash);
  if (release === null) throw new RivuletError('RIV_RELEASE_UNKNOWN', `no release ${ref}`);
  return release;
}

function byPrefix(prefix: string, store: Store): string | null {
  if (!/^[0-9a-f]{1,64}$/.test(prefix) || prefix.length < PREFIX_MIN) {
    throw new RivuletError('RIV_USAGE', {
      found: `the release ${JSON.stringify(prefix)}`,
      expected: `at least ${PREFIX_MIN} digits of its hash, or ${ALIASES.join(', ')}`,
    });
  }
  const found = store.releases.find(prefix);
  if (found.length > 1) throw new RivuletError('RIV_USAGE', `several releases begin with ${prefix}`);
  return found[0] ?? null;
}

/** The model of a task (or of a schema hash); a task that has several must be named by its schema. */
function modelOf(task: string | null, store: Store): Head {
  const heads = store.heads.list();
  const found = task === null ? heads : heads.filter((head) => head.task === task || head.schema === task);
  if (found.length === 1) return found[0] as Head;
  const choices = (found.length === 0 ? heads : found).map((head) => `${head.task} (${head.schema})`).join(', ');
  if (task !== null && found.length === 0) throw new RivuletError('RIV_NOT_FOUND', `no model of ${task}`);
  throw new RivuletError('RIV_USAGE', {
    found: `${found.length} models`,
    expected: 'one: name it with --task, by its task or its schema',
    todo: choices === '' ? 'There is none yet.' : `There are: ${choices}.`,
  });
}

function weightsOf(release: ReleaseRecord, store: Store): Map<string, number> {
  const bytes = store.blobs.get(release.hash);
  if (bytes === null) return new Map();
  const { model, schema } = decodeRelease(bytes);
  return modelWeights(model, parseSchema(Buffer.from(schema).toString('utf8')).features);
}

function changeOf({ from, to }: { readonly from: number | null; readonly to: number | null }): number {
  return Math.abs((to ?? 0) - (from ?? 0));
}
