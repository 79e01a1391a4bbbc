/**
 * The live merges, one per model, each rebuilt from the stored contributions when it is not there: at start, after a
 * trap, after a write that did not reach the disk. So what is in memory is always what is on disk, or nothing.
 */
import { RivuletError } from '@rivulet/host';
import type { Contribution, Form, Store } from '../drivers/store.ts';
import type { Judgement, Measured, Merge, OpenMerge, Solved } from '../merge.ts';

/** Merges in memory at a time: each is an instance of the core. The one used longest ago makes way, and comes back when needed. */
const LIVE_MAX = 64;

export interface Models {
  /**
   * Takes a gateway's statistics in; true when a part of them was left out for the first time since it was whole. Throws the
   * core's refusal; the model is then as it was before.
   */
  put(model: ModelSource, gateway: string, statistics: Uint8Array): boolean;
  solve(model: ModelSource): Solved;
  count(model: ModelSource): { gateways: number; rows: number };
  measure(model: ModelSource): Measured;
  judge(model: ModelSource): Judgement;
  /** Solves the model of a fleet without these gateways; they stay in the merge. `removable`: what depends on no release. */
  solveWithout(model: ModelSource, gateways: readonly string[], removable: boolean): Solved;
  /** Takes a gateway out of the live merge; the store is the caller's. */
  remove(model: ModelSource, gateway: string): void;
  /** The measure of a merge made anew of the stored contributions, as of a fleet that never had any others. */
  measureAnew(model: ModelSource): Measured;
  /** Drops the instance: the next use rebuilds it from the store. */
  forget(schema: string): void;
  /** Drops every instance. */
  forgetAll(): void;
  /** Brings the stored models back; statistics that the core now refuses are withdrawn and kept in quarantine. */
  rebuild(): void;
}

export interface ModelSource {
  readonly schema: string;
  readonly schemaText: string;
  readonly form: Form;
}

export function openModels(store: Store, open: OpenMerge, wallMs: () => number): Models {
  const live = new Map<string, Merge>();
  /** Contributions of which a part was left out, as schema and gateway. */
  const partial = new Set<string>();

  function get(model: ModelSource): Merge {
    const merge = live.get(model.schema) ?? build(model);
    live.delete(model.schema); // and to the end: the first of the map is the one used longest ago
    live.set(model.schema, merge);
    const [oldest] = live.keys();
    if (live.size > LIVE_MAX && oldest !== undefined) live.delete(oldest);
    return merge;
  }

  function build(model: ModelSource): Merge {
    for (;;) {
      const merge = open(model.schemaText, model.form);
      if (filled(merge, model)) return merge;
    }
  }

  /** False when the instance died of a contribution: that one is withdrawn, so the next attempt has one less. */
  function filled(merge: Merge, model: ModelSource): boolean {
    for (const contribution of store.deltas.contributions(model.schema)) {
      try {
        note(contribution, contribution.gateway, merge.put(contribution.gateway, contribution.statistics));
      } catch (error) {
        withdraw(contribution, error);
        if (isTrap(error)) return false;
      }
    }
    return true;
  }

  /** True when a part is left out now and was not before. */
  function note({ schema }: { schema: string }, gateway: string, whole: boolean): boolean {
    const name = `${schema} ${gateway}`;
    if (whole) partial.delete(name);
    const news = !whole && !partial.has(name);
    if (news) partial.add(name);
    return news;
  }

  function withdraw(contribution: Contribution, error: unknown): void {
    if (!(error instanceof RivuletError)) throw error;
    store.atomically(() => {
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
  function guarded<T>(model: ModelSource, work: (merge: Merge) => T): T {
    const merge = get(model);
    try {
      return work(merge);
    } catch (error) {
      if (isTrap(error)) live.delete(model.schema);
      throw error;
    }
  }

  return {
    put: (model, gateway, statistics) =>
      note(
        model,
        gateway,
        guarded(model, (merge) => merge.put(gateway, statistics)),
      ),
    solve: (model) => guarded(model, (merge) => merge.solve()),
    count: (model) => guarded(model, (merge) => merge.count()),
    measure: (model) => guarded(model, (merge) => merge.measure()),
    remove: (model, gateway) => guarded(model, (merge) => merge.remove(gateway)),
    judge: (model) => guarded(model, (merge) => merge.judge()),
    solveWithout(model, gateways, removable) {
      if (gateways.length === 0) return guarded(model, (merge) => merge.solve(removable));
      return guarded(model, (merge) => {
        for (const gateway of gateways) merge.remove(gateway);
        try {
          return merge.solve(removable);
        } finally {
          live.delete(model.schema); // built anew of the store, with all, when it is next needed
        }
      });
    },
    measureAnew: (model) => build(model).measure(),
    forget: (schema) => void live.delete(schema),
    forgetAll: () => live.clear(),
    rebuild() {
      const newestLast = store.heads.list().toSorted((a, b) => a.offset - b.offset);
      for (const head of newestLast.slice(-LIVE_MAX)) get(head);
    },
  };
}

function isTrap(error: unknown): boolean {
  return error instanceof RivuletError && error.code === 'RIV_CORE_TRAPPED';
}
