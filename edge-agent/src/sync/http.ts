/** How calls reach the coordinator, and the way over HTTP. */
import { type HttpAnswer, type HttpRequest, httpCall, PIECE_BYTES_MAX } from '@rivulet/host';

/** How calls reach the coordinator. */
export interface Transport {
  /** Longest envelope, or part of one, that goes in one request. */
  readonly partBytesMax: number;
  /** One call of its API; rejects when there is no whole answer. */
  call(path: string, request: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** @param base the coordinator's address, without a slash at its end */
export function httpTransport(base: string): Transport {
  return {
    partBytesMax: PIECE_BYTES_MAX,
    call: (path, request) => httpCall(`${base}${path}`, request),
    close: () => Promise.resolve(),
  };
}
