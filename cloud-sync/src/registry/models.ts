/**
 * The live merges, one per model, each rebuilt from the stored contributions when it is not there: at start, after a
 * trap, after a write that did not reach the disk. So what is in memory is always what is on disk (or on its way there), or nothing.
 */
import { RivuletError } from '@rivulet/host';
import type { Contribution, Form, Store } from '../drivers/store.ts';
import type { Judgement, Measured, Merge, OpenMerge, Solved } from '../merge.ts';
import { openLines } from './line.ts';

/** Merges in memory at a time: each is an instance of the core. The one used longest ago makes way, and comes back when needed. */
const LIVE_MAX = 64;

export interface Models {
  /**
   * Takes a gateway's statistics in; true when a part of them was left out for the first time since it was whole. Throws the
   * core's refusal; the model is then as it was before. What it learned on top of releases counts when it goes on from a release
   * of the present line: what went before was bent by whatever ended that line.
   */
  put(model: ModelSource, contribution: Pick<Contribution, 'gateway' | 'statistics' | 'base'>): boolean;
  solve(model: ModelSource): Solved;
  count(model: ModelSource): { gateways: number; rows: number };
  measure(model: ModelSource): Measured;
  judge(model: ModelSource): Judgement;
  /** Solves the model of a fleet without these gateways; they stay in the merge. `removable`: what depends on no release. */
  solveWithout(model: ModelSource, gateways: readonly string[], removable: boolean): Solved;
  /** The same for the first release of a line: of what was learned on top of releases nothing counts. */
  solveAnew(model: ModelSource, gateways: readonly string[], removable: boolean): Solved;
  /** Takes a gateway out of the live merge; the store is the caller's. */
  remove(model: ModelSource, gateway: string): void;
  /** The measure of a merge made anew of the stored contributions, as of a fleet that never had any others. */
  measureAnew(model: ModelSource): Measured;
  /** Brings the stored models back; statistics that the core now refuses are withdrawn and kept in quarantine. */
  rebuild(): void;
}

export interface ModelSource {
  readonly schema: string;
  readonly schemaText: string;
  readonly form: Form;
}

interface Live {
  readonly merge: Merge;
  /** Gateways of whose statistics a part was left out. */
  readonly partial: Set<string>;
}

export function openModels(store: Store, open: OpenMerge, wallMs: () => number): Models {
  const live = new Map<string, Live>();
  const lines = openLines(store);

  function get(model: ModelSource): Live {
    const found = live.get(model.schema) ?? build(model);
    live.delete(model.schema); // and to the end: the first of the map is the one used longest ago
    live.set(model.schema, found);
    const [oldest] = live.keys();
    if (live.size > LIVE_MAX && oldest !== undefined) live.delete(oldest);
    return found;
  }

  /** Co-moments know of no releases. */
  function onLine({ schema, form }: ModelSource, { base }: Pick<Contribution, 'base'>): boolean {
    return form === 1 || (base !== undefined && lines.isPresent(schema, base));
  }

  /** `anew`: nothing counts that was learned on top of releases. */
  function build(model: ModelSource, anew = false): Live {
    for (;;) {
      const built = { merge: open(model.schemaText, model.form), partial: new Set<string>() };
      if (filled(built, model, anew)) return built;
    }
  }

  /** A change goes with the transaction that it is in: without that the instance is dropped, and the next use builds it anew. */
  function changes(schema: string): void {
    store.whenWritten((kept) => {
      if (!kept) live.delete(schema);
    });
  }

  /** False when the instance died of a contribution: that one is withdrawn, so the next attempt has one less. */
  function filled(built: Live, model: ModelSource, anew: boolean): boolean {
    for (const contribution of store.deltas.contributions(model.schema)) {
      try {
        const { gateway, statistics } = contribution;
        note(built, gateway, built.merge.put(gateway, statistics, !anew && onLine(model, contribution)));
      } catch (error) {
        withdraw(contribution, error);
        if (isTrap(error)) return false;
      }
    }
    return true;
  }

  /** True when a part is left out now and was not before. */
  function note({ partial }: Live, gateway: string, whole: boolean): boolean {
    if (whole) partial.delete(gateway);
    const news = !whole && !partial.has(gateway);
    if (news) partial.add(gateway);
    return news;
  }

  function withdraw(contribution: Contribution, error: unknown): void {
    if (!(error instanceof RivuletError)) throw error;
    store.atomically(() => {
      changes(contribution.schema);
      store.deltas.withdraw(contribution.schema, contribution.gateway);
      store.quarantine.add({
        atMs: wallMs(),
        gateway: contribution.gateway,
        code: error.code,
        reason: `stored statistics of ${contribution.task} were refused on rebuilding: ${error.message}`,
        bytes: contribution.statistics,
      });
      store.count('quarantined');
    });
  }

  /** Runs one operation; an instance that trapped is dead and is forgotten. */
  function guarded<T>(model: ModelSource, work: (merge: Merge, found: Live) => T): T {
    const found = get(model);
    try {
      return work(found.merge, found);
    } catch (error) {
      if (isTrap(error)) live.delete(model.schema);
      throw error;
    }
  }

  function solvedWithout(
    merge: Merge,
    { schema }: ModelSource,
    gateways: readonly string[],
    removable: boolean,
  ): Solved {
    for (const gateway of gateways) merge.remove(gateway);
    try {
      return merge.solve(removable);
    } finally {
      live.delete(schema); // built anew of the store, with all, when it is next needed
    }
  }

  return {
    put(model, contribution) {
      const { gateway, statistics } = contribution;
      changes(model.schema);
      const forked = onLine(model, contribution);
      return guarded(model, (merge, found) => note(found, gateway, merge.put(gateway, statistics, forked)));
    },
    solve: (model) => guarded(model, (merge) => merge.solve()),
    count: (model) => guarded(model, (merge) => merge.count()),
    measure: (model) => guarded(model, (merge) => merge.measure()),
    remove(model, gateway) {
      changes(model.schema);
      guarded(model, (merge) => merge.remove(gateway));
    },
    judge: (model) => guarded(model, (merge) => merge.judge()),
    solveWithout(model, gateways, removable) {
      if (gateways.length === 0) return guarded(model, (merge) => merge.solve(removable));
      return guarded(model, (merge) => solvedWithout(merge, model, gateways, removable));
    },
    solveAnew(model, gateways, removable) {
      if (model.form !== 1) live.set(model.schema, build(model, true));
      return guarded(model, (merge) => solvedWithout(merge, model, gateways, removable));
    },
    measureAnew: (model) => build(model).merge.measure(),
    rebuild() {
      const newestLast = store.heads.list().toSorted((a, b) => a.offset - b.offset);
      for (const head of newestLast.slice(-LIVE_MAX)) get(head);
    },
  };
}

function isTrap(error: unknown): boolean {
  return error instanceof RivuletError && error.code === 'RIV_CORE_TRAPPED';
}
