/**
 * Makes releases: solves a model when it is due, names the result by its hash, and writes bytes, record and head in
 * one transaction. The head moves by compare-and-set, so two writers could never both win.
 */
import {
  type Clock,
  decodeRelease,
  encodeRelease,
  type Release,
  RivuletError,
  releaseHash,
  toRivuletError,
} from '@rivulet/host';
import type { Head, LineageEntry, ReleaseRecord, Store, SuspectRecord } from '../drivers/store.ts';
import { leafOf } from '../merge.ts';
import { type ReleaseChange, releaseDecision } from './due.ts';
import { continuesLine, membersChanged } from './line.ts';
import type { Models } from './models.ts';

const NO_HASH = Buffer.alloc(32);

export interface ReleaserParts {
  readonly store: Store;
  readonly models: Models;
  readonly clock: Clock;
  readonly kernelHash: Uint8Array;
  /** Releases hold only what depends on no release: every gateway can be taken out of them exactly. */
  readonly removable: boolean;
  /** Calls `work` once, later; returns how to take that back. */
  readonly after: (ms: number, work: () => void) => () => void;
  readonly everyMs: number;
  readonly onRelease: (release: ReleaseRecord) => void;
  /** A model that could not be solved (too few rows, say); it is tried again when something new has come. */
  /** A gateway stands apart from the others and is left out until it fits again. */
  readonly onSuspect: (head: Head, suspect: SuspectRecord) => void;
  readonly onFailure: (head: Head, error: RivuletError) => void;
}

export interface Releaser {
  /** In how many ms a release of this model can be there; 0: the newest one has everything. */
  waitMs(schema: string): number;
  /** Something was accepted for this model: see to it when it is due. */
  wake(): void;
  /** Makes what is due now. */
  run(): void;
  /**
   * Releases a model whose gateways have changed, due or not; for use inside a transaction. Where too little is left for
   * a model, its head is cleared: gateways are told of none. Returns the release's hash, or null.
   */
  renew(schema: string): ReleaseRecord | null;
  stop(): void;
}

export function openReleaser(parts: ReleaserParts): Releaser {
  const { store, models, clock, everyMs } = parts;
  const lastMonoMs = new Map<string, number>();
  /** Offsets at which a model could not be solved: not tried again until there is more. */
  const failedAt = new Map<string, number>();
  let cancel: (() => void) | null = null;
  let timerMonoMs = 0;
  let stopped = false;

  function decide(head: Head) {
    return releaseDecision({
      offset: head.offset,
      doneOffset: Math.max(head.releaseOffset, failedAt.get(head.schema) ?? 0),
      lastMonoMs: lastMonoMs.get(head.schema) ?? null,
      nowMonoMs: clock.monoUs() / 1000,
      everyMs,
      change: () => changeSince(head),
    });
  }

  function changeSince(head: Head): ReleaseChange | null {
    const released = head.release === null ? null : store.releases.get(head.release);
    if (released === null) return null;
    const suspects = store.suspects.of(head.schema);
    return {
      // what the newest release left out on purpose is no growth
      rowsReleased: suspects.reduce((rows, suspect) => rows + suspect.rows, released.rows),
      rowsNow: models.count(head).rows,
      membersChanged:
        membersChanged(released.lineage, lineageWithout(head.schema, suspects)) ||
        (suspects.length > 0 && otherSuspects(head, suspects)),
      ageMs: clock.wallMs() - released.createdMs,
    };
  }

  /** Who is left out may fit by now, and the other way round: that is worth a release, however few rows are new. */
  function otherSuspects(head: Head, suspects: readonly SuspectRecord[]): boolean {
    const apart = new Set(apartNow(head).apart.map(({ gateway }) => gateway));
    return apart.size !== suspects.length || suspects.some(({ gateway }) => !apart.has(gateway));
  }

  function attempt(head: Head): void {
    lastMonoMs.set(head.schema, clock.monoUs() / 1000);
    try {
      const release = store.atomically(() => make(head));
      if (release !== null) parts.onRelease(release);
    } catch (error) {
      const failure = toRivuletError(error);
      if (failure.code !== 'RIV_STORE') failedAt.set(head.schema, head.offset);
      parts.onFailure(head, failure);
    }
  }

  /** Null: what came changed nothing in the model. */
  function make(head: Head): ReleaseRecord | null {
    const suspects = judge(head);
    const parentBytes = head.release === null ? null : store.blobs.get(head.release);
    const lineage = lineageWithout(head.schema, suspects);
    const line = lineAfter(head.release, parentBytes, lineage);
    // Who has just been left out may have bent what all others learned on top of releases: a new line begins without that.
    const begins = head.form === 2 && NO_HASH.equals(line);
    const solved = models[begins ? 'solveAnew' : 'solveWithout'](
      head,
      suspects.map(({ gateway }) => gateway),
      parts.removable || store.forgotten.isRemovableOnly(head.schema),
    );
    const content = {
      task: head.task,
      schemaHash: Buffer.from(head.schema, 'hex'),
      kernelHash: parts.kernelHash,
      gateways: solved.gateways,
      rows: solved.rows,
      schema: Buffer.from(head.schemaText),
      model: solved.model,
    };
    if (parentBytes !== null && sameModel(parentBytes, content)) {
      advance(head, { releaseOffset: head.offset });
      return null;
    }
    const bytes = encodeRelease({
      ...content,
      parent: head.release === null ? NO_HASH : Buffer.from(head.release, 'hex'),
      line,
    });
    const record: ReleaseRecord = {
      hash: releaseHash(bytes).toString('hex'),
      parent: head.release,
      task: head.task,
      schema: head.schema,
      form: head.form,
      gateways: solved.gateways,
      rows: solved.rows,
      createdMs: clock.wallMs(),
      lineage,
    };
    store.blobs.put(record.hash, bytes);
    store.releases.add(record);
    store.count('releases');
    const previous = head.pinned === null ? head.release : head.previous;
    advance(head, { release: record.hash, previous, releaseOffset: head.offset, releases: head.releases + 1 });
    return record;
  }

  /** Who stands apart, as the class-mean test and the operators see it, and who was judged and fits. */
  function apartNow(head: Head): { apart: SuspectRecord[]; fit: LineageEntry[] } {
    if (head.form !== 2) return { apart: [], fit: [] };
    const known = new Map(store.suspects.of(head.schema).map((suspect) => [suspect.gateway, suspect]));
    const overrides = store.overrides.all();
    const { oneWorld, suspects } = models.judge(head);
    const byLeaf = new Map(suspects.map((suspect) => [suspect.leaf, suspect]));
    const apart: SuspectRecord[] = [];
    const fit: LineageEntry[] = [];
    for (const entry of store.deltas.lineage(head.schema)) {
      const { gateway, incarnation } = entry;
      const trusted = overrides.get(gateway) ?? null;
      const found = byLeaf.get(leafOf(gateway).toString('hex'));
      const out = trusted === null ? found !== undefined : !trusted;
      if (!out) {
        if (oneWorld && found === undefined) fit.push(entry);
        continue;
      }
      const sinceMs = known.get(gateway)?.sinceMs ?? clock.wallMs();
      // A gateway that fitted once does not lie about its classes: its world has changed.
      const moved = trusted === null && store.suspects.hasFitted(head.schema, gateway, incarnation);
      const { distance, limit, rows } = found ?? { distance: 0, limit: 0, rows: 0 };
      apart.push({ gateway, sinceMs, distance, limit, rows, moved });
    }
    return { apart, fit };
  }

  /** Who is left out of this release; those that are new and never fitted are put into quarantine with the evidence. */
  function judge(head: Head): SuspectRecord[] {
    const known = new Set(store.suspects.of(head.schema).map(({ gateway }) => gateway));
    const { apart: suspects, fit } = apartNow(head);
    store.suspects.set(head.schema, suspects);
    for (const { gateway, incarnation } of fit) store.suspects.fits(head.schema, gateway, incarnation);
    const news = suspects.filter(({ gateway, moved, limit }) => !known.has(gateway) && !moved && limit > 0);
    if (news.length === 0) return suspects;
    const statistics = new Map(
      store.deltas.contributions(head.schema).map((entry) => [entry.gateway, entry.statistics]),
    );
    for (const suspect of news) {
      const { gateway, sinceMs, distance, limit } = suspect;
      const reason = `its class means for ${head.task} are ${distance.toFixed(1)} times as far from the others' as chance gives; ${limit.toFixed(1)} is suspicious`;
      const bytes = statistics.get(gateway) ?? Buffer.alloc(0);
      store.quarantine.add({ atMs: sinceMs, gateway, code: 'RIV_SUSPECT', reason, bytes });
      store.count('quarantined');
      store.whenWritten((kept) => {
        if (kept) parts.onSuspect(head, suspect);
      });
    }
    return suspects;
  }

  function lineageWithout(schema: string, suspects: readonly SuspectRecord[]): LineageEntry[] {
    const out = new Set(suspects.map(({ gateway }) => gateway));
    return store.deltas.lineage(schema).filter(({ gateway }) => !out.has(gateway));
  }

  /** The line that a release of `lineage` goes on with; zeros: it begins one. */
  function lineAfter(parent: string | null, parentBytes: Uint8Array | null, lineage: readonly LineageEntry[]) {
    const record = parent === null ? null : store.releases.get(parent);
    if (record === null || parentBytes === null || !continuesLine(record.lineage, lineage)) return NO_HASH;
    const { line } = decodeRelease(parentBytes);
    return NO_HASH.equals(line) ? Buffer.from(record.hash, 'hex') : line;
  }

  function advance(head: Head, change: Partial<Head>): void {
    const next = { ...head, ...change, revision: head.revision + 1 };
    if (store.heads.compareAndSet(head.revision, next)) return;
    throw new RivuletError('RIV_INTERNAL', `the head of ${head.task} moved while a release of it was made`);
  }

  function run(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const listed of store.heads.list()) {
      const decision = decide(listed);
      if (decision.kind === 'release') attempt(listed);
      if (decision.kind === 'wait' || decision.kind === 'little_new') next = Math.min(next, decision.ms);
    }
    if (next < Number.POSITIVE_INFINITY) arm(next);
  }

  /** One timer, for whatever is due first. */
  function arm(ms: number): void {
    const dueMonoMs = clock.monoUs() / 1000 + ms;
    if (stopped || (cancel !== null && timerMonoMs <= dueMonoMs)) return;
    cancel?.();
    timerMonoMs = dueMonoMs;
    cancel = parts.after(ms, () => {
      cancel = null;
      run();
    });
  }

  return {
    waitMs(schema) {
      const head = store.heads.get(schema);
      const decision = head === null ? null : decide(head);
      if (decision === null || decision.kind === 'nothing_new') return 0;
      return decision.kind === 'release' ? 1 : decision.ms;
    },
    wake: () => arm(0),
    run,
    renew(schema) {
      const head = store.heads.get(schema);
      if (head === null) return null;
      try {
        return make(head);
      } catch (error) {
        const { code } = toRivuletError(error);
        if (code !== 'RIV_CORE_TOO_FEW_ROWS' && code !== 'RIV_CORE_SINGULAR') throw error;
        advance(head, { release: null, releaseOffset: head.offset });
        return null;
      }
    },
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}

/** True when a release of this content would differ from its parent in nothing but its place in the chain. */
function sameModel(parentBytes: Uint8Array, content: Omit<Release, 'parent' | 'line'>): boolean {
  const parent = decodeRelease(parentBytes);
  return encodeRelease({ ...content, parent: parent.parent, line: parent.line }).equals(parentBytes);
}
