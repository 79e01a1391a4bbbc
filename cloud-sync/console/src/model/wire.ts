// What the coordinator's HTTP API says, parsed at the door: unknown JSON in, typed values out. A figure that is absent or
// not a finite number becomes null and is shown as a dash; a body that is not the expected thing at all is an error.
// Names are those of the API, so that a word means the same in a response, in this code and on the screen.

/** The classes a message can end in; `received` is always their sum. */
export const LEDGER_CLASSES = ['used', 'late', 'duplicate', 'retained', 'filtered', 'quarantined'] as const;
export type LedgerClass = (typeof LEDGER_CLASSES)[number];
export type Ledger = Record<LedgerClass | 'received', number>;

export interface Expert {
  expert: string;
  /** Share of the panel, 0–1. */
  weight: number;
  /** Running mean loss; null until it has been scored. */
  error: number | null;
}

export interface Task {
  name: string;
  kind: string;
  /** Cumulative mean error and that of the last value, null until a prediction has matured. */
  error: number | null;
  error_last_value: number | null;
  /** The same over the last reporting intervals. */
  recent_error: number | null;
  recent_error_last_value: number | null;
  predictions: number;
  matured: number;
  alarms: number;
  /** Hash of the release in the panel. */
  release: string | null;
  panel: Expert[];
  /** Changes that its watch has found, and the newest of them, that first. */
  drift: { alarms: number; newest: Finding[] };
  /** Labels that contradicted, and whether the breaker of their source is open. */
  labels: { conflicting: number; open: boolean };
}

/** A change: means before it and since. */
export interface Finding {
  of: string;
  key: string;
  at: number;
  before: number | null;
  after: number | null;
}

export interface Gateway {
  id: string;
  about: string;
  simulated: boolean;
  up: boolean;
  /** Epoch milliseconds of the last report. */
  last_seen: number | null;
  messages: number;
  messages_per_s: number | null;
  predictions_per_s: number | null;
  ledger: Ledger;
  cpu_us_per_message: number | null;
  rss_mib: number | null;
  releases_accepted: number;
  /** Whether its MQTT front door is connected. */
  connected: boolean;
  last_error: Fault | null;
  /** Epoch milliseconds since when two gateways live with its key; null: it is there once. */
  cloned_since: number | null;
  tasks: Task[];
}

/** A coded error of a gateway, as it told it. */
export interface Fault {
  code: string;
  message: string;
}

export interface Coordinator {
  deltas: number;
  duplicates: number;
  quarantined: number;
  releases: number;
  rss_mib: number | null;
  started_at: number | null;
  version: string;
}

export interface Fleet {
  sentence: string;
  gateways_up: number;
  /** All that are enrolled; the list may be cut. */
  gateways_total: number;
  gateways: Gateway[];
  coordinator: Coordinator;
}

export interface Source {
  name: string;
  ledger: Ledger;
  /** Readings missing in the device's own numbering; null where it does not number. */
  gaps: number | null;
  guarantee: string;
  guarantee_why: string;
  /** Messages in quarantine, by the code of the reason; readings that broke their contract, by how. */
  quarantined_by: Record<string, number>;
  violations: Record<string, number>;
}

/** What only a gateway's own page shows. */
export interface GatewayDetail {
  sources: Source[];
  uptime_s: number | null;
  core_build: string;
  core_kernel: string;
  enrolled_at: number | null;
  /** SHA-256 of its public key. */
  key_fingerprint: string;
}

export interface CurvePoint {
  gateway: string;
  at: number;
  matured: number | null;
  error: number | null;
  error_last_value: number | null;
}

export interface Release {
  hash: string;
  parent: string | null;
  task: string;
  schema: string;
  gateways: number;
  rows: number;
  created_at: number | null;
  form: string;
}

/** A global model: a task and the schema its features have. */
export interface Model {
  task: string;
  schema: string;
  kind: string;
  target: string;
  horizon_ms: number;
  features: string[];
  /** The release that gateways are told. */
  head: string | null;
  /** An operator chose it. */
  pinned: boolean;
  /** What they were told before. */
  previous: string | null;
  suspects: Suspect[];
}

/** A gateway that a model's releases leave out until it fits again. */
export interface Suspect {
  gateway: string;
  since: number | null;
  /** How far its class means stand apart, and from where on that is suspicious. */
  distance: number | null;
  limit: number | null;
}

/** An input that the coordinator did not take. */
export interface Refused {
  at: number | null;
  /** Who it said it was from. */
  gateway: string | null;
  code: string;
  reason: string;
}

/** What an operator decided. */
export interface Decision {
  at: number | null;
  action: string;
  /** The gateway or the task it is about. */
  subject: string;
  detail: Record<string, unknown>;
}

/** A response that this console cannot read: the peer is of another version, or not a coordinator. */
export class WireError extends Error {
  readonly code = 'RIV_CONSOLE_WIRE';
}

export function readFleet(body: unknown): Fleet {
  const fleet = record(body, 'fleet');
  if (!Array.isArray(fleet.gateways)) throw new WireError('fleet: expected a list "gateways"');
  const coordinator = optionalRecord(fleet.coordinator);
  const gateways = list(fleet.gateways, readGateway);
  return {
    sentence: text(fleet.sentence),
    gateways_up: number(fleet.gateways_up) ?? gateways.filter((gateway) => gateway.up).length,
    gateways_total: number(fleet.gateways_total) ?? gateways.length,
    gateways,
    coordinator: {
      deltas: count(coordinator.deltas),
      duplicates: count(coordinator.duplicates),
      quarantined: count(coordinator.quarantined),
      releases: count(coordinator.releases),
      rss_mib: number(coordinator.rss_mib),
      started_at: time(coordinator.started_at),
      version: text(coordinator.version),
    },
  };
}

export function readGatewayDetail(body: unknown): GatewayDetail {
  const detail = record(body, 'gateway');
  const core = optionalRecord(detail.core);
  return {
    sources: list(detail.sources, readSource),
    uptime_s: number(detail.uptime_s),
    core_build: text(core.build),
    core_kernel: text(core.kernel),
    enrolled_at: time(detail.enrolled_at),
    key_fingerprint: text(detail.key_fingerprint),
  };
}

export function readCurve(body: unknown): CurvePoint[] {
  return list(record(body, 'curve').points, (value) => {
    const point = optionalRecord(value);
    return {
      gateway: text(point.gateway),
      at: time(point.at) ?? 0,
      matured: number(point.matured),
      error: number(point.error),
      error_last_value: number(point.error_last_value),
    };
  })
    .filter((point) => point.at > 0)
    .sort((a, b) => a.at - b.at);
}

/** Newest first. */
export function readReleases(body: unknown): Release[] {
  return listIn(body, 'releases', (value) => {
    const release = optionalRecord(value);
    return {
      hash: text(release.hash),
      parent: hash(release.parent),
      task: text(release.task),
      schema: text(release.schema),
      gateways: count(release.gateways),
      rows: count(release.rows),
      created_at: time(release.created_at),
      form: text(release.form),
    };
  }).sort((a, b) => (b.created_at ?? 0) - (a.created_at ?? 0));
}

export function readModels(body: unknown): Model[] {
  return listIn(body, 'models', (value) => {
    const model = optionalRecord(value);
    return {
      task: text(model.task),
      schema: text(model.schema),
      kind: text(model.kind),
      target: text(model.target),
      horizon_ms: count(model.horizon_ms),
      features: list(model.features, text),
      head: hash(model.head),
      pinned: model.pinned === true,
      previous: hash(model.previous),
      suspects: list(model.suspects, readSuspect),
    };
  });
}

/** Newest first, as the coordinator lists them. */
export function readRefused(body: unknown): Refused[] {
  return listIn(body, 'quarantine', (value) => {
    const refused = optionalRecord(value);
    return {
      at: time(refused.at),
      gateway: text(refused.gateway) || null,
      code: text(refused.code),
      reason: text(refused.reason),
    };
  });
}

/** Newest first, as the coordinator lists them. */
export function readDecisions(body: unknown): Decision[] {
  return listIn(body, 'audit', (value) => {
    const decision = optionalRecord(value);
    return {
      at: time(decision.at),
      action: text(decision.action),
      subject: text(decision.subject),
      detail: optionalRecord(decision.detail),
    };
  });
}

function readSuspect(value: unknown): Suspect {
  const suspect = optionalRecord(value);
  return {
    gateway: text(suspect.gateway),
    since: time(suspect.since),
    distance: number(suspect.distance),
    limit: number(suspect.limit),
  };
}

function readGateway(value: unknown): Gateway {
  const gateway = optionalRecord(value);
  const error = optionalRecord(gateway.last_error);
  return {
    id: text(gateway.id),
    about: text(gateway.about),
    simulated: gateway.simulated === true,
    up: gateway.up === true,
    last_seen: time(gateway.last_seen),
    messages: count(gateway.messages),
    messages_per_s: number(gateway.messages_per_s),
    predictions_per_s: number(gateway.predictions_per_s),
    ledger: readLedger(gateway.ledger),
    cpu_us_per_message: number(gateway.cpu_us_per_message),
    rss_mib: number(gateway.rss_mib),
    releases_accepted: count(gateway.releases_accepted),
    connected: gateway.connected !== false,
    last_error: error.code === undefined ? null : { code: text(error.code), message: text(error.message) },
    cloned_since: time(gateway.cloned_since),
    tasks: list(gateway.tasks, readTask),
  };
}

function readTask(value: unknown): Task {
  const task = optionalRecord(value);
  return {
    name: text(task.name),
    kind: text(task.kind),
    error: number(task.error),
    error_last_value: number(task.error_last_value),
    recent_error: number(task.recent_error),
    recent_error_last_value: number(task.recent_error_last_value),
    predictions: count(task.predictions),
    matured: count(task.matured),
    alarms: count(task.alarms),
    release: hash(task.release),
    panel: list(task.panel, (item) => {
      const expert = optionalRecord(item);
      return { expert: text(expert.expert), weight: number(expert.weight) ?? 0, error: number(expert.error) };
    }),
    drift: readDrift(task.drift),
    labels: readLabels(task.labels),
  };
}

function readLabels(value: unknown): Task['labels'] {
  const labels = optionalRecord(value);
  return { conflicting: count(labels.conflicting), open: labels.open === true };
}

function readDrift(value: unknown): Task['drift'] {
  const drift = optionalRecord(value);
  const newest = list(drift.newest, (item) => {
    const found = optionalRecord(item);
    return {
      of: text(found.of),
      key: text(found.key),
      at: number(found.at) ?? 0,
      before: number(found.before),
      after: number(found.after),
    };
  });
  return { alarms: count(drift.alarms), newest };
}

function readSource(value: unknown): Source {
  const source = optionalRecord(value);
  return {
    name: text(source.name),
    ledger: readLedger(source),
    gaps: number(source.gaps),
    guarantee: text(source.guarantee),
    guarantee_why: text(source.guarantee_why),
    quarantined_by: counts(source.quarantined_by),
    violations: counts(source.violations),
  };
}

function counts(value: unknown): Record<string, number> {
  return Object.fromEntries(Object.entries(optionalRecord(value)).map(([name, number]) => [name, count(number)]));
}

function readLedger(value: unknown): Ledger {
  const ledger = optionalRecord(value);
  return {
    received: count(ledger.received),
    used: count(ledger.used),
    late: count(ledger.late),
    duplicate: count(ledger.duplicate),
    retained: count(ledger.retained),
    filtered: count(ledger.filtered),
    quarantined: count(ledger.quarantined),
  };
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WireError(`${what}: expected a JSON object`);
  }
  return value as Record<string, unknown>;
}

function optionalRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function list<T>(value: unknown, read: (item: unknown) => T): T[] {
  return Array.isArray(value) ? value.map(read) : [];
}

/** A list that is the whole body, or stands in it under its own name. */
function listIn<T>(body: unknown, name: string, read: (item: unknown) => T): T[] {
  return list(Array.isArray(body) ? body : record(body, name)[name], read);
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function count(value: unknown): number {
  return number(value) ?? 0;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

/** Epoch milliseconds, from a number or an ISO 8601 text. */
function time(value: unknown): number | null {
  if (typeof value === 'string') return number(Date.parse(value));
  return number(value);
}

/** A hash in hex; empty or all zero means none. */
function hash(value: unknown): string | null {
  return typeof value === 'string' && /[1-9a-f]/.test(value) ? value : null;
}
