/**
 * What the coordinator remembers, as interfaces (design section 8). SQLite is the first driver; a distributed engine
 * implements the same three: an append-only `DeltaLog`, a `HeadStore` with compare-and-set, a `BlobStore` of immutable
 * bytes. `Directory` (who is enrolled, what they last said) and `Quarantine` are bookkeeping beside them.
 *
 * Calls are synchronous: the embedded driver is, and what one request does is one transaction.
 */

/** One model is one task under one schema; the schema hash (hex) covers the task's name, so it alone is the key. */
export interface ModelKey {
  readonly task: string;
  /** SHA-256 of the schema, hex. */
  readonly schema: string;
}

/** Form of the statistics, FORMATS.md section 6: 1 co-moments, 2 class statistics. */
export type Form = 1 | 2;

/** A delta that passed the door: signature checked, hashes checked. */
export interface Delta extends ModelKey {
  readonly gateway: string;
  /** 16 bytes, hex. */
  readonly incarnation: string;
  readonly seq: number;
  /** SHA-256 of the statistics, hex. */
  readonly payloadHash: string;
  readonly schemaText: string;
  readonly form: Form;
  readonly statistics: Uint8Array;
  readonly receivedMs: number;
  /** The release that they go on from, hex; absent: none. */
  readonly base?: string;
}

/** What a delta is to what is there already. `conflict`: its number was used before for other contents. */
export type Standing = 'newest' | 'superseded' | 'duplicate' | 'conflict';

/** The newest statistics of one gateway for one model. */
export interface Contribution extends ModelKey {
  readonly gateway: string;
  readonly incarnation: string;
  readonly seq: number;
  readonly receivedMs: number;
  readonly statistics: Uint8Array;
  /** The release that they go on from, hex; absent: none, or it was not kept when they came. */
  readonly base?: string;
}

/** One part of what a release was made of. */
export interface LineageEntry {
  readonly gateway: string;
  readonly incarnation: string;
  readonly seq: number;
}

/** The deltas, each once, in the order they came. */
export interface DeltaLog {
  /** Where a delta stands; changes nothing. Incarnations rank in the order they were first seen. */
  standing(delta: Pick<Delta, 'gateway' | 'incarnation' | 'seq' | 'schema' | 'payloadHash'>): Standing;
  /** Writes the delta down and returns its offset; with standing `newest` it becomes its gateway's contribution. */
  append(delta: Delta, outcome: 'accepted' | 'superseded' | 'quarantined', reason: string | null): number;
  /** How an earlier delta of that number ended. */
  outcome(gateway: string, incarnation: string, seq: number): { outcome: string; reason: string | null } | null;
  /** The newest statistics per gateway of a model, in gateway order. */
  contributions(schema: string): Contribution[];
  /** Whose statistics a model is made of, and which, in gateway order. */
  lineage(schema: string): LineageEntry[];
  /** The newest per model of one gateway, without the statistics. */
  contributionsOf(gateway: string): Omit<Contribution, 'statistics'>[];
  /** The newest of one gateway's statistics that came before then and were kept: the last of each of its newest days. */
  earlier(schema: string, gateway: string, beforeMs: number): Contribution | null;
  /** One of `earlier` becomes the gateway's contribution again; what came later is removed. */
  goBack(contribution: Contribution): void;
  /** Takes one gateway's statistics out of a model (they were refused by a newer core). */
  withdraw(schema: string, gateway: string): void;
}

/** What was done for a model: the one record that a restart resumes from. */
export interface Head extends ModelKey {
  readonly schemaText: string;
  readonly form: Form;
  /** Hash of the newest release, hex. */
  readonly release: string | null;
  /** Release that gateways are told instead of the newest; null: the newest. */
  readonly pinned: string | null;
  /** Release that gateways were told before the present one. */
  readonly previous: string | null;
  /** Offset in the delta log up to which the release took everything in. */
  readonly releaseOffset: number;
  /** Offset of the newest contribution. */
  readonly offset: number;
  /** Releases made so far. */
  readonly releases: number;
  /** Grows by one with each write; what compare-and-set compares. */
  readonly revision: number;
}

/** The release that gateways are told: the champion. */
export function championOf(head: Pick<Head, 'release' | 'pinned'>): string | null {
  return head.pinned ?? head.release;
}

export interface HeadStore {
  get(schema: string): Head | null;
  list(): Head[];
  count(): number;
  /** Writes `next` if the stored revision is `expected` (null: no record yet); says whether it did. */
  compareAndSet(expected: number | null, next: Head): boolean;
}

/** Immutable bytes by SHA-256. */
export interface BlobStore {
  put(hash: string, bytes: Uint8Array): void;
  get(hash: string): Uint8Array | null;
}

/** A release as it is written down; its bytes are in the blob store under its hash. */
export interface ReleaseRecord extends ModelKey {
  readonly hash: string;
  readonly parent: string | null;
  readonly form: Form;
  readonly gateways: number;
  readonly rows: number;
  readonly createdMs: number;
  readonly lineage: readonly LineageEntry[];
}

export interface ReleaseLog {
  add(release: ReleaseRecord): void;
  get(hash: string): ReleaseRecord | null;
  has(hash: string): boolean;
  /** The record goes, its bytes stay. */
  remove(hash: string): void;
  /** Hashes that begin with `prefix`, two at most: enough to tell one from several. */
  find(prefix: string): string[];
  /** Releases that a gateway's statistics are in, oldest first. */
  madeWith(gateway: string): Omit<ReleaseRecord, 'lineage'>[];
  /** Newest first, at most `limit`; of one task, one schema, or all. */
  list(filter: { task?: string; schema?: string; limit: number }): Omit<ReleaseRecord, 'lineage'>[];
}

/** An enrolled gateway. */
export interface GatewayRecord {
  readonly id: string;
  /** Its Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly about: string;
  readonly simulated: boolean;
  readonly enrolledMs: number;
  readonly lastSeenMs: number;
  /** The body of its last report, or null. */
  readonly report: string | null;
}

/** A point of a learning curve, in cumulative sums: leaving points out loses resolution, never evidence. */
export interface CurvePoint {
  readonly atMs: number;
  readonly matured: number;
  readonly errorSum: number;
  readonly baselineSum: number;
}

export interface Directory {
  gateways(): GatewayRecord[];
  /** Writes a new gateway down; its id must not be there yet. */
  enrol(gateway: GatewayRecord, incarnation: string): void;
  /** Notes an incarnation, ranked behind those seen before. */
  seeIncarnation(gateway: string, incarnation: string): void;
  incarnations(gateway: string): readonly string[];
  /** The numbers of the newest reports of a gateway's incarnations; 0: none was given. */
  reportNumbers(gateway: string): ReadonlyMap<string, number>;
  /** Notes the number of a report; nothing happens for an incarnation that was not seen. */
  noteReport(gateway: string, incarnation: string, number: number): void;
  saw(gateway: string, atMs: number, report: string | null): void;
  addCurvePoint(gateway: string, task: string, point: CurvePoint): void;
  /** Oldest first. */
  curve(gateway: string, task: string): CurvePoint[];
  /** Leaves every second point out, and returns how many are left. */
  halveCurve(gateway: string, task: string): number;
  /** All (gateway, task) pairs that have a curve, with their number of points. */
  curves(): { gateway: string; task: string; points: number }[];
}

export interface QuarantineEntry {
  readonly atMs: number;
  readonly gateway: string | null;
  readonly code: string;
  readonly reason: string;
  readonly bytes: Uint8Array;
}

/** The newest refused inputs, kept for a look; bounded in number and in bytes each. */
export interface Quarantine {
  add(entry: QuarantineEntry): void;
  /** Newest first. */
  list(limit: number): QuarantineEntry[];
  /** Removes what a gateway sent. */
  forget(gateway: string): void;
}

/** A decision of an operator, with what it did. */
export interface AuditEntry {
  readonly atMs: number;
  readonly action: 'forget' | 'allow_return' | 'pin' | 'unpin' | 'rollback' | 'trust' | 'distrust' | 'judge' | 'kernel';
  /** The gateway, the task or the core it is about. */
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What operators decided; nothing is ever removed from it. */
export interface AuditLog {
  add(entry: AuditEntry): void;
  /** Newest first. */
  list(limit: number): AuditEntry[];
}

/** A gateway that is not in the releases of a model, because its statistics stand apart, with the evidence. */
export interface SuspectRecord {
  readonly gateway: string;
  readonly sinceMs: number;
  /** How far its class means are from the others', in units of chance, and from which distance on that is suspicious. */
  readonly distance: number;
  readonly limit: number;
  readonly rows: number;
  /** It fitted once: its world has changed, which is no reason to quarantine it. */
  readonly moved: boolean;
}

export interface Suspects {
  /** In gateway order. */
  of(schema: string): SuspectRecord[];
  /** Those of a model, in place of the earlier ones. */
  set(schema: string, suspects: readonly SuspectRecord[]): void;
  /** Notes that a gateway was judged, in a fleet that is one world, and fits. */
  fits(schema: string, gateway: string, incarnation: string): void;
  /** Whether that was ever so. */
  hasFitted(schema: string, gateway: string, incarnation: string): boolean;
}

/** Gateways that were taken out of the fleet and may not send again. */
export interface Forgotten {
  add(gateway: string, atMs: number): void;
  remove(gateway: string): void;
  has(gateway: string): boolean;
  /** From now on releases of this model hold only what depends on no release. */
  keepRemovable(schema: string): void;
  isRemovableOnly(schema: string): boolean;
}

/** What operators decided about gateways that stand apart, or might. */
export interface Overrides {
  /** `trusted`: in every release, else in none; null: the class-mean test decides again. */
  set(gateway: string, trusted: boolean | null, atMs: number): void;
  /** By gateway. */
  all(): ReadonlyMap<string, boolean>;
}

/** Gateways that live twice with one key; what they hand in does not count. */
export interface Clones {
  add(gateway: string, atMs: number): void;
  remove(gateway: string): void;
  /** Since when; null: it is there once. */
  since(gateway: string): number | null;
  /** By gateway, since when. */
  all(): ReadonlyMap<string, number>;
}

/** Whose arithmetic is taken: cores by the hash of their sources, hex. */
export interface Kernels {
  /** `own`: this coordinator has run it; else an operator named it. Nothing happens when it is there already. */
  add(hash: string, atMs: number, own: boolean): void;
  remove(hash: string): void;
  has(hash: string): boolean;
  /** Oldest first. */
  list(): { readonly hash: string; readonly sinceMs: number; readonly own: boolean }[];
}

/** The names of what is counted for good, in the same transaction as what it counts. */
export type CounterName = 'deltas' | 'duplicates' | 'superseded' | 'quarantined' | 'refused' | 'releases';

/** An envelope that the coordinator above has not signed for. */
export interface Relayed {
  readonly ordinal: number;
  readonly gateway: string;
  readonly incarnation: string;
  readonly seq: number;
  readonly envelope: Uint8Array;
}

/** The newest statistics of a gateway that count above. */
export interface HeldAbove {
  readonly schema: string;
  readonly incarnation: string;
  readonly seq: number;
}

/** What a coordinator of a site hands on to the one above it: as its gateways said and signed it. */
export interface Relay {
  /** The newest enrolment of a gateway: the request as JSON, and its signature in base64. */
  enrolled(gateway: string, body: string, signature: string): void;
  enrolment(gateway: string): { readonly body: string; readonly signature: string } | null;
  /** Waits from now on, in place of an earlier envelope of the gateway and model. */
  put(delta: Pick<Delta, 'gateway' | 'schema' | 'incarnation' | 'seq'>, envelope: Uint8Array): void;
  /** Behind `after`, the oldest first. */
  waiting(after: number, limit: number): Relayed[];
  /** It waits no more: the one above holds it. */
  held(ordinal: number): void;
  /** The one above does not want it. */
  drop(ordinal: number): void;
  /** What the one above has signed for and does not hold (any more) waits again; answers how many that is. */
  compare(gateway: string, held: readonly HeldAbove[]): number;
  /** Removes all of a gateway. */
  forget(gateway: string): void;
}

/** What a work came to. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

export interface Store {
  readonly deltas: DeltaLog;
  readonly heads: HeadStore;
  readonly blobs: BlobStore;
  readonly releases: ReleaseLog;
  readonly directory: Directory;
  readonly quarantine: Quarantine;
  readonly audit: AuditLog;
  readonly forgotten: Forgotten;
  readonly suspects: Suspects;
  readonly overrides: Overrides;
  readonly clones: Clones;
  readonly kernels: Kernels;
  readonly relay: Relay;
  /** Runs `work` whole or not at all; what it wrote is on disk when this returns (inside `together`: when that returns). */
  atomically<T>(work: () => T): T;
  /**
   * Group commit: runs all `works`, each with its own `atomically` calls whole or not at all, and brings what they wrote to
   * disk at once. Answers what became of each; throws when the whole did not get to disk: then nothing of it is there.
   */
  together<T>(works: readonly (() => T)[]): Outcome<T>[];
  /**
   * For memory that goes with what is being written: calls `ended` when that is on disk (`kept`), or, the newest first, when it
   * will never be. At once where nothing is being written.
   */
  whenWritten(ended: (kept: boolean) => void): void;
  count(name: CounterName): void;
  counter(name: CounterName): number;
  close(): void;
}
