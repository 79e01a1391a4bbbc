/**
 * One HTTP call with a time limit and a size limit. On node:http because the global fetch costs a gateway 20 MiB of memory;
 * redirects are not followed, so a token goes nowhere but where the operator sent it.
 */
import type { IncomingHttpHeaders } from 'node:http';

// An `import` of these looks at every export, and one of them loads the global fetch.
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');

export interface HttpRequest {
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: Uint8Array;
  /** The whole call, connection included. */
  timeoutMs: number;
  /** The longest answer that is taken. */
  answerBytesMax: number;
  /** For https: who we trust, and who we are. */
  tls?: { ca: Buffer | undefined; cert: Buffer | undefined; key: Buffer | undefined };
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** Rejects when there is no whole answer: no connection, too slow, too long, cut off. */
export function httpCall(url: string, request: HttpRequest): Promise<HttpAnswer> {
  const { method, headers, body, timeoutMs, answerBytesMax, tls } = request;
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    const { request: open } = target.protocol === 'https:' ? https : http;
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const outgoing = open(target, { ...tls, method, headers: { ...headers, ...length } }, (answer) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (part: Buffer) => {
        bytes += part.length;
        parts.push(part);
        if (bytes > answerBytesMax) {
          outgoing.destroy(new Error(`an answer of more than ${answerBytesMax} bytes`));
        }
      });
      answer.on('error', fail);
      answer.on('end', () => {
        clearTimeout(deadline);
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) });
      });
    });
    const deadline = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    function fail(error: Error): void {
      clearTimeout(deadline);
      reject(error);
    }
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}
