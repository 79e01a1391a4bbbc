/**
 * The coordinator as the gateway sees it: the four calls of its HTTP API that a gateway needs, each with a time limit and
 * a size limit, each answer checked at the door. What it answers is data from outside: nothing is trusted that does not
 * carry the pinned key's signature or the asked-for hash.
 */
import { type ErrorCode, type Identity, publicKeyFromBytes, RivuletError, signatureVerifies } from '@rivulet/host';

/** One call, connection included. */
const CALL_MS_MAX = 15_000;
/** The longest JSON answer: a list of heads. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** The longest release. */
const RELEASE_BYTES_MAX = 20 * 1024 * 1024;

/** The newest release of a model. */
export interface Head {
  task: string;
  /** Schema hash in hex. */
  schema: string;
  /** Release hash in hex; null: none yet. */
  release: string | null;
}

/** What the coordinator signs for a delta. */
export interface Receipt {
  gateway: string;
  incarnation: string;
  seq: number;
  payload_hash: string;
  outcome: 'accepted' | 'duplicate' | 'superseded' | 'quarantined';
  reason?: string;
}

export interface Enrolment {
  gateway: string;
  public_key: string;
  incarnation: string;
  about: string;
  simulated: boolean;
}

/** A failed call with what the peer asked for. */
export class CallFailed extends RivuletError {
  readonly askedMs: number | null;
  constructor(code: ErrorCode, found: string, where: string, askedMs: number | null = null) {
    super(code, { found, where });
    this.askedMs = askedMs;
  }
}

export interface Coordinator {
  /** Answers the coordinator's public key, base64. */
  enrol(enrolment: Enrolment): Promise<string>;
  /** Hands in an envelope; the receipt's signature has been verified with `key`. */
  sendDelta(envelope: Uint8Array, key: string): Promise<{ receipt: Receipt; heads: Head[] }>;
  sendReport(report: object, sign: Identity['sign']): Promise<Head[]>;
  /** The bytes of a release, unchecked. */
  fetchRelease(hash: string): Promise<Buffer>;
}

/** @param url the coordinator's base address */
export function connectCoordinator(url: string, token: string | null): Coordinator {
  const base = url.endsWith('/') ? url.slice(0, -1) : url;

  async function call(path: string, init: RequestInit, bytesMax: number): Promise<Buffer> {
    const where = `${base}${path}`;
    let response: Response;
    let body: Buffer;
    try {
      response = await fetch(where, { ...init, redirect: 'error', signal: AbortSignal.timeout(CALL_MS_MAX) });
      body = await readBounded(response, bytesMax);
    } catch (error) {
      throw new CallFailed('RIV_SYNC_UNREACHABLE', causeOf(error), where);
    }
    if (!response.ok) {
      const askedMs = askedToWaitMs(response, body);
      const unreachable = response.status >= 500 || response.status === 429;
      throw new CallFailed(
        unreachable ? 'RIV_SYNC_UNREACHABLE' : refusalCode(body),
        `the coordinator answered ${response.status}: ${refusalMessage(body)}`,
        where,
        askedMs,
      );
    }
    return body;
  }

  function post(path: string, body: Uint8Array, headers: Record<string, string>): Promise<Buffer> {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    const init = { method: 'POST', body: Uint8Array.from(body), headers: { ...authorization, ...headers } };
    return call(path, init, ANSWER_BYTES_MAX);
  }

  const json = { 'content-type': 'application/json' };

  return {
    async enrol(enrolment) {
      const path = '/api/v1/gateways';
      const answer = parse(await post(path, Buffer.from(JSON.stringify(enrolment)), json), path);
      return text(answer.coordinator_key, path);
    },
    async sendDelta(envelope, key) {
      const path = '/api/v1/deltas';
      const answer = parse(await post(path, envelope, { 'content-type': 'application/octet-stream' }), path);
      const receipt = receiptOf(answer.receipt, path);
      const signature = Buffer.from(text(answer.signature, path), 'base64');
      // Signed as it stands in the answer: parsing keeps the order of its keys.
      const signed = Buffer.from(JSON.stringify(answer.receipt));
      if (!signatureVerifies(signed, signature, publicKeyFromBytes(Buffer.from(key, 'base64')))) {
        throw new CallFailed(
          'RIV_SYNC_ANSWER',
          'the receipt is not signed with the key this gateway enrolled at',
          path,
        );
      }
      return { receipt, heads: headsOf(answer.heads) };
    },
    async sendReport(report, sign) {
      const path = '/api/v1/reports';
      const body = Buffer.from(JSON.stringify(report));
      const signature = sign(body).toString('base64');
      return headsOf(parse(await post(path, body, { ...json, 'x-rivulet-signature': signature }), path).heads);
    },
    fetchRelease: (hash) => call(`/api/v1/releases/${hash}`, {}, RELEASE_BYTES_MAX),
  };
}

async function readBounded(response: Response, bytesMax: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    parts.push(part as Uint8Array);
    bytes += (part as Uint8Array).length;
    if (bytes > bytesMax) {
      throw new Error(`an answer of more than ${bytesMax} bytes`);
    }
  }
  return Buffer.concat(parts);
}

/** fetch says "fetch failed"; what failed is in its cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return cause instanceof Error ? (cause as NodeJS.ErrnoException).code || cause.message : String(cause);
}

function parse(body: Buffer, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Falls through to the one refusal below.
  }
  throw new CallFailed('RIV_SYNC_ANSWER', 'the answer is not a JSON object', where);
}

function text(value: unknown, where: string): string {
  if (typeof value !== 'string') {
    throw new CallFailed('RIV_SYNC_ANSWER', 'the answer lacks what it must have', where);
  }
  return value;
}

function receiptOf(value: unknown, where: string): Receipt {
  const receipt = (value ?? {}) as Partial<Receipt>;
  text(receipt.gateway, where);
  text(receipt.incarnation, where);
  text(receipt.payload_hash, where);
  text(receipt.outcome, where);
  if (typeof receipt.seq !== 'number') {
    throw new CallFailed('RIV_SYNC_ANSWER', 'the receipt lacks its number', where);
  }
  return receipt as Receipt;
}

/** Heads that are well-formed; what is not is passed over. */
function headsOf(value: unknown): Head[] {
  const list: unknown[] = Array.isArray(value) ? value : [];
  return list.filter((entry): entry is Head => {
    const head = entry as Head | null;
    return (
      typeof head?.task === 'string' &&
      typeof head.schema === 'string' &&
      (head.release === null || /^[0-9a-f]{64}$/.test(String(head.release)))
    );
  });
}

function refusalOf(body: Buffer): { code?: unknown; message?: unknown; retry_after_s?: unknown } {
  try {
    const answer = JSON.parse(body.toString('utf8')) as { error?: object; retry_after_s?: unknown };
    return { retry_after_s: answer.retry_after_s, ...answer.error };
  } catch {
    return {};
  }
}

/** A busy coordinator says when to come again: in the header, or in the answer as `retry_after_s`. */
function askedToWaitMs(response: Response, body: Buffer): number | null {
  const asked = Number(response.headers.get('retry-after') ?? refusalOf(body).retry_after_s);
  return Number.isFinite(asked) && asked > 0 ? asked * 1000 : null;
}

/** The refusals that a gateway acts upon keep their code; the rest is one. */
function refusalCode(body: Buffer): ErrorCode {
  const { code } = refusalOf(body);
  return code === 'RIV_GATEWAY_UNKNOWN' || code === 'RIV_GATEWAY_KEY' || code === 'RIV_TOKEN'
    ? code
    : 'RIV_SYNC_REFUSED';
}

function refusalMessage(body: Buffer): string {
  const { code, message } = refusalOf(body);
  return typeof message === 'string' ? `${String(code)} ${message}` : body.toString('utf8', 0, 200);
}
