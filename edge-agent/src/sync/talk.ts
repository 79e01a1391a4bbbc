/**
 * When a gateway talks: pure decisions. By time, when enough is new; at once when drift was found, when the fleet's model
 * and its own disagree, or when the coordinator lost something; and never beyond its bytes per day.
 */
import type { TaskStatus } from '@rivulet/host';

/** Growth of a task's rows from which on they are worth an envelope: the coordinator makes a release at 5 %. */
const GROWTH_MIN = 0.01;
/** So long at most is something new kept back because it is little. */
const AGE_MS_MAX = 60 * 60_000;
/** Labels of an expert before its error says something. */
const LABELS_MIN = 50;
/** How much worse than the best of its own experts the best of a release must be. */
const DISAGREEMENT_MIN = 1.25;
const DAY_MS = 86_400_000;
/** A budget that was not used is kept for so long. */
const SAVED_MS = 60 * 60_000;

/** Why what was learned goes out. */
export type Reason = 'time' | 'drift' | 'disagreement' | 'coordinator';

/** Of a task, when it last went out. */
export interface Told {
  readonly rows: number;
  readonly monoMs: number;
}

/** Whether rows are worth an envelope when only time has passed. */
export function isWorthTelling(rows: number, told: Told | undefined, nowMs: number): boolean {
  if (told === undefined || rows < told.rows) return true;
  return rows - told.rows >= GROWTH_MIN * told.rows || nowMs - told.monoMs >= AGE_MS_MAX;
}

/** The release that does clearly worse here than what the gateway learned by itself; null: none does, or too little is known. */
export function disagreement({ release, panel }: Pick<TaskStatus, 'release' | 'panel'>): string | null {
  const best = (released: boolean): number =>
    Math.min(
      ...panel
        .filter(({ expert, labels }) => expert.startsWith('release') === released && (labels ?? 0) >= LABELS_MIN)
        .flatMap(({ error }) => error ?? []),
    );
  const [fleet, own] = [best(true), best(false)];
  return release !== null && Number.isFinite(fleet) && fleet > DISAGREEMENT_MIN * own ? release : null;
}

/** What may be sent and received: a budget per day that fills evenly; one call may overdraw it, and is paid back first. */
export interface Allowance {
  spend(bytes: number): void;
  /** Bytes that are left now, below 0 after an overdraft; null: there is no budget. */
  left(): number | null;
  /** Milliseconds until there is something left. */
  waitMs(): number;
  /** How far apart calls of so many bytes must be to take half of the budget. */
  intervalMs(bytes: number): number;
}

/** @param bytesPerDay null: no budget */
export function openAllowance(bytesPerDay: number | null, monoMs: () => number): Allowance {
  if (bytesPerDay === null) return { spend: () => {}, left: () => null, waitMs: () => 0, intervalMs: () => 0 };
  const perMs = bytesPerDay / DAY_MS;
  let atMs = monoMs();
  let bytes = perMs * SAVED_MS;
  const left = (): number => {
    const now = monoMs();
    bytes = Math.min(bytes + (now - atMs) * perMs, perMs * SAVED_MS);
    atMs = now;
    return bytes;
  };
  return {
    spend(spent) {
      bytes = left() - spent;
    },
    left,
    waitMs: () => Math.max(0, Math.ceil(-left() / perMs)),
    intervalMs: (each) => (2 * each) / perMs,
  };
}
