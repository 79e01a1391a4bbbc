// All that the page shows, as signals. Written by live/ alone; pages and parts only read.
import { computed, signal } from '@preact/signals';
import { tasksOf } from '../model/tasks.ts';
import type { CurvePoint, Decision, Fleet, GatewayDetail, Model, Refused, Release } from '../model/wire.ts';
import type { Connection } from './connection.ts';

/** Two minutes of key figures at one a second, for the sparklines. */
export const HISTORY_MAX = 120;

export interface Pulse {
  at: number;
  messages_per_s: number;
  predictions_per_s: number;
}

export const connection = signal<Connection>({ state: 'loading' });
export const fleet = signal<Fleet | null>(null);
/** Ticks once a second, so that ages on the page grow together. */
export const now = signal(Date.now());
export const history = signal<readonly Pulse[]>([]);
export const models = signal<readonly Model[]>([]);
export const releases = signal<ReadonlyMap<string, readonly Release[]>>(new Map());
/** Per task; absent until it was asked for once. */
export const curves = signal<ReadonlyMap<string, readonly CurvePoint[]>>(new Map());
/** What the coordinator did not take, and what operators decided; newest first. */
export const refused = signal<readonly Refused[]>([]);
export const decisions = signal<readonly Decision[]>([]);
export const details = signal<ReadonlyMap<string, GatewayDetail>>(new Map());

export const tasks = computed(() => (fleet.value === null ? [] : tasksOf(fleet.value)));

export function takeFleet(next: Fleet, at: number): void {
  fleet.value = next;
  const sum = (of: (gateway: Fleet['gateways'][number]) => number | null): number =>
    next.gateways.reduce((total, gateway) => total + (of(gateway) ?? 0), 0);
  const pulse: Pulse = {
    at,
    messages_per_s: sum((gateway) => gateway.messages_per_s),
    predictions_per_s: sum((gateway) => gateway.predictions_per_s),
  };
  history.value = [...history.value.slice(1 - HISTORY_MAX), pulse];
}
