/**
 * The coordinator as the gateway sees it: the four calls of its HTTP API that a gateway needs, each with a time limit and
 * a size limit, each answer checked at the door. What it answers is data from outside: nothing is trusted that does not
 * carry the pinned key's signature or the asked-for hash.
 */
import { type ErrorCode, type Identity, publicKeyFromBytes, RivuletError, signatureVerifies } from '@rivulet/host';
import { type HttpAnswer, type HttpRequest, httpCall } from './http.ts';

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

  async function call(
    path: string,
    request: Pick<HttpRequest, 'method' | 'headers' | 'body'>,
    bytesMax: number,
  ): Promise<Buffer> {
    const where = `${base}${path}`;
    let answer: HttpAnswer;
    try {
      answer = await httpCall(where, { ...request, timeoutMs: CALL_MS_MAX, answerBytesMax: bytesMax });
    } catch (error) {
      throw new CallFailed('RIV_SYNC_UNREACHABLE', causeOf(error), where);
    }
    const { status, body } = answer;
    if (status < 200 || status > 299) {
      throw new CallFailed(
        status >= 500 || status === 429 ? 'RIV_SYNC_UNREACHABLE' : refusalCode(body),
        `the coordinator answered ${status}: ${refusalMessage(body)}`,
        where,
        askedToWaitMs(answer),
      );
    }
    return body;
  }

  function post(path: string, body: Uint8Array, headers: Record<string, string>): Promise<Buffer> {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    return call(path, { method: 'POST', body, headers: { ...authorization, ...headers } }, ANSWER_BYTES_MAX);
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
    fetchRelease: (hash) => call(`/api/v1/releases/${hash}`, { method: 'GET' }, RELEASE_BYTES_MAX),
  };
}

/** What the system calls it, where it has a name for it. */
function causeOf(error: unknown): string {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code || error.message : String(error);
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
function askedToWaitMs({ headers, body }: HttpAnswer): number | null {
  const asked = Number(headers['retry-after'] ?? refusalOf(body).retry_after_s);
  return Number.isFinite(asked) && asked > 0 ? asked * 1000 : null;
}

/** The refusals that a gateway acts upon keep their code; the rest is one. */
function refusalCode(body: Buffer): ErrorCode {
  const { code } = refusalOf(body);
  return code === 'RIV_GATEWAY_UNKNOWN' ||
    code === 'RIV_GATEWAY_KEY' ||
    code === 'RIV_GATEWAY_FORGOTTEN' ||
    code === 'RIV_TOKEN'
    ? code
    : 'RIV_SYNC_REFUSED';
}

function refusalMessage(body: Buffer): string {
  const { code, message } = refusalOf(body);
  return typeof message === 'string' ? `${String(code)} ${message}` : body.toString('utf8', 0, 200);
}
