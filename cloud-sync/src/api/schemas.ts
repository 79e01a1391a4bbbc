/**
 * The JSON schemas of what the API takes and answers (the types are in `views.ts`). Requests are checked with them at
 * the door, and the OpenAPI description is made of them; a test checks real answers against them.
 */
import { GATEWAY_ID } from '../intake/enrolment.ts';

export type JsonSchema = { readonly [key: string]: unknown };

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const count = { type: 'integer', minimum: 0 } as const;
const counts = { type: 'object', additionalProperties: count } as const;
const measure = { type: 'number' } as const;
const measureOrNull = { type: ['number', 'null'] } as const;
const time = { type: 'integer', description: 'epoch milliseconds' } as const;

export const HASH = { type: 'string', pattern: '^[0-9a-f]{64}$', description: 'SHA-256, lower-case hex' } as const;
const hashOrNull = { type: ['string', 'null'], pattern: '^[0-9a-f]{64}$' } as const;
export const GATEWAY = { type: 'string', pattern: GATEWAY_ID } as const;
export const TASK = { type: 'string', minLength: 1, maxLength: 256 } as const;

function record(properties: Record<string, JsonSchema>, optional: readonly string[] = []): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

const ledgerFields = {
  received: count,
  used: count,
  late: count,
  duplicate: count,
  retained: count,
  filtered: count,
  quarantined: count,
};
const Ledger = record(ledgerFields);

const Task = record({
  name: text,
  kind: text,
  error: measureOrNull,
  error_last_value: measureOrNull,
  recent_error: measureOrNull,
  recent_error_last_value: measureOrNull,
  predictions: count,
  matured: count,
  alarms: count,
  schema: { type: ['string', 'null'] },
  release: { type: ['string', 'null'] },
  panel: list(record({ expert: text, weight: measure, error: measureOrNull })),
  drift: record({
    alarms: count,
    newest: list(record({ of: text, key: text, at: measure, before: measureOrNull, after: measureOrNull })),
  }),
  labels: record({ conflicting: count, open: flag }),
});

const gatewayFields = {
  id: text,
  about: text,
  simulated: flag,
  up: { ...flag, description: 'heard from within three of its own report intervals' },
  last_seen: time,
  messages: count,
  messages_per_s: measure,
  predictions_per_s: measure,
  ledger: Ledger,
  cpu_us_per_message: measureOrNull,
  rss_mib: measureOrNull,
  releases_accepted: count,
  connected: flag,
  last_error: { type: ['object', 'null'], properties: { code: text, message: text } },
  cloned_since: {
    type: ['integer', 'null'],
    description: 'since when it is there twice with one key; null: it is not',
  },
  tasks: list(Task),
};
const Gateway = record(gatewayFields);

const GatewayDetail = record({
  ...gatewayFields,
  enrolled_at: time,
  uptime_s: measureOrNull,
  core: { type: ['object', 'null'], properties: { build: text, kernel: text } },
  sources: list(
    record({
      name: text,
      ...ledgerFields,
      gaps: count,
      guarantee: text,
      guarantee_why: text,
      quarantined_by: { ...counts, description: 'messages in quarantine, by the code of the reason' },
      violations: { ...counts, description: 'readings that broke the contract of their field, by how' },
    }),
  ),
  key_fingerprint: HASH,
  incarnations: list(text),
  contributions: list(record({ task: text, schema: HASH, incarnation: text, seq: count, received_at: time })),
});

const Fleet = record({
  sentence: text,
  gateways_up: count,
  gateways_total: count,
  gateways: list(Gateway),
  coordinator: record({
    deltas: count,
    duplicates: count,
    quarantined: count,
    releases: count,
    rss_mib: measure,
    started_at: time,
    version: text,
  }),
});

const releaseFields = {
  hash: HASH,
  parent: hashOrNull,
  task: text,
  schema: HASH,
  gateways: count,
  rows: measure,
  created_at: time,
  form: { enum: ['ridge', 'lda'] },
};
const Release = record(releaseFields);
const Releases = list(Release);
const Lineage = record({ ...releaseFields, lineage: list(record({ gateway: text, incarnation: text, seq: count })) });

const Models = list(
  record({
    task: text,
    schema: HASH,
    kind: text,
    target: text,
    horizon_ms: measure,
    features: list(text),
    gateways: list(text),
    suspects: list(record({ gateway: text, since: time, distance: measure, limit: measure, moved: flag })),
    releases: count,
    head: { ...hashOrNull, description: 'what gateways are told: the pinned release, else the newest' },
    newest: hashOrNull,
    pinned: flag,
    previous: { ...hashOrNull, description: 'what they were told before' },
  }),
);

const Curve = record({
  task: text,
  points: list(record({ gateway: text, at: time, matured: count, error: measure, error_last_value: measure })),
});

const Head = record({ task: text, schema: HASH, release: hashOrNull });
const RetryWindow = {
  ...record({ from: measure, to: measure }),
  description: 'seconds until the next call: a moment between the two, by chance',
};
const Held = list(record({ schema: HASH, incarnation: text, seq: count }));
const FleetReading = record({
  name: text,
  at: time,
  age_ms: { type: 'number' },
  gateways: count,
  value: { type: 'number' },
});
const ReportAnswer = record(
  {
    heads: list(Head),
    held: Held,
    forgotten: flag,
    kernel_taken: {
      type: ['boolean', 'null'],
      description: 'whether statistics of the core in its last report are taken',
    },
    retry_window_s: RetryWindow,
    fleet: list(FleetReading),
  },
  ['fleet'],
);

const Enrolment = record(
  {
    gateway: GATEWAY,
    public_key: { type: 'string', maxLength: 128, description: 'base64 of an Ed25519 key, raw or SPKI' },
    incarnation: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    about: { type: 'string', maxLength: 256 },
    simulated: flag,
  },
  ['about', 'simulated'],
);
const Enrolled = record({
  gateway: text,
  coordinator_key: text,
  status: { enum: ['enrolled', 'known'] },
  retry_window_s: RetryWindow,
});

const DeltaAnswer = record({
  receipt: record(
    {
      gateway: text,
      incarnation: text,
      seq: count,
      payload_hash: HASH,
      outcome: { enum: ['accepted', 'duplicate', 'superseded', 'quarantined'] },
      reason: text,
      code: text,
    },
    ['reason', 'code'],
  ),
  signature: { ...text, description: 'base64 Ed25519 over JSON.stringify(receipt)' },
  heads: list(Head),
  held: Held,
  fleet: list(FleetReading),
  retry_after_s: { ...measure, description: 'seconds until a release with this delta can be there' },
  retry_window_s: RetryWindow,
});

const PieceAnswer = record({ received: count, retry_window_s: RetryWindow, delta: DeltaAnswer }, ['delta']);

const StatusReport: JsonSchema = {
  type: 'object',
  description: 'AgentStatus: what `rivulet run --status-json` prints; fields that are not known are ignored',
  required: ['gateway', 'messages', 'ledger'],
};

const Quarantine = list(
  record({ at: time, gateway: { type: ['string', 'null'] }, code: text, reason: text, bytes: text }),
);

const Audit = list(
  record({
    at: time,
    action: { enum: ['forget', 'allow_return', 'pin', 'unpin', 'rollback', 'trust', 'distrust', 'judge', 'kernel'] },
    subject: text,
    detail: { type: 'object' },
  }),
);

const Health = record({ status: { const: 'ok' } });
const Failure = record(
  {
    error: record({ code: { type: 'string', pattern: '^RIV_' }, message: text }),
    retry_window_s: RetryWindow,
    newest_report: count,
    resync: {
      ...record({ task: text, schema: HASH, release: hashOrNull }),
      description: 'with RIV_BASE_GONE: the release to go on from; null: from none',
    },
  },
  ['resync', 'newest_report'],
);
const Bytes: JsonSchema = { type: 'string', format: 'binary' };
const AnyObject: JsonSchema = { type: 'object' };

/** Every named schema; in the OpenAPI description they are its components. */
export const SCHEMAS = {
  AnyObject,
  Audit,
  Bytes,
  Curve,
  DeltaAnswer,
  Enrolled,
  Enrolment,
  Failure,
  Fleet,
  Gateway,
  GatewayDetail,
  Head,
  Health,
  Ledger,
  Lineage,
  Models,
  PieceAnswer,
  Quarantine,
  Release,
  Releases,
  ReportAnswer,
  StatusReport,
  Task,
} as const;
