/**
 * The HTTP server: the table of routes, the event stream and the console behind one set of limits and headers.
 */
import { timingSafeEqual } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { zstdCompressSync } from 'node:zlib';
import {
  type BrokerRequest,
  encodingOf,
  enrolmentProof,
  expandBody,
  RivuletError,
  sha256,
  type TlsMaterial,
} from '@rivulet/host';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Coordinator } from '../coordinator.ts';
import type { EnrolmentRequest } from '../intake/enrolment.ts';
import { type ConsoleFile, readConsole } from './console_files.ts';
import { type EventTimes, openEventStream } from './events.ts';
import { coded, errorView, statusOf } from './refusals.ts';
import { type Route, routesOf } from './routes.ts';
import type { RetryWindowView } from './views.ts';

/** Sockets at a time. */
const CONNECTIONS_MAX = 1_024;
/** Bodies of all requests that are under way: as long as they say that they are (else as they may be), then as they unpack. */
const BODIES_BYTES_MAX = 64 * 1024 * 1024;
/** Time for a whole request to arrive: a delta over a slow link, not a socket held open byte by byte. */
const REQUEST_MS = 30_000;
/** Idle connections are kept this long, longer than gateways and pages come back. */
const KEEP_ALIVE_MS = 65_000;
/** Releases that are kept compressed. */
const PACKED_MAX = 8;
/** Longest path that is looked at: as long as the request line that Node reads. */
const PATH_CHARACTERS_MAX = 16 * 1024;

/** Nothing from elsewhere, nothing inline, no frames: the console is served whole from here. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Counts the body of a request as under way, or throws `RIV_OVERLOADED`. */
type Enter = (request: FastifyRequest['raw'], response: FastifyReply['raw'], bytes: number) => void;
/** How to count what a body is longer unpacked than it said. */
const unpacked = new WeakMap<FastifyRequest['raw'], (more: number) => void>();

export interface ServerOptions {
  readonly coordinator: Coordinator;
  readonly version: string;
  readonly host: string;
  readonly port: number;
  /** Asked for at enrolment; null: nobody is asked. */
  readonly token: string | null;
  /** Where the built console is. */
  readonly consoleDirectory: string;
  readonly eventTimes?: EventTimes;
  /** With it only TLS is spoken; with `ca` every client must show a certificate that it signed. */
  readonly tls?: TlsMaterial | null;
}

/** What all routes share. */
interface Shared {
  readonly join: (response: FastifyReply['raw']) => void;
  readonly enter: Enter;
  readonly packed: ReturnType<typeof packedBodies>;
}

/** A request that came another way than HTTP; the encoding of a GET is that in which it wants its body. */
type ServerCall = Omit<BrokerRequest, 'id' | 'from' | 'signed'>;

export interface Server {
  readonly url: string;
  /** A call that came another way, over the same routes, limits and refusals. */
  call(request: ServerCall): Promise<{ status: number; body: Buffer }>;
  /** Ends the event streams, lets running requests finish, closes the rest. */
  stop(): Promise<void>;
}

/** Listens. Throws `RIV_PORT_BUSY` when the port is taken. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { coordinator } = options;
  const routes = routesOf(coordinator, options.version);
  const events = openEventStream(coordinator, options.eventTimes);
  const refuse = (reply: FastifyReply, thrown: unknown) => sendRefusal(reply, coded(thrown), coordinator);
  const { tls } = options;
  const app = Fastify({
    ...(tls ? { https: { ...certificates(tls) } } : {}),
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    // every parameter has a bound of its own in its schema
    routerOptions: { maxParamLength: PATH_CHARACTERS_MAX },
    frameworkErrors: (error, _request, reply) => refuse(reply, error),
    clientErrorHandler: (error, socket) => refuseGarbage(error, socket, coordinator.retryWindow()),
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allowUnionTypes: true } },
  });
  app.server.maxConnections = CONNECTIONS_MAX;

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, parseBody);
  app.addHook('onSend', addSafetyHeaders);
  app.setErrorHandler((error, _request, reply) => refuse(reply, error));
  app.setNotFoundHandler((request, reply) => refuse(reply, unrouted(request, reply, routes)));
  let bodies = 0;
  const enter: Enter = (request, response, bytes) => {
    let mine = 0;
    const grow = (more: number) => {
      if (bodies + more > BODIES_BYTES_MAX)
        throw new RivuletError('RIV_OVERLOADED', `requests of ${bodies} bytes are being read`);
      bodies += more;
      mine += more;
    };
    grow(bytes);
    unpacked.set(request, grow);
    const done = () => {
      bodies -= mine;
      mine = 0;
    };
    response.once('close', done).once('finish', done);
  };
  const packed = packedBodies();
  for (const route of routes) register(app, route, options, { join: events.join, enter, packed });
  for (const [path, file] of readConsole(options.consoleDirectory)) {
    app.get(path, (request, reply) => sendFile(request, reply, file));
  }

  try {
    await app.listen({ host: options.host, port: options.port });
  } catch (error) {
    events.stop();
    await app.close();
    throw listenError(error, options);
  }
  return {
    url: urlOf(app.server.address() as AddressInfo, options.tls ? 'https' : 'http'),
    async call({ method, path, media, encoding, authorization, signature, body }) {
      const post = { 'content-type': media, 'content-encoding': encoding };
      const form = method === 'POST' ? post : { 'accept-encoding': encoding };
      const headers = { authorization, 'x-rivulet-signature': signature, ...form };
      const payload = method === 'POST' ? { payload: Buffer.from(body) } : {};
      const { statusCode, rawPayload } = await app.inject({ method, url: path, headers, ...payload });
      return { status: statusCode, body: rawPayload };
    },
    async stop() {
      events.stop();
      await app.close();
    },
  };
}

function certificates({ ca, cert, key }: TlsMaterial) {
  return { cert, key, minVersion: 'TLSv1.2' as const, ...(ca === undefined ? {} : { ca, requestCert: true }) };
}

function register(app: FastifyInstance, route: Route, options: ServerOptions, { join, enter, packed }: Shared): void {
  const { body } = route;
  app.route({
    method: route.method,
    url: route.path.replace(/\{(\w+)\}/g, ':$1'),
    ...(body ? { bodyLimit: body.bytesMax } : {}),
    config: { raw: body?.raw ?? true },
    schema: {
      ...(route.params ? { params: { type: 'object', properties: route.params } } : {}),
      ...(route.query ? { querystring: { type: 'object', properties: route.query, additionalProperties: false } } : {}),
      ...(body && !body.raw ? { body: body.schema } : {}),
    },
    onRequest: async (request, reply) => {
      if (!body) return;
      checkMedia(request, body.media);
      const announced = Number(request.headers['content-length'] ?? body.bytesMax);
      enter(request.raw, reply.raw, Math.min(announced, body.bytesMax));
    },
    preHandler: async (request) => {
      if (route.token) checkToken(request, options.token);
    },
    handler: async (request, reply) => {
      if (route.handle === undefined) return startStream(reply, join);
      const answer = await route.handle({
        params: request.params as Record<string, string>,
        query: request.query as Record<string, string | number | undefined>,
        body: request.body,
        header: (name) => String(request.headers[name] ?? ''),
      });
      reply.header('cache-control', route.cache ?? 'no-store').type(route.answer.media);
      if (!(answer instanceof Uint8Array)) return reply.send(JSON.stringify(answer));
      reply.header('vary', 'accept-encoding');
      if (!acceptsZstd(request)) return reply.send(Buffer.from(answer));
      return reply.header('content-encoding', 'zstd').send(packed(request.url.split('?')[0] as string, answer));
    },
  });
}

function acceptsZstd(request: FastifyRequest): boolean {
  return /(^|,)\s*zstd\s*($|,)/i.test(String(request.headers['accept-encoding'] ?? ''));
}

/** Bodies of addresses whose content never changes, as they travel: a fleet asks for the same release within seconds. */
function packedBodies(): (address: string, body: Uint8Array) => Buffer {
  const kept = new Map<string, Buffer>();
  return (address, body) => {
    const bytes = kept.get(address) ?? zstdCompressSync(body);
    kept.delete(address);
    kept.set(address, bytes);
    const [oldest] = kept.keys();
    if (kept.size > PACKED_MAX && oldest !== undefined) kept.delete(oldest);
    return bytes;
  };
}

function startStream(reply: FastifyReply, join: (response: FastifyReply['raw']) => void): FastifyReply {
  join(reply.raw);
  return reply.hijack();
}

function parseBody(
  request: FastifyRequest,
  body: string | Buffer,
  done: (error: Error | null, body?: unknown) => void,
): void {
  const { config, bodyLimit } = request.routeOptions;
  try {
    const bytes = expanded(request, body as Buffer, bodyLimit);
    unpacked.get(request.raw)?.(Math.max(0, bytes.length - body.length));
    done(null, (config as { raw?: boolean }).raw ? bytes : json(bytes));
  } catch (error) {
    done(error as Error);
  }
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new RivuletError('RIV_REQUEST', `the body is not JSON: ${(error as Error).message}`);
  }
}

/** The body as it was before `Content-Encoding`: no longer than one that came without may be. */
function expanded(request: FastifyRequest, body: Buffer, bytesMax: number): Uint8Array {
  const header = request.headers['content-encoding'] ?? '';
  const encoding = encodingOf(header);
  if (encoding === null)
    throw new RivuletError('RIV_MEDIA_TYPE', {
      found: `content encoding ${JSON.stringify(header)}`,
      expected: 'zstd or deflate',
    });
  return expandBody(body, encoding, bytesMax);
}

function checkMedia(request: FastifyRequest, media: string): void {
  const found = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (found === media) return;
  throw new RivuletError('RIV_MEDIA_TYPE', { found: `content type ${JSON.stringify(found)}`, expected: media });
}

/** The token itself, or the proof of it that goes over a broker. */
function checkToken(request: FastifyRequest, token: string | null): void {
  if (token === null) return;
  const [, scheme = '', given = ''] = /^(Bearer|Proof) (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const asked =
    scheme.toLowerCase() === 'proof'
      ? enrolmentProof(token, request.body as EnrolmentRequest).slice(scheme.length + 1)
      : token;
  // hashes have one length, so the comparison tells nothing about the token
  if (timingSafeEqual(sha256(Buffer.from(given)), sha256(Buffer.from(asked)))) return;
  throw new RivuletError('RIV_TOKEN', given === '' ? 'enrolment without a token' : 'enrolment with another token');
}

async function addSafetyHeaders(_request: FastifyRequest, reply: FastifyReply): Promise<void> {
  reply.headers({
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
  });
}

function sendRefusal(reply: FastifyReply, error: RivuletError, coordinator: Coordinator): FastifyReply {
  const busy = statusOf(error.code) === 503;
  const window = coordinator.retryWindow(busy);
  if (busy) reply.header('retry-after', Math.ceil(window.from));
  if (error.code === 'RIV_INTERNAL')
    process.stderr.write(`${String((error.cause as Error)?.stack ?? error.message)}\n`);
  return reply
    .status(statusOf(error.code))
    .type('application/json')
    .send(JSON.stringify(errorView(error, window)));
}

/** What is no HTTP, or does not arrive in time, gets an answer when the socket still takes one. */
function refuseGarbage(error: Error & { code?: string }, socket: Socket, window: RetryWindowView): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(
    errorView(new RivuletError('RIV_REQUEST', `no request that can be read (${error.code})`), window),
  );
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** No route of that method: 405 when the path has others, else 404. */
function unrouted(request: FastifyRequest, reply: FastifyReply, routes: readonly Route[]): RivuletError {
  const path = request.url.split('?')[0] ?? '';
  const methods = routes.filter((route) => matches(route, path)).map(({ method }) => method);
  if (methods.length === 0) return new RivuletError('RIV_NOT_FOUND', `nothing is at ${path.slice(0, 200)}`);
  reply.header('allow', [...new Set(methods)].join(', '));
  return new RivuletError('RIV_METHOD', `${request.method} is not answered at ${path.slice(0, 200)}`);
}

function matches(route: Route, path: string): boolean {
  return new RegExp(`^${route.path.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(path);
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: ConsoleFile): FastifyReply {
  reply.headers({ etag: file.etag, 'cache-control': file.cache });
  if (request.headers['if-none-match'] === file.etag) return reply.status(304).send();
  return reply.type(file.media).send(file.bytes);
}

function urlOf({ address, family, port }: AddressInfo, scheme: 'http' | 'https'): string {
  const host = address === '0.0.0.0' || address === '::' ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `${scheme}://${host}:${port}`;
}

function listenError(error: unknown, { host, port }: ServerOptions): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') {
    return new RivuletError('RIV_PORT_BUSY', {
      found: `port ${port} of ${host} is in use`,
      todo: 'Stop what uses it, or choose another one with --port (0: any free).',
    });
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    return new RivuletError('RIV_PORT_BUSY', {
      found: `cannot listen on ${host}, port ${port} (${code})`,
      todo: 'Choose another one with --host and --port.',
    });
  }
  return error;
}
