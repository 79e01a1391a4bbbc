/** How a coded error becomes an HTTP answer: its status, and one body for all. */
import { type ErrorCode, RivuletError } from '@rivulet/host';
import { BaseGone } from '../intake/base.ts';
import { ReportOld } from '../intake/report_number.ts';
import type { ErrorView, RetryWindowView } from './views.ts';

/** Statuses of the codes this API can answer; anything else is 500. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  RIV_REQUEST: 400,
  RIV_TRUNCATED: 400,
  RIV_FOREIGN: 400,
  RIV_TOO_NEW: 400,
  RIV_CORRUPT: 400,
  RIV_TOKEN: 401,
  RIV_SIGNATURE: 401,
  RIV_GATEWAY_UNKNOWN: 403,
  RIV_GATEWAY_FORGOTTEN: 403,
  RIV_NOT_FOUND: 404,
  RIV_RELEASE_UNKNOWN: 404,
  RIV_METHOD: 405,
  RIV_GATEWAY_KEY: 409,
  RIV_BASE_GONE: 409,
  RIV_REPORT_OLD: 409,
  RIV_TOO_LARGE: 413,
  RIV_MEDIA_TYPE: 415,
  RIV_OVERLOADED: 503,
  RIV_STORE: 503,
  RIV_STATE_UNUSABLE: 503,
};

export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 500;
}

export function errorView(error: RivuletError, retry_window_s: RetryWindowView): ErrorView {
  const next =
    error instanceof BaseGone
      ? { resync: error.resync }
      : error instanceof ReportOld
        ? { newest_report: error.newest }
        : {};
  return { error: { code: error.code, message: error.message }, retry_window_s, ...next };
}

/** What fastify throws, as one of ours. */
export function coded(error: unknown): RivuletError {
  if (error instanceof RivuletError) return error;
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string };
  const found = String(message ?? error);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new RivuletError('RIV_TOO_LARGE', 'the body is too large');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new RivuletError('RIV_MEDIA_TYPE', found);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new RivuletError('RIV_REQUEST', found);
  return new RivuletError('RIV_INTERNAL', { found: 'the request failed', cause: error });
}
