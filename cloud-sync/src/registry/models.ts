/**
 * The live merges, one per model, each rebuilt from the stored contributions when it is not there: at start, after a
 * trap, after a write that did not reach the disk. So what is in memory is always what is on disk (or on its way there), or nothing.
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

  function get(model: ModelSource): Live {
    const found = live.get(model.schema) ?? build(model);
    live.delete(model.schema); // and to the end: the first of the map is the one used longest ago
    live.set(model.schema, found);
    const [oldest] = live.keys();
    if (live.size > LIVE_MAX && oldest !== undefined) live.delete(oldest);
    return found;
  }

  function build(model: ModelSource): Live {
    for (;;) {
      const built = { merge: open(model.schemaText, model.form), partial: new Set<string>() };
      if (filled(built, model)) return built;
    }
  }

  /** A change goes with the transaction that it is in: without that the instance is dropped, and the next use builds it anew. */
  function changes(schema: string): void {
    store.whenWritten((kept) => {
      if (!kept) live.delete(schema);
    });
  }

  /** False when the instance died of a contribution: that one is withdrawn, so the next attempt has one less. */
  function filled(built: Live, model: ModelSource): boolean {
    for (const contribution of store.deltas.contributions(model.schema)) {
      try {
        note(built, contribution.gateway, built.merge.put(contribution.gateway, contribution.statistics));
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

  return {
    put(model, gateway, statistics) {
      changes(model.schema);
      return guarded(model, (merge, found) => note(found, gateway, merge.put(gateway, statistics)));
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
      return guarded(model, (merge) => {
        for (const gateway of gateways) merge.remove(gateway);
        try {
          return merge.solve(removable);
        } finally {
          live.delete(model.schema); // built anew of the store, with all, when it is next needed
        }
      });
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
