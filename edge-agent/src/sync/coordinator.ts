/**
 * The coordinator as the gateway sees it: the four calls of its HTTP API that a gateway needs, each with a time limit and
 * a size limit, each answer checked at the door. What it answers is data from outside: nothing is trusted that does not
 * carry the pinned key's signature or the asked-for hash.
 */
import {
  compressBody,
  type Encoding,
  encodePiece,
  encodingOf,
  enrolmentProof,
  enrolmentText,
  expandBody,
  type HttpAnswer,
  type HttpRequest,
  type Identity,
  publicKeyFromBytes,
  RivuletError,
  signatureVerifies,
  type TlsFailure,
  type TlsMaterial,
  tlsFailure,
  toRivuletError,
} from '@rivulet/host';
import {
  CallFailed,
  headsOf,
  heldOf,
  parse,
  type Receipt,
  type RetryWindow,
  receiptOf,
  refusalCode,
  refusalMessage,
  refusalOf,
  refusedWindow,
  type Standing,
  text,
  windowOf,
} from './answers.ts';
import { brokerTransport } from './broker.ts';
import { httpTransport } from './http.ts';

/** One call, connection included. */
const CALL_MS_MAX = 15_000;
/** Headers and frames around a body, each way, about. */
const AROUND_BYTES = 300;
/** The longest JSON answer: a list of heads. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** The longest release. */
const RELEASE_BYTES_MAX = 20 * 1024 * 1024;

export interface Enrolment {
  gateway: string;
  public_key: string;
  incarnation: string;
  about: string;
  simulated: boolean;
}

/** Who signs the pieces of a long envelope. */
export interface Signer {
  gateway: string;
  sign: Identity['sign'];
}

export interface Coordinator {
  /** Answers the coordinator's public key, base64. `sign` shows that the key is ours. */
  enrol(enrolment: Enrolment, sign: Identity['sign']): Promise<string>;
  /** Hands in an envelope; the receipt's signature has been verified with `key`. */
  sendDelta(envelope: Uint8Array, key: string, signer: Signer): Promise<Standing & { receipt: Receipt }>;
  sendReport(report: object, sign: Identity['sign']): Promise<Standing>;
  /** The bytes of a release, unchecked. */
  fetchRelease(hash: string): Promise<Buffer>;
  /** What the newest answer asked for, good or not; null: nothing. */
  retryWindow(): RetryWindow | null;
  /** Bytes of bodies since the start, with what stands around each call. */
  traffic(): { outBytes: number; inBytes: number };
  close(): Promise<void>;
}

/** What to do about a handshake that failed. */
const TLS_ADVICE: Record<Exclude<TlsFailure, 'none'>, string> = {
  ours: 'The coordinator did not accept our certificate: check `sync.cert` and `sync.key`.',
  validity: "Renew the coordinator's certificate, or set the clock of this machine.",
  name: 'Use a name that stands in its certificate in `sync.url`.',
  trust: 'Name the certificate of its authority in `sync.ca`.',
  protocol: 'Check that the port speaks TLS.',
};

/** What calls over a broker need. */
export interface AtBroker {
  /** Our id: names our topics. */
  gateway: string;
  /** The MQTT version: 4 is 3.1.1. */
  protocol: 4 | 5;
  /** The coordinator's key that is pinned (base64): answers are its own; null: none is yet. */
  pinned?: () => Promise<string | null>;
  /** Told of the bytes of every call, both ways. */
  spent?: (bytes: number) => void;
}

/**
 * @param url the coordinator's base address, or with `mqtt:` or `mqtts:` that of the broker where it answers
 * @param readFiles reads certificates; called again after a failed handshake, so that renewed ones are taken
 */
export function connectCoordinator(
  url: string,
  token: string | null,
  readFiles: (() => TlsMaterial) | null = null,
  atBroker: AtBroker = { gateway: '', protocol: 4 },
): Coordinator {
  const base = withoutLogin(url.endsWith('/') ? url.slice(0, -1) : url);
  const overBroker = url.startsWith('mqtt');
  const transport = overBroker ? brokerTransport(url, atBroker) : httpTransport(base);
  let window: RetryWindow | null = null;
  let tls = readFiles?.() ?? null;
  const traffic = { outBytes: 0, inBytes: 0 };

  async function call(
    path: string,
    request: Pick<HttpRequest, 'method' | 'headers' | 'body'>,
    bytesMax: number,
  ): Promise<Buffer> {
    const where = `${base}${path}`;
    let answer: HttpAnswer;
    window = null;
    try {
      tls ??= readFiles?.() ?? null;
      const own = tls === null ? {} : { tls: { ca: tls.ca, cert: tls.cert, key: tls.key } };
      answer = await transport.call(path, { ...request, ...own, timeoutMs: CALL_MS_MAX, answerBytesMax: bytesMax });
      count(request.body?.length ?? 0, answer.body.length);
    } catch (error) {
      count(request.body?.length ?? 0, 0);
      if (error instanceof RivuletError) throw error;
      tls = null;
      const failure = tlsFailure((error as NodeJS.ErrnoException).code);
      if (failure === 'none') {
        // A server that wants a certificate may hang up without a word.
        const cut = base.startsWith('https:') && causeOf(error) === 'ECONNRESET';
        throw new RivuletError('RIV_SYNC_UNREACHABLE', {
          ...{ found: causeOf(error), where },
          ...(cut ? { todo: 'If the coordinator asks for a certificate, check `sync.cert` and `sync.key`.' } : {}),
        });
      }
      const found = `${(error as Error).message} (${causeOf(error)})`;
      throw new RivuletError('RIV_SYNC_TLS', { found, where, todo: TLS_ADVICE[failure] });
    }
    const { status, body } = answer;
    if (status < 200 || status > 299) {
      window = refusedWindow(answer);
      throw new CallFailed(
        status >= 500 || status === 429 ? 'RIV_SYNC_UNREACHABLE' : refusalCode(body),
        `the coordinator answered ${status}: ${refusalMessage(body)}`,
        where,
        { resync: headsOf([refusalOf(body).resync])[0] ?? null, newest: refusalOf(body).newest_report },
      );
    }
    return unpacked(answer, bytesMax, where);
  }

  function count(outBytes: number, inBytes: number): void {
    traffic.outBytes += outBytes + AROUND_BYTES;
    traffic.inBytes += inBytes + AROUND_BYTES;
    atBroker.spent?.(outBytes + inBytes + 2 * AROUND_BYTES);
  }

  function post(path: string, body: Uint8Array, headers: Record<string, string>): Promise<Buffer> {
    const authorization = token === null || overBroker ? {} : { authorization: `Bearer ${token}` };
    return call(path, { method: 'POST', body, headers: { ...authorization, ...headers } }, ANSWER_BYTES_MAX);
  }

  function standing(answer: Record<string, unknown>): Standing {
    window = windowOf(answer.retry_window_s);
    const flag = (value: unknown) => (typeof value === 'boolean' ? value : null);
    return {
      heads: headsOf(answer.heads),
      held: heldOf(answer.held),
      forgotten: flag(answer.forgotten),
      kernelTaken: flag(answer.kernel_taken),
      fleet: answer.fleet,
    };
  }

  /** A long envelope in pieces: the coordinator says from where to go on. Answers what the last piece brings. */
  async function sendPieces(whole: Uint8Array, encoding: Encoding, signer: Signer): Promise<Record<string, unknown>> {
    const path = '/api/v1/pieces';
    let offset = 0;
    // As often as there are pieces, and once more from the start: the coordinator may have been restarted on the way.
    for (let left = 2 * Math.ceil(whole.length / transport.partBytesMax); left > 0; left--) {
      const piece = encodePiece(
        { gateway: signer.gateway, encoding, offset },
        whole,
        signer.sign,
        transport.partBytesMax,
      );
      const answer = parse(await post(path, piece, bytes), path);
      if (typeof answer.delta === 'object' && answer.delta !== null) return answer.delta as Record<string, unknown>;
      if (!Number.isSafeInteger(answer.received)) break;
      offset = Math.min(Math.max(answer.received as number, 0), whole.length - 1);
    }
    throw new CallFailed('RIV_SYNC_ANSWER', 'the coordinator does not get the pieces together', path);
  }

  const bytes = { 'content-type': 'application/octet-stream' };
  const json = { 'content-type': 'application/json' };

  return {
    async enrol(enrolment, sign) {
      const path = '/api/v1/gateways';
      const signature = { 'x-rivulet-signature': sign(enrolmentText(enrolment)).toString('base64') };
      // others may read along at a broker
      const proof = overBroker && token !== null ? { authorization: enrolmentProof(token, enrolment) } : {};
      const body = Buffer.from(JSON.stringify(enrolment));
      const answer = parse(await post(path, body, { ...json, ...signature, ...proof }), path);
      return text(answer.coordinator_key, path);
    },
    async sendDelta(envelope, key, signer) {
      const path = '/api/v1/deltas';
      const { encoding, body } = compressBody(envelope);
      const answer =
        body.length <= transport.partBytesMax
          ? parse(await post(path, body, { ...bytes, 'content-encoding': encoding }), path)
          : await sendPieces(body, encoding, signer);
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
      return { receipt, ...standing(answer) };
    },
    async sendReport(report, sign) {
      const path = '/api/v1/reports';
      const plain = Buffer.from(JSON.stringify(report));
      const signature = sign(plain).toString('base64');
      const { encoding, body } = compressBody(plain);
      const headers = { ...json, 'content-encoding': encoding, 'x-rivulet-signature': signature };
      return standing(parse(await post(path, body, headers), path));
    },
    fetchRelease: (hash) =>
      call(`/api/v1/releases/${hash}`, { method: 'GET', headers: { 'accept-encoding': 'zstd' } }, RELEASE_BYTES_MAX),
    retryWindow: () => window,
    traffic: () => ({ ...traffic }),
    close: transport.close,
  };
}

/** The body as it was before it was compressed, within the same limit. */
function unpacked({ headers, body }: HttpAnswer, bytesMax: number, where: string): Buffer {
  const encoding = encodingOf(headers['content-encoding'] ?? '');
  try {
    if (encoding !== null) return Buffer.from(expandBody(body, encoding, bytesMax));
  } catch (error) {
    throw new CallFailed('RIV_SYNC_ANSWER', toRivuletError(error).message, where);
  }
  throw new CallFailed('RIV_SYNC_ANSWER', 'an answer in an encoding that nobody asked for', where);
}

/** The address as it may be shown. */
function withoutLogin(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/@]*@/, '$1');
}

/** What the system calls it, where it has a name for it. */
function causeOf(error: unknown): string {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code || error.message : String(error);
}
