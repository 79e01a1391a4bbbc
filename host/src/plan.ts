// The plan compiler: from a checked configuration to the canonical JSON that the core opens (FORMATS.md section 3).
// Canonical: keys in the order of the format, no white space, every default present; equal configs give equal bytes.

import { createHash } from 'node:crypto';
import type {
  BudgetConfig,
  CaptureConfig,
  Config,
  DriftConfig,
  ForwardConfig,
  LabelConfig,
  LookupConfig,
  SenseConfig,
  SourceConfig,
  TaskConfig,
  TriggerConfig,
  WindowConfig,
  WindowShape,
} from './config.ts';
import type { ExpertName } from './config_experts.ts';
import { fleetRule } from './config_fleet.ts';

const PLAN_VERSION = 1;

/** The plan of a gateway. */
export function compilePlan(config: Config): Buffer {
  const rules = [...config.forward, ...fleetRule(config.fleet)];
  return canonical({
    plan: PLAN_VERSION,
    gateway: config.gateway,
    limits: {
      keys: config.limits.keys,
      fields: config.limits.fields,
      pending_per_key: config.limits.pendingPerKey,
      payload_bytes: config.limits.payloadBytes,
      classes: config.limits.classes,
    },
    sources: config.sources.map(source),
    // What is absent is left out, as it was before there was such a thing: the plans of then stay as they are.
    ...(config.lookups.length > 0 ? { lookups: config.lookups.map(lookup) } : {}),
    windows: config.windows.map(window),
    tasks: config.tasks.map(task),
    ...(rules.length > 0 ? { forward: rules.map(rule) } : {}),
  });
}

/** What `rivulet evaluate` asks of the core. */
export interface EvaluationSpec {
  kind: 'regression' | 'classification' | 'forecast';
  columns: { name: string; type: 'number' | 'category' }[];
  target: string;
  /** Rows ahead (forecast). */
  horizon: number;
  /** Rows by which labels come late. */
  labelDelay: number;
  classes: number;
  /** What watches the error for drift. */
  drift?: { detector: DriftDetector; runLength: number } | undefined;
  /** What the panel may cost; absent: the default. */
  budget?: BudgetConfig;
  /** The experts the panel begins with; absent: the default. */
  experts?: ExpertName[];
}

/** The drift detectors of the core. */
export const DRIFT_DETECTORS = ['adwin', 'page_hinkley', 'cusum', 'ddm', 'eddm', 'hddm_a', 'hddm_w', 'kswin'] as const;

/** A drift detector by its name. */
export type DriftDetector = (typeof DRIFT_DETECTORS)[number];

/** Shortest and longest run length of a detector: values between two false alarms. */
export const RUN_LENGTHS = [1e3, 1e7] as const;

/** The plan of an evaluation. */
export function planForEvaluation(spec: EvaluationSpec): Buffer {
  return canonical({
    plan: PLAN_VERSION,
    evaluate: {
      kind: spec.kind,
      columns: spec.columns.map(({ name, type }) => ({ name, type })),
      target: spec.target,
      horizon: spec.horizon,
      label_delay: spec.labelDelay,
      classes: spec.classes,
      ...(spec.drift === undefined
        ? {}
        : { drift: { detector: spec.drift.detector, run_length: spec.drift.runLength } }),
      ...budgetOf(spec.budget),
      ...expertsIn(spec.experts),
    },
  });
}

/** SHA-256 of a plan's bytes, as checkpoint slots carry it. */
export function planHash(plan: Uint8Array): Buffer {
  return createHash('sha256').update(plan).digest();
}

// What is new since plans were first written is left out where it says nothing: the plans of then stay as they are.
function source(config: SourceConfig) {
  return {
    name: config.name,
    topic: config.topic,
    ...(config.except.length > 0 ? { except: config.except } : {}),
    door: config.door,
    format: config.format,
    ...(config.compression === null ? {} : { compression: config.compression }),
    ...(config.captures.length > 0 ? { captures: config.captures.map(capture) } : {}),
    key: config.key,
    fields: config.fields.map(({ name, path, absent, except, sense }) => ({
      ...{ name, path },
      ...(absent === null ? {} : { absent }),
      ...(except.length > 0 ? { except } : {}),
      ...(sense === null ? {} : { sense: contract(sense) }),
    })),
    ...(config.where === null ? {} : { where: config.where }),
    ...(config.derived.length > 0
      ? { derived: config.derived.map(({ name, expression }) => ({ name, expression })) }
      : {}),
    time: config.time,
    ...(config.timeAbsent === null ? {} : { time_absent: config.timeAbsent }),
    ...(config.zone.length > 0 ? { zone: config.zone } : {}),
    seq: config.seq,
    ...(config.seqAbsent === null ? {} : { seq_absent: config.seqAbsent }),
    ...(config.repeats === 'event_time' ? { repeats: 'event_time' } : {}),
    ...(config.nothing === 'filter' ? { nothing: 'filter' } : {}),
    ...(config.announces === null ? {} : { announces: config.announces }),
    lateness_ms: config.latenessMs,
    ...(config.adaptive === null
      ? {}
      : { adaptive: { quantile: config.adaptive.quantile, max_ms: config.adaptive.maxMs } }),
    clock_skew_max_ms: config.clockSkewMaxMs,
    ...(config.clock === null ? {} : { clock: config.clock }),
    idle_ms: config.idleMs,
  };
}

function capture({ name, path, absent }: CaptureConfig) {
  return { name, path, ...(absent === undefined ? {} : { absent }) };
}

function contract({ words, linear, range, rateMax, stuckAfter, onViolation }: SenseConfig) {
  return {
    ...{ words, linear, range },
    ...(rateMax === null ? {} : { rate_max: [rateMax.change, rateMax.perMs] }),
    ...(stuckAfter !== null && 'ms' in stuckAfter ? { stuck_ms: stuckAfter.ms } : {}),
    ...(stuckAfter !== null && 'readings' in stuckAfter ? { stuck_readings: stuckAfter.readings } : {}),
    ...(onViolation === null ? {} : { on_violation: onViolation }),
  };
}

function lookup({ name, columns, rows }: LookupConfig) {
  return { name, columns, rows: rows.map(({ key, values }) => [key, ...values]) };
}

/** What a tumbling window put out once does not need is left out: its plan is as it was before there were other kinds. */
function window(config: WindowConfig) {
  const { trigger, allowedLatenessMs } = config;
  return {
    name: config.name,
    ...shape(config.shape),
    of: config.of,
    ...(config.over === null ? {} : { over: config.over }),
    stats: config.stats,
    lateness_ms: config.latenessMs,
    ...(allowedLatenessMs > 0 ? { allowed_lateness_ms: allowedLatenessMs } : {}),
    ...(trigger === null ? {} : { trigger: triggerOf(trigger) }),
  };
}

function shape(config: WindowShape) {
  switch (config.kind) {
    case 'tumbling':
      return { every_ms: config.everyMs };
    case 'sliding':
      return { size_ms: config.sizeMs, every_ms: config.everyMs };
    case 'session':
      return { gap_ms: config.gapMs };
    case 'count':
      return { count: config.count, step: config.step };
    case 'global':
      return {};
  }
}

function triggerOf({ count, everyMs, on, reset }: TriggerConfig) {
  return { count, every_ms: everyMs, field: on?.field ?? null, value: on?.value ?? 0, reset };
}

function task(config: TaskConfig) {
  const { label } = config;
  return {
    name: config.name,
    kind: config.kind,
    target: config.target,
    horizon_ms: config.horizonMs,
    label: label === null ? null : labelPlan(label),
    features: config.features,
    every_ms: config.everyMs,
    wait_ms: config.waitMs,
    tolerance_ms: config.toleranceMs,
    threshold: config.threshold,
    ...budgetOf(config.budget),
    ...expertsIn(config.experts),
    ...driftOf(config.drift),
  };
}

function driftOf(drift: DriftConfig | undefined) {
  if (drift === undefined) return {};
  const { detector, runLength, on } = drift;
  return { drift: { detector, run_length: runLength, on, do: drift.do } };
}

function rule(config: Omit<ForwardConfig, 'topic' | 'qos' | 'retain' | 'unit' | 'deviceClass'>) {
  return {
    of: config.of,
    where: config.where,
    every_ms: config.everyMs,
    deadband: config.deadband,
    relative: config.relative,
    at_least_ms: config.atLeastMs,
    one_in: config.oneIn,
  };
}

function labelPlan({ topic, key, format, path, time, seq, id, conflicts, breaker }: LabelConfig) {
  // Left out when there is none, as it was before labels had it: the plans of then stay as they are.
  return {
    ...{ topic, key },
    ...(format === 'json' ? {} : { format }),
    ...{ path, time },
    ...(seq === null ? {} : { seq }),
    ...(id === null ? {} : { id }),
    ...(conflicts === 'first' ? {} : { conflicts }),
    ...(breaker === 'off' ? {} : { breaker }),
  };
}

// Absent where the default will do, as in plans from before.
function budgetOf(budget: BudgetConfig | undefined) {
  return budget === undefined ? {} : { budget: { ns: budget.perExampleNs, bytes: budget.memoryBytes } };
}

function expertsIn(experts: ExpertName[] | undefined) {
  return experts === undefined ? {} : { experts };
}

/** JSON.stringify keeps the order in which the literals above name their keys. */
function canonical(value: object): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}
