/**
 * The routes of the API as one table: what the server registers and what the OpenAPI description is made of.
 */
import type { ErrorCode } from '@rivulet/host';
import type { Coordinator } from '../coordinator.ts';
import type { EnrolmentRequest } from '../intake/enrolment.ts';
import { openApiDocument } from './openapi.ts';
import { GATEWAY, HASH, type JsonSchema, SCHEMAS, TASK } from './schemas.ts';

/** Largest body of an enrolment, in bytes. */
const ENROLMENT_BYTES_MAX = 4 * 1024;
/** Largest envelope in one body, in bytes: statistics over some 700 features; longer ones come in pieces. */
const DELTA_BYTES_MAX = 4 * 1024 * 1024;
/** Largest piece with its header and signature. */
const PIECE_BODY_BYTES_MAX = 64 * 1024;
/** Largest status report, in bytes: 64 tasks with panels of 40. */
const REPORT_BYTES_MAX = 256 * 1024;
/** Entries of one list of releases, unless asked for fewer. */
const RELEASES_LISTED_MAX = 200;
/** Entries of one list of what was quarantined: 5 MiB at most. */
const QUARANTINE_LISTED_MAX = 64;
/** Entries of one list of decisions. */
const AUDIT_LISTED_MAX = 200;
/** Points per gateway of one curve, unless asked otherwise: about a screen's width. */
const CURVE_POINTS_DEFAULT = 300;

/** Why an envelope, or a piece of one, is not taken. */
const DELTA_REFUSALS = [
  'RIV_TRUNCATED',
  'RIV_FOREIGN',
  'RIV_TOO_NEW',
  'RIV_CORRUPT',
  'RIV_SIGNATURE',
  'RIV_GATEWAY_UNKNOWN',
  'RIV_GATEWAY_FORGOTTEN',
  'RIV_BASE_GONE',
  'RIV_STORE',
] as const;

/** What a handler gets: all of it has passed the route's schemas. */
export interface Call {
  readonly params: Record<string, string>;
  readonly query: Record<string, string | number | undefined>;
  readonly body: unknown;
  readonly header: (name: string) => string;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** As in OpenAPI: `/api/v1/releases/{hash}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: Record<string, JsonSchema>;
  readonly query?: Record<string, JsonSchema>;
  /** `raw`: the handler gets the bytes. */
  readonly body?: {
    readonly media: 'application/json' | 'application/octet-stream';
    readonly schema: JsonSchema;
    readonly raw: boolean;
    readonly bytesMax: number;
  };
  /** Whether the coordinator's token is asked for, when it has one. */
  readonly token?: boolean;
  readonly headers?: Record<string, string>;
  readonly answer: { readonly media: string; readonly schema: JsonSchema };
  readonly refusals: readonly ErrorCode[];
  /** Absent: the server answers it by itself (the event stream). */
  readonly handle?: (call: Call) => unknown | Promise<unknown>;
  /** Value of `cache-control`; without it nothing is kept. */
  readonly cache?: string;
}

export const EVENTS_PATH = '/api/v1/events';

export function routesOf(coordinator: Coordinator, version: string): readonly Route[] {
  const json = (schema: JsonSchema) => ({ media: 'application/json', schema });
  const routes: Route[] = [
    {
      method: 'POST',
      path: '/api/v1/gateways',
      summary: 'Enrol a gateway: the first key that comes with an id stays its key',
      body: { media: 'application/json', schema: SCHEMAS.Enrolment, raw: false, bytesMax: ENROLMENT_BYTES_MAX },
      token: true,
      answer: json(SCHEMAS.Enrolled),
      refusals: ['RIV_REQUEST', 'RIV_TOKEN', 'RIV_SIGNATURE', 'RIV_GATEWAY_KEY', 'RIV_OVERLOADED'],
      handle: ({ body, header }) => coordinator.enrol(body as EnrolmentRequest, header('x-rivulet-signature')),
    },
    {
      method: 'POST',
      path: '/api/v1/deltas',
      summary: 'Hand in an envelope (FORMATS.md section 6); the receipt lets the gateway forget it',
      body: { media: 'application/octet-stream', schema: SCHEMAS.Bytes, raw: true, bytesMax: DELTA_BYTES_MAX },
      answer: json(SCHEMAS.DeltaAnswer),
      refusals: DELTA_REFUSALS,
      handle: ({ body }) => coordinator.gathered.delta(body as Uint8Array),
    },
    {
      method: 'POST',
      path: '/api/v1/pieces',
      summary: 'Hand in a part of a long envelope (FORMATS.md section 10); the answer says from where to go on',
      body: { media: 'application/octet-stream', schema: SCHEMAS.Bytes, raw: true, bytesMax: PIECE_BODY_BYTES_MAX },
      answer: json(SCHEMAS.PieceAnswer),
      refusals: DELTA_REFUSALS,
      handle: ({ body }) => coordinator.gathered.piece(body as Uint8Array),
    },
    {
      method: 'POST',
      path: '/api/v1/reports',
      summary: 'Hand in a status report, signed over its bytes',
      body: { media: 'application/json', schema: SCHEMAS.StatusReport, raw: true, bytesMax: REPORT_BYTES_MAX },
      headers: { 'x-rivulet-signature': 'base64 Ed25519 over the body' },
      answer: json(SCHEMAS.ReportAnswer),
      refusals: ['RIV_REQUEST', 'RIV_SIGNATURE', 'RIV_GATEWAY_UNKNOWN', 'RIV_REPORT_OLD', 'RIV_STORE'],
      handle: ({ body, header }) => coordinator.gathered.report(body as Uint8Array, header('x-rivulet-signature')),
    },
    {
      method: 'GET',
      path: '/api/v1/fleet',
      summary: 'How the fleet is, in one sentence and in figures',
      answer: json(SCHEMAS.Fleet),
      refusals: [],
      handle: () => coordinator.fleet(),
    },
    {
      method: 'GET',
      path: '/api/v1/gateways/{id}',
      summary: 'One gateway',
      params: { id: GATEWAY },
      answer: json(SCHEMAS.GatewayDetail),
      refusals: ['RIV_NOT_FOUND'],
      handle: ({ params }) => coordinator.gateway(params.id as string),
    },
    {
      method: 'GET',
      path: '/api/v1/tasks',
      summary: 'The models: each task under each schema',
      answer: json(SCHEMAS.Models),
      refusals: [],
      handle: () => coordinator.models(),
    },
    {
      method: 'GET',
      path: '/api/v1/tasks/{task}/curve',
      summary: 'Learning curves of a task, beside its baseline',
      params: { task: TASK },
      query: {
        gateway: GATEWAY,
        points: { type: 'integer', minimum: 2, maximum: 2_000, default: CURVE_POINTS_DEFAULT },
      },
      answer: json(SCHEMAS.Curve),
      refusals: [],
      handle: ({ params, query }) =>
        coordinator.curve(params.task as string, (query.gateway as string | undefined) ?? null, query.points as number),
    },
    {
      method: 'GET',
      path: '/api/v1/releases',
      summary: 'Releases, newest first',
      query: {
        task: TASK,
        schema: HASH,
        limit: { type: 'integer', minimum: 1, maximum: RELEASES_LISTED_MAX, default: RELEASES_LISTED_MAX },
      },
      answer: json(SCHEMAS.Releases),
      refusals: [],
      handle: ({ query: { task, schema, limit } }) =>
        coordinator.releases({
          ...(task === undefined ? {} : { task: task as string }),
          ...(schema === undefined ? {} : { schema: schema as string }),
          limit: limit as number,
        }),
    },
    {
      method: 'GET',
      path: '/api/v1/releases/{hash}',
      summary: 'The bytes of a release (FORMATS.md section 7)',
      params: { hash: HASH },
      answer: { media: 'application/octet-stream', schema: SCHEMAS.Bytes },
      refusals: ['RIV_RELEASE_UNKNOWN'],
      cache: 'public, max-age=31536000, immutable',
      handle: ({ params }) => coordinator.release(params.hash as string),
    },
    {
      method: 'GET',
      path: '/api/v1/releases/{hash}/lineage',
      summary: 'What a release was made of: which gateways, and which of their deltas',
      params: { hash: HASH },
      answer: json(SCHEMAS.Lineage),
      refusals: ['RIV_RELEASE_UNKNOWN'],
      cache: 'public, max-age=31536000, immutable',
      handle: ({ params }) => coordinator.lineage(params.hash as string),
    },
    {
      method: 'GET',
      path: '/api/v1/quarantine',
      summary: 'The newest inputs that were not taken, with the reason',
      query: { limit: { type: 'integer', minimum: 1, maximum: QUARANTINE_LISTED_MAX, default: 20 } },
      answer: json(SCHEMAS.Quarantine),
      refusals: [],
      handle: ({ query }) => coordinator.quarantine(query.limit as number),
    },
    {
      method: 'GET',
      path: '/api/v1/audit',
      summary: 'What operators decided and what it did, newest first',
      query: { limit: { type: 'integer', minimum: 1, maximum: AUDIT_LISTED_MAX, default: 50 } },
      answer: json(SCHEMAS.Audit),
      refusals: [],
      handle: ({ query }) => coordinator.audit(query.limit as number),
    },
    {
      method: 'GET',
      path: EVENTS_PATH,
      summary: 'Server-sent events: `fleet` (as /fleet, at most once a second), `release`, `gateway`',
      answer: { media: 'text/event-stream', schema: { type: 'string' } },
      refusals: ['RIV_OVERLOADED'],
    },
    {
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the coordinator answers',
      answer: json(SCHEMAS.Health),
      refusals: [],
      handle: () => ({ status: 'ok' }),
    },
    {
      method: 'GET',
      path: '/api/v1/openapi.json',
      summary: 'This description',
      answer: json(SCHEMAS.AnyObject),
      refusals: [],
      handle: () => document,
    },
  ];
  const document = openApiDocument(routes, version);
  return routes;
}
