/** What the coordinator answers, checked at the door: it is data from outside. */
import { type ErrorCode, type HttpAnswer, RivuletError } from '@rivulet/host';

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
  code?: string;
}

/** The newest statistics of ours that count for a model at the coordinator. */
export interface Held {
  /** Schema hash in hex. */
  schema: string;
  incarnation: string;
  seq: number;
}

/** What every good answer to a delta or a report ends with. */
export interface Standing {
  heads: Head[];
  /** Null: the coordinator does not say. */
  held: Held[] | null;
  /** Its operator took this gateway out of the fleet; null: the coordinator does not say. */
  forgotten: boolean | null;
  /** Statistics of the core in our last report are taken; null: the coordinator does not say. */
  kernelTaken: boolean | null;
  /** The readings of the fleet, as they stand in the answer. */
  fleet: unknown;
}

/** When the coordinator wants the next call: between the two, in milliseconds from now. */
export interface RetryWindow {
  fromMs: number;
  toMs: number;
}

/** A failed call. */
export class CallFailed extends RivuletError {
  /** With `RIV_BASE_GONE`: the release to go on from. */
  readonly resync: Head | null;
  /** With `RIV_REPORT_OLD`: the number that the next report must be above. */
  readonly newestReport: number | null;
  constructor(code: ErrorCode, found: string, where: string, next: { resync?: Head | null; newest?: unknown } = {}) {
    super(code, { found, where });
    this.resync = next.resync ?? null;
    this.newestReport = Number.isSafeInteger(next.newest) ? (next.newest as number) : null;
  }
}

export function parse(body: Buffer, where: string): Record<string, unknown> {
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

export function text(value: unknown, where: string): string {
  if (typeof value !== 'string') {
    throw new CallFailed('RIV_SYNC_ANSWER', 'the answer lacks what it must have', where);
  }
  return value;
}

export function receiptOf(value: unknown, where: string): Receipt {
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
export function headsOf(value: unknown): Head[] {
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

/** What the coordinator holds of ours; null: it does not say, or not in a way that can be read. */
export function heldOf(value: unknown): Held[] | null {
  if (!Array.isArray(value)) return null;
  const sound = (entry: Partial<Held> | null): entry is Held =>
    typeof entry?.schema === 'string' && typeof entry.incarnation === 'string' && Number.isSafeInteger(entry.seq);
  return value.every(sound) ? value : null;
}

interface Refusal {
  code?: unknown;
  message?: unknown;
  retry_window_s?: unknown;
  resync?: unknown;
  newest_report?: unknown;
}

export function refusalOf(body: Buffer): Refusal {
  try {
    const { error, ...rest } = JSON.parse(body.toString('utf8')) as Refusal & { error?: object };
    return { ...rest, ...error };
  } catch {
    return {};
  }
}

export function windowOf(value: unknown): RetryWindow | null {
  const { from, to } = (value ?? {}) as { from?: unknown; to?: unknown };
  if (typeof from !== 'number' || typeof to !== 'number' || !(from >= 0) || !(to >= from)) return null;
  return { fromMs: from * 1000, toMs: to * 1000 };
}

/** Of a refusal: our coordinator's own window, or what a proxy in front of it says in the header. */
export function refusedWindow({ headers, body }: HttpAnswer): RetryWindow | null {
  const asked = Number(headers['retry-after']) * 1000;
  return windowOf(refusalOf(body).retry_window_s) ?? (asked > 0 ? { fromMs: asked, toMs: 2 * asked } : null);
}

/** The refusals that a gateway acts upon keep their code; the rest is one. */
export function refusalCode(body: Buffer): ErrorCode {
  const { code } = refusalOf(body);
  return code === 'RIV_GATEWAY_UNKNOWN' ||
    code === 'RIV_GATEWAY_KEY' ||
    code === 'RIV_GATEWAY_FORGOTTEN' ||
    code === 'RIV_BASE_GONE' ||
    code === 'RIV_REPORT_OLD' ||
    code === 'RIV_TOKEN'
    ? code
    : 'RIV_SYNC_REFUSED';
}

export function refusalMessage(body: Buffer): string {
  const { code, message } = refusalOf(body);
  return typeof message === 'string' ? `${String(code)} ${message}` : body.toString('utf8', 0, 200);
}
