/**
 * A gateway's status report, parsed at the door: unknown JSON in, a typed report or a coded refusal out.
 *
 * Fields the coordinator does not know are let through unread: a newer agent may say more.
 */
import { RivuletError } from '@rivulet/host';
import { type FleetReport, parseFleetReport } from './report_fleet.ts';

/** Tasks of one gateway that are kept; a report with more is refused. */
const TASKS_MAX = 64;
/** Sources of one gateway, its label topics among them. */
const SOURCES_MAX = 256;
/** Experts of one panel that are kept: the design's panels have some forty. */
const EXPERTS_MAX = 128;
/** Findings of drift of one task that a report may have, and the newest that are kept. */
const EVIDENCE_MAX = 32;
const EVIDENCE_KEPT = 5;
/** Reasons of one source; the core has fewer codes. */
const REASONS_MAX = 64;
/** Longest name, identifier or free text of a report, in UTF-16 units. */
const TEXT_MAX = 256;

export const LEDGER_FIELDS = ['used', 'late', 'duplicate', 'retained', 'filtered', 'quarantined'] as const;
export type Ledger = Record<(typeof LEDGER_FIELDS)[number], number>;

export interface TaskReport {
  readonly name: string;
  readonly kind: string;
  readonly predictions: number;
  readonly matured: number;
  readonly alarms: number;
  /** Sum of errors over the matured predictions. */
  readonly errorSum: number;
  readonly baselineSum: number;
  readonly schema: string | null;
  readonly release: string | null;
  readonly panel: readonly { readonly expert: string; readonly weight: number; readonly error: number | null }[];
  readonly drift: DriftReport;
  readonly labels: LabelReport;
}

/** How far labels are believed: those that contradicted, and whether the breaker of their source is open. */
export interface LabelReport {
  readonly conflicting: number;
  readonly open: boolean;
}

/** What a task's watch has found: how often, and the newest, that first. */
export interface DriftReport {
  readonly alarms: number;
  readonly newest: readonly {
    readonly of: string;
    readonly key: string;
    readonly at: number;
    readonly before: number | null;
    readonly after: number | null;
  }[];
}

export interface SourceReport extends Ledger {
  readonly name: string;
  readonly received: number;
  readonly gaps: number;
  readonly guarantee: string;
  readonly guarantee_why: string;
  /** Messages in quarantine, by the code of the reason. */
  readonly quarantined_by: Readonly<Record<string, number>>;
  /** Readings that broke the contract of their field, by how. */
  readonly violations: Readonly<Record<string, number>>;
}

export interface Report {
  readonly gateway: string;
  /** Hex; null: an agent of before does not say it. */
  readonly incarnation: string | null;
  /** Grows from report to report of an incarnation; null: an agent of before does not say it. */
  readonly number: number | null;
  readonly about: string;
  readonly simulated: boolean;
  readonly messages: number;
  readonly ledger: Ledger & { readonly received: number };
  readonly tasks: readonly TaskReport[];
  readonly releasesAccepted: number;
  readonly cpuUsPerMessage: number | null;
  readonly rssMib: number | null;
  readonly connected: boolean;
  readonly uptimeS: number | null;
  readonly core: { readonly build: string; readonly kernel: string } | null;
  readonly sources: readonly SourceReport[];
  readonly lastError: { readonly code: string; readonly message: string } | null;
  readonly fleet: FleetReport;
}

type Json = Record<string, unknown>;

/** Parses the body of `POST /api/v1/reports` (or a report kept from before). Throws `RIV_REQUEST`. */
export function parseReport(body: string): Report {
  const root = object(parseJson(body), 'report');
  const tasks = array(root.tasks ?? [], 'tasks', TASKS_MAX).map((task, at) => parseTask(task, `tasks[${at}]`));
  return {
    gateway: text(root.gateway, 'gateway'),
    incarnation: incarnation(root.incarnation),
    number: root.number === undefined || root.number === null ? null : count(root.number, 'number'),
    about: text(root.about ?? '', 'about'),
    simulated: root.simulated === true,
    messages: count(root.messages, 'messages'),
    ledger: parseLedger(object(root.ledger, 'ledger'), 'ledger'),
    tasks,
    releasesAccepted: count(root.releases_accepted ?? 0, 'releases_accepted'),
    cpuUsPerMessage: measure(root.cpu_us_per_message, 'cpu_us_per_message'),
    rssMib: measure(root.rss_mib, 'rss_mib'),
    connected: root.connected === true,
    uptimeS: measure(root.uptime_s, 'uptime_s'),
    core: parseCore(root.core),
    sources: array(root.sources ?? [], 'sources', SOURCES_MAX).map((source, at) =>
      parseSource(source, `sources[${at}]`),
    ),
    lastError: parseLastError(root.last_error),
    fleet: parseFleetReport(root.fleet),
  };
}

function incarnation(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && /^[0-9a-f]{32}$/.test(value)) return value;
  throw new RivuletError('RIV_REQUEST', { found: 'an `incarnation` that is none', expected: '32 hex digits' });
}

function parseCore(value: unknown): Report['core'] {
  if (value === undefined || value === null) return null;
  const core = object(value, 'core');
  return { build: clipped(core.build), kernel: clipped(core.kernel) };
}

function parseSource(value: unknown, where: string): SourceReport {
  const source = object(value, where);
  return {
    name: text(source.name, `${where}.name`),
    ...parseLedger(source, where),
    gaps: count(source.gaps ?? 0, `${where}.gaps`),
    guarantee: clipped(source.guarantee),
    guarantee_why: clipped(source.guarantee_why),
    quarantined_by: counts(source.quarantined_by, `${where}.quarantined_by`),
    violations: counts(source.violations, `${where}.violations`),
  };
}

/** Counts by name; an agent of before does not say them. */
function counts(value: unknown, where: string): Record<string, number> {
  if (value === undefined) return {};
  const entries = Object.entries(object(value, where));
  if (entries.length > REASONS_MAX) throw refuse(`${where} has ${entries.length} names, more than ${REASONS_MAX}`);
  return Object.fromEntries(
    entries.map(([name, number]) => [clipped(name), count(number, `${where}.${clipped(name)}`)]),
  );
}

function parseLedger(ledger: Json, where: string): Report['ledger'] {
  const parts = Object.fromEntries(
    LEDGER_FIELDS.map((field) => [field, count(ledger[field] ?? 0, `${where}.${field}`)]),
  ) as Ledger;
  return { received: count(ledger.received, `${where}.received`), ...parts };
}

function parseTask(value: unknown, where: string): TaskReport {
  const task = object(value, where);
  const panel = array(task.panel ?? [], `${where}.panel`, EXPERTS_MAX).map((entry, at) => {
    const expert = object(entry, `${where}.panel[${at}]`);
    return {
      expert: text(expert.expert, `${where}.panel[${at}].expert`),
      weight: measure(expert.weight, `${where}.panel[${at}].weight`) ?? 0,
      error: measure(expert.error, `${where}.panel[${at}].error`),
    };
  });
  return {
    name: text(task.name, `${where}.name`),
    kind: text(task.kind, `${where}.kind`),
    predictions: count(task.predictions ?? 0, `${where}.predictions`),
    matured: count(task.matured ?? 0, `${where}.matured`),
    alarms: count(task.alarms ?? 0, `${where}.alarms`),
    errorSum: measure(task.error_sum, `${where}.error_sum`) ?? 0,
    baselineSum: measure(task.baseline_sum, `${where}.baseline_sum`) ?? 0,
    schema: hash(task.schema, `${where}.schema`),
    release: hash(task.release, `${where}.release`),
    panel,
    drift: parseDrift(task.drift, `${where}.drift`),
    labels: {
      conflicting: count(task.conflicting ?? 0, `${where}.conflicting`),
      open: object(task.breaker ?? {}, `${where}.breaker`).open === 1,
    },
  };
}

/** An agent of before says nothing about drift. */
function parseDrift(value: unknown, where: string): DriftReport {
  if (value === undefined || value === null) return { alarms: 0, newest: [] };
  const drift = object(value, where);
  const evidence = array(drift.evidence ?? [], `${where}.evidence`, EVIDENCE_MAX).slice(-EVIDENCE_KEPT);
  const newest = evidence.reverse().map((entry, place) => {
    const at = `${where}.evidence[-${place + 1}]`;
    const found = object(entry, at);
    const feature = clipped(found.feature);
    return {
      of: feature === '' ? text(found.of, `${at}.of`) : feature,
      key: clipped(found.key),
      at: measure(found.at, `${at}.at`) ?? 0,
      before: measure(found.before, `${at}.before`),
      after: measure(found.after, `${at}.after`),
    };
  });
  return { alarms: count(drift.alarms ?? 0, `${where}.alarms`), newest };
}

function parseLastError(value: unknown): Report['lastError'] {
  if (value === undefined || value === null) return null;
  const error = object(value, 'last_error');
  return { code: text(error.code, 'last_error.code'), message: clipped(error.message) };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw refuse(`the report is not JSON: ${(error as Error).message}`);
  }
}

function object(value: unknown, where: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw refuse(`${where} must be an object`);
}

function array(value: unknown, where: string, max: number): unknown[] {
  if (!Array.isArray(value)) throw refuse(`${where} must be a list`);
  if (value.length > max) throw refuse(`${where} has ${value.length} entries; at most ${max} are taken`);
  return value;
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string' && value.length <= TEXT_MAX) return value;
  throw refuse(`${where} must be text of at most ${TEXT_MAX} characters`);
}

function clipped(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, TEXT_MAX) : '';
}

function count(value: unknown, where: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw refuse(`${where} must be a whole number of 0 or more`);
}

function measure(value: unknown, where: string): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw refuse(`${where} must be a finite number or null`);
}

function hash(value: unknown, where: string): string | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string' && /^[0-9a-f]{16,64}$/.test(value)) return value;
  throw refuse(`${where} must be a hash in lower-case hex, or null`);
}

function refuse(message: string): RivuletError {
  return new RivuletError('RIV_REQUEST', message);
}
