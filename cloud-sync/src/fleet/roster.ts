/**
 * The gateways as the coordinator knows them now: who is enrolled, what each last reported, which are up.
 *
 * The directory on disk holds what must survive a restart; rates and presence are made anew from what is heard. What is
 * noted here goes with the transaction that writes it down: when that fails it is taken back.
 */

import type { Clock } from '@rivulet/host';
import type { GatewayView, TaskView } from '../api/views.ts';
import type { GatewayRecord, Store } from '../drivers/store.ts';
import { openCurves } from './curves.ts';
import { heard, isUp, type Presence, reported } from './presence.ts';
import type { Telling } from './readings.ts';
import { newRecent, type Recent } from './recent.ts';
import { parseReport, type Report, type TaskReport } from './report.ts';

export interface Member {
  readonly id: string;
  readonly publicKey: Uint8Array;
  readonly enrolledMs: number;
  readonly lastSeenMs: number;
  readonly about: string;
  readonly simulated: boolean;
  readonly report: Report | null;
}

export interface Roster {
  get(id: string): Member | null;
  size(): number;
  enrol(gateway: GatewayRecord, incarnation: string): void;
  /** Something signed by the gateway came in. */
  heard(id: string): void;
  reported(id: string, report: Report, body: string): void;
  /** Gateways that tell what they measure, in id order. */
  telling(): Telling[];
  view(id: string): GatewayView | null;
  /** In id order. */
  views(): GatewayView[];
  /** Gateways that came up or went down since the last call. */
  changes(): { id: string; up: boolean }[];
}

/** Hearing of a gateway is written down this often: a write for each envelope would cost as much as the envelope. */
const WRITTEN_EVERY_MS = 10_000;

interface Entry {
  record: GatewayRecord;
  report: Report | null;
  presence: Presence | null;
  readonly recent: Recent;
  wasUp: boolean;
  /** When it was last written down that it was heard. */
  writtenMs: number;
}

export function openRoster(store: Pick<Store, 'directory' | 'clones' | 'whenWritten'>, clock: Clock): Roster {
  const { directory, clones } = store;
  const curves = openCurves(store);
  const entries = new Map<string, Entry>(
    directory.gateways().map((record) => [record.id, entryOf(record, clock)] as const),
  );

  function sorted(): Entry[] {
    return [...entries.values()].sort((a, b) => (a.record.id < b.record.id ? -1 : 1));
  }

  /** What is about to be noted of a gateway is as it was when that does not get to disk; that it was heard stays true. */
  function noting(entry: Entry, written: () => void = () => {}): void {
    const { report, writtenMs } = entry;
    const { about, simulated } = entry.record;
    store.whenWritten((kept) => {
      if (kept) return written();
      entry.report = report;
      entry.writtenMs = writtenMs;
      entry.record = { ...entry.record, about, simulated };
    });
  }

  return {
    get: (id) => memberOf(entries.get(id)),
    size: () => entries.size,
    enrol(record, incarnation) {
      directory.enrol(record, incarnation);
      entries.set(record.id, entryOf(record, clock));
      store.whenWritten((kept) => {
        if (!kept) entries.delete(record.id);
      });
    },
    heard(id) {
      const entry = entries.get(id);
      if (entry === undefined) return;
      entry.presence = heard(entry.presence, monoMs(clock));
      const now = clock.wallMs();
      entry.record = { ...entry.record, lastSeenMs: now };
      if (Math.abs(now - entry.writtenMs) < WRITTEN_EVERY_MS) return;
      noting(entry);
      entry.writtenMs = now;
      directory.saw(id, now, null);
    },
    reported(id, report, body) {
      const entry = entries.get(id);
      if (entry === undefined) return;
      const now = clock.wallMs();
      const mono = monoMs(clock);
      noting(entry, () => entry.recent.add(mono, report));
      directory.saw(id, now, body);
      entry.writtenMs = now;
      for (const task of report.tasks) curves.add(id, task, now);
      entry.presence = reported(entry.presence, mono);
      entry.record = { ...entry.record, lastSeenMs: now, about: report.about, simulated: report.simulated };
      entry.report = report;
    },
    telling: () =>
      [...entries.values()]
        .filter(({ report }) => (report?.fleet.readings.size ?? 0) > 0)
        .map(({ record, report }) => ({ id: record.id, report }))
        .sort((a, b) => (a.id < b.id ? -1 : 1)),
    view(id) {
      const entry = entries.get(id);
      return entry === undefined ? null : viewOf(entry, clones.since(id), clock);
    },
    views() {
      const cloned = clones.all();
      return sorted().map((entry) => viewOf(entry, cloned.get(entry.record.id) ?? null, clock));
    },
    changes() {
      const changed: { id: string; up: boolean }[] = [];
      for (const entry of entries.values()) {
        const up = isUp(entry.presence, monoMs(clock));
        if (up !== entry.wasUp) changed.push({ id: entry.record.id, up });
        entry.wasUp = up;
      }
      return changed;
    },
  };
}

function entryOf(record: GatewayRecord, clock: Clock): Entry {
  const silentMs = Math.max(0, clock.wallMs() - record.lastSeenMs);
  const report = keptReport(record.report);
  return {
    record: report === null ? record : { ...record, about: report.about, simulated: report.simulated },
    report,
    presence: heard(null, monoMs(clock) - silentMs),
    recent: newRecent(),
    wasUp: false,
    writtenMs: record.lastSeenMs,
  };
}

/** A report kept by another version may be one that this version does not read: the next one will do. */
function keptReport(body: string | null): Report | null {
  try {
    return body === null ? null : parseReport(body);
  } catch {
    return null;
  }
}

function memberOf(entry: Entry | undefined): Member | null {
  if (entry === undefined) return null;
  const { id, publicKey, enrolledMs, lastSeenMs, about, simulated } = entry.record;
  return { id, publicKey, enrolledMs, lastSeenMs, about, simulated, report: entry.report };
}

function viewOf(entry: Entry, clonedSince: number | null, clock: Clock): GatewayView {
  const { record, report, recent } = entry;
  const up = isUp(entry.presence, monoMs(clock));
  const nothing = { received: 0, used: 0, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };
  return {
    id: record.id,
    about: record.about,
    simulated: record.simulated,
    up,
    last_seen: record.lastSeenMs,
    messages: report?.messages ?? 0,
    messages_per_s: up ? rounded(recent.messagesPerS()) : 0,
    predictions_per_s: up ? rounded(recent.predictionsPerS()) : 0,
    ledger: report?.ledger ?? nothing,
    cpu_us_per_message: report?.cpuUsPerMessage ?? null,
    rss_mib: report?.rssMib ?? null,
    releases_accepted: report?.releasesAccepted ?? 0,
    connected: report?.connected ?? false,
    last_error: report?.lastError ?? null,
    cloned_since: clonedSince,
    tasks: (report?.tasks ?? []).map((task) => taskView(task, recent)),
  };
}

function taskView(task: TaskReport, recent: Recent): TaskView {
  const lately = recent.error(task.name);
  const { name, kind, predictions, matured, alarms, schema, release, panel, drift, labels } = task;
  return {
    name,
    kind,
    error: matured > 0 ? task.errorSum / matured : null,
    error_last_value: matured > 0 ? task.baselineSum / matured : null,
    recent_error: lately?.error ?? null,
    recent_error_last_value: lately?.baseline ?? null,
    predictions,
    matured,
    alarms,
    schema,
    release,
    panel,
    drift,
    labels,
  };
}

/** Rates to a tenth: more digits would only make the page flicker. */
function rounded(rate: number): number {
  return Math.round(rate * 10) / 10;
}

function monoMs(clock: Clock): number {
  return clock.monoUs() / 1000;
}
