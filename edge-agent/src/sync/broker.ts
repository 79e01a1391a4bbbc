/**
 * Calls over an MQTT broker, for a gateway that reaches nothing else: each is a message and an answer that names it
 * (FORMATS.md section 10), signed by the coordinator: anybody at the broker may be able to write there. A lost connection fails what is under way, and the next call makes a new one; a long body is
 * read part by part and goes on where it broke off.
 */
import { randomBytes } from 'node:crypto';
import {
  answerTopic,
  askTopic,
  BROKER_PART_BYTES_MAX,
  type BrokerAnswer,
  decodeBrokerAnswer,
  encodeBrokerRequest,
  encodingOf,
  type HttpAnswer,
  type HttpRequest,
  publicKeyFromBytes,
  type ReadAnswer,
  RivuletError,
  signatureVerifies,
} from '@rivulet/host';
import type { MqttClient } from 'mqtt';
import type { AtBroker } from './coordinator.ts';
import type { Transport } from './http.ts';

/** Times that one part of a body is asked for. */
const ATTEMPTS_MAX = 3;
/** How long a good answer is waited for after one that is not the coordinator's own. */
const DOUBT_MS = 1_000;
/** The call whose answer names the coordinator's key. */
const ENROLMENT_PATH = '/api/v1/gateways';
/** Answer codes of SUBACK from here on are refusals. */
const REFUSED = 128;

interface Link {
  readonly client: MqttClient;
  /** Calls under way, by the hex of their id. */
  readonly waiting: Map<string, { answered(answer: ReadAnswer): void; reject(error: Error): void }>;
}

export function brokerTransport(url: string, { gateway, protocol, pinned }: AtBroker): Transport {
  let opening: Promise<Link> | null = null;
  /** What `opening` is about: older ones, which end a moment after they are lost, change nothing any more. */
  let newest: MqttClient | null = null;
  let closed = false;

  function link(request: HttpRequest): Promise<Link> {
    opening ??= open(request).catch((error: unknown) => {
      opening = null;
      throw error;
    });
    return opening;
  }

  async function open({ tls, timeoutMs }: HttpRequest): Promise<Link> {
    // loaded here: a gateway with a broker of its own and a coordinator over HTTP does without it
    const { connect } = await import('mqtt');
    if (closed) throw new Error('the connection to the broker was closed');
    const client = connect(url, {
      ...{ clean: true, reconnectPeriod: 0, connectTimeout: timeoutMs, protocolVersion: protocol },
      clientId: `rivulet-${gateway}-${randomBytes(4).toString('hex')}`,
      ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls?.cert === undefined || tls.key === undefined ? {} : { cert: tls.cert, key: tls.key }),
    });
    newest = client;
    const waiting: Link['waiting'] = new Map();
    const connected = Promise.withResolvers<unknown>();
    const lose = (error: Error) => {
      if (newest === client) opening = null;
      client.end(true);
      connected.reject(error);
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
    };
    client.on('connect', connected.resolve);
    client.on('error', lose);
    client.on('close', () => lose(new Error('the connection to the broker is gone')));
    await connected.promise;
    client.on('message', (_topic, payload) => {
      const answer = answerIn(payload);
      if (answer === null) return;
      waiting.get(Buffer.from(answer.id).toString('hex'))?.answered(answer);
    });
    const granted = await client.subscribeAsync(answerTopic(gateway), { qos: 1 });
    if (granted.some(({ qos }) => qos >= REFUSED)) {
      client.end(true);
      throw new RivuletError('RIV_SYNC_REFUSED', {
        found: `the broker does not let us subscribe to ${answerTopic(gateway)}`,
        where: url,
        todo: `Give this client the right to read it, and to write ${askTopic(gateway)}.`,
      });
    }
    return { client, waiting };
  }

  /** One message and its answer. */
  async function ask(path: string, request: HttpRequest, from: number): Promise<BrokerAnswer> {
    const { client, waiting } = await link(request);
    const genuine = signedBy((await pinned?.()) ?? null, path);
    const { headers = {}, timeoutMs } = request;
    const id = randomBytes(16);
    const message = encodeBrokerRequest({
      ...{ id, method: request.method, path, from, body: request.body ?? Buffer.alloc(0) },
      media: headers['content-type'] ?? '',
      // of a GET that in which its body is wanted
      encoding: encodingOf(headers['content-encoding'] ?? headers['accept-encoding'] ?? '') ?? 'identity',
      authorization: headers.authorization ?? '',
      signature: headers['x-rivulet-signature'] ?? '',
    });
    const name = id.toString('hex');
    let deadline: NodeJS.Timeout | undefined;
    let doubt: NodeJS.Timeout | undefined;
    try {
      return await new Promise<BrokerAnswer>((resolve, reject) => {
        const answered = (answer: ReadAnswer): void => {
          if (genuine(answer)) resolve(answer);
          else doubt ??= setTimeout(() => reject(notSigned(answer, url)), DOUBT_MS);
        };
        waiting.set(name, { answered, reject });
        deadline = setTimeout(
          () => reject(new Error(`no answer within ${timeoutMs / 1000} s: is the coordinator at this broker?`)),
          timeoutMs,
        );
        client.publish(askTopic(gateway), message, { qos: 1 }, (error) => error && reject(error));
      });
    } finally {
      clearTimeout(deadline);
      clearTimeout(doubt);
      waiting.delete(name);
    }
  }

  /** A body of any length, part by part. */
  async function read(path: string, request: HttpRequest): Promise<HttpAnswer> {
    const parts: Buffer[] = [];
    let from = 0;
    for (let failures = 0; ; ) {
      let answer: BrokerAnswer;
      try {
        answer = await ask(path, request, from);
      } catch (error) {
        failures += 1;
        if (failures >= ATTEMPTS_MAX || error instanceof RivuletError) throw error;
        continue;
      }
      if (answer.length > request.answerBytesMax) {
        throw new Error(`an answer of more than ${request.answerBytesMax} bytes`);
      }
      if (answer.from !== from || (answer.part.length === 0 && from < answer.length)) {
        throw new Error(`a part from ${answer.from} on where ${from} was asked for`);
      }
      parts.push(Buffer.from(answer.part));
      from += answer.part.length;
      failures = 0;
      if (from < answer.length) continue;
      const wanted = request.headers?.['accept-encoding'];
      const packed = answer.status === 200 && wanted !== undefined ? { 'content-encoding': wanted } : {};
      return { status: answer.status, headers: packed, body: Buffer.concat(parts) };
    }
  }

  return {
    partBytesMax: BROKER_PART_BYTES_MAX - 1024,
    async call(path, request) {
      if (request.method === 'GET') return read(path, request);
      const { status, part } = await ask(path, request, 0);
      return { status, headers: {}, body: Buffer.from(part) };
    },
    async close() {
      closed = true; // a call that is under way fails, and opens nothing any more
      opening = null;
      await newest?.endAsync(true).catch(() => {});
    },
  };
}

/** Whether an answer is the coordinator's own. Until its key is pinned the one that enrols us names its key, and signs with it. */
function signedBy(pinned: string | null, path: string): (answer: ReadAnswer) => boolean {
  const enrols = path === ENROLMENT_PATH;
  return ({ status, part, signed, signature }) => {
    if (signature === null) return false;
    if (pinned === null && enrols && status > 299) return true; // it refuses us, and nobody is believed anything
    const key = pinned ?? (enrols ? keyIn(part) : null);
    try {
      return key !== null && signatureVerifies(signed, signature, publicKeyFromBytes(Buffer.from(key, 'base64')));
    } catch {
      return false;
    }
  };
}

function keyIn(body: Uint8Array): string | null {
  try {
    const { coordinator_key: key } = JSON.parse(Buffer.from(body).toString('utf8')) as { coordinator_key?: unknown };
    return typeof key === 'string' ? key : null;
  } catch {
    return null;
  }
}

function notSigned({ signature }: ReadAnswer, where: string): RivuletError {
  const found =
    signature === null
      ? 'an answer without a signature'
      : 'an answer that another key signed than the one we enrolled at';
  return new RivuletError('RIV_SYNC_SIGNATURE', { found, where });
}

/** What is no answer is none of ours: anybody at the broker can write there. */
function answerIn(payload: Uint8Array): ReadAnswer | null {
  try {
    return decodeBrokerAnswer(payload);
  } catch {
    return null;
  }
}
