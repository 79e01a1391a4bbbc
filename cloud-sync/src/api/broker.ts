/**
 * The API over an MQTT broker: each request of a gateway goes through the same routes, limits and refusals as over HTTP
 * (FORMATS.md section 10). Only the calls that gateways make are answered here.
 */
import { randomBytes } from 'node:crypto';
import {
  answerTopic,
  askingGateway,
  askTopic,
  BROKER_PART_BYTES_MAX,
  type BrokerRequest,
  decodeBrokerRequest,
  encodeBrokerAnswer,
  encodeSignedAnswer,
  type Identity,
  RivuletError,
  type TlsMaterial,
  tlsFailure,
  toRivuletError,
} from '@rivulet/host';
import { MqttClient } from 'mqtt';
import { openBrokerStream } from './broker_stream.ts';
import { errorView, statusOf } from './refusals.ts';
import type { Server } from './server.ts';
import type { RetryWindowView } from './views.ts';

/** Calls under way at a time; more are turned away. */
const CALLS_MAX = 256;
/** Longest packet that is read: a request with all its fields. */
const PACKET_BYTES_MAX = BROKER_PART_BYTES_MAX + 8 * 1024;
/** Calls remembered, so that one the broker delivers twice is answered once. */
const REMEMBERED_MAX = 4_096;
/** Bodies kept that are being read part by part: releases, which never change. */
const BODIES_MAX = 4;
/** How long between two attempts to reach the broker. */
const RECONNECT_MS = 1_000;

const ENROLMENT_PATH = '/api/v1/gateways';
const CALLS: readonly [BrokerRequest['method'], RegExp][] = [
  ['POST', /^\/api\/v1\/(gateways|deltas|pieces|reports)$/],
  ['GET', /^\/api\/v1\/releases\/[0-9a-f]{64}$/],
];

export interface BrokerOptions {
  /** `mqtt://` or `mqtts://`, login included. */
  readonly url: string;
  /** 4 is 3.1.1. */
  readonly protocol: 4 | 5;
  readonly tls: Pick<TlsMaterial, 'ca'> | null;
  readonly server: Pick<Server, 'call'>;
  /** Answers carry this signature: anybody at the broker may be able to write there. */
  readonly sign: Identity['signAhead'];
  readonly retryWindow: (busy: boolean) => RetryWindowView;
  /** Told when the broker is away, once until it is back, and when it says no. */
  readonly failed: (error: RivuletError) => void;
}

export interface Broker {
  stop(): Promise<void>;
}

interface Body {
  readonly status: number;
  readonly body: Buffer;
}

/** Begins to answer at a broker, now and whenever it is back. */
export function answerAtBroker(options: BrokerOptions): Broker {
  const { server, retryWindow } = options;
  const where = withoutLogin(options.url);
  const remembered = new Set<string>();
  const bodies = new Map<string, Body>();
  let calls = 0;
  let away = false;
  const client = new MqttClient(
    () => openBrokerStream({ url: options.url, ca: options.tls?.ca, packetBytesMax: PACKET_BYTES_MAX, lost }),
    {
      ...{ clean: true, reconnectPeriod: RECONNECT_MS, protocolVersion: options.protocol, resubscribe: false },
      clientId: `rivulet-cloud-${randomBytes(8).toString('hex')}`,
      ...loginOf(options.url),
      ...(options.protocol === 5 ? { properties: { maximumPacketSize: PACKET_BYTES_MAX } } : {}),
    },
  );

  function lost(error: Error & { code?: unknown }): void {
    if (away) return;
    away = true;
    const code = tlsFailure(error.code) === 'none' ? 'RIV_MQTT_UNREACHABLE' : 'RIV_MQTT_TLS';
    options.failed(new RivuletError(code, { found: error.message || String(error.code), where }));
  }

  client.on('connect', () => {
    away = false;
    client.subscribe(askTopic('+'), { qos: 1 }, (error, granted) => {
      if (error === null && (granted ?? []).every(({ qos }) => qos < 128)) return;
      options.failed(
        new RivuletError('RIV_MQTT_REFUSED', { found: `no right to subscribe to ${askTopic('+')}`, where }),
      );
    });
  });
  client.on('error', lost);
  client.on('close', () => lost(new Error('the connection to the broker is gone')));
  client.on('message', (topic, payload) => void answer(client, topic, payload));

  async function answer(to: MqttClient, topic: string, payload: Uint8Array): Promise<void> {
    const gateway = askingGateway(topic);
    const request = gateway === null ? null : requestIn(payload);
    if (gateway === null || request === null || isRepeat(request)) return;
    const { status, body } = await carryOut(request);
    const from = request.method === 'GET' ? Math.min(request.from, body.length) : 0;
    const part = request.method === 'GET' ? body.subarray(from, from + BROKER_PART_BYTES_MAX) : body;
    const whole = { id: request.id, status, length: body.length, from, part };
    const message = request.signed ? await encodeSignedAnswer(whole, options.sign) : encodeBrokerAnswer(whole);
    to.publish(answerTopic(gateway), message, { qos: 1 });
  }

  function isRepeat({ id }: BrokerRequest): boolean {
    const name = Buffer.from(id).toString('hex');
    if (remembered.has(name)) return true;
    remembered.add(name);
    const [oldest] = remembered;
    if (remembered.size > REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
    return false;
  }

  async function carryOut(request: BrokerRequest): Promise<Body> {
    const { method, path } = request;
    if (!CALLS.some(([known, pattern]) => known === method && pattern.test(path))) {
      return refusal(new RivuletError('RIV_NOT_FOUND', 'a call that is not answered at a broker'));
    }
    if (request.signed && path === ENROLMENT_PATH && request.signature === '') {
      return refusal(new RivuletError('RIV_SIGNATURE', 'an enrolment at a broker without a signature of its key'));
    }
    if (calls >= CALLS_MAX) return refusal(new RivuletError('RIV_OVERLOADED', `${calls} calls are under way`));
    calls += 1;
    try {
      const kept = method === 'GET' && request.from > 0 ? bodies.get(nameOf(request)) : undefined;
      const found = kept ?? (await server.call(request));
      if (method === 'GET' && found.status === 200 && found.body.length > BROKER_PART_BYTES_MAX)
        keep(nameOf(request), found);
      return found;
    } catch (error) {
      return refusal(toRivuletError(error));
    } finally {
      calls -= 1;
    }
  }

  function keep(name: string, body: Body): void {
    bodies.delete(name);
    bodies.set(name, body);
    const [oldest] = bodies.keys();
    if (bodies.size > BODIES_MAX && oldest !== undefined) bodies.delete(oldest);
  }

  function refusal(error: RivuletError): Body {
    const status = statusOf(error.code);
    return { status, body: Buffer.from(JSON.stringify(errorView(error, retryWindow(status === 503)))) };
  }

  return {
    stop: () => client.endAsync(true),
  };
}

/** Of a body that is read part by part. */
function nameOf({ path, encoding }: BrokerRequest): string {
  return `${path} ${encoding}`;
}

/** What is no request is dropped: nobody can be told, since nobody has asked. */
function requestIn(payload: Uint8Array): BrokerRequest | null {
  try {
    return decodeBrokerRequest(payload);
  } catch {
    return null;
  }
}

function loginOf(url: string): { username?: string; password?: string } {
  const { username, password } = new URL(url);
  return {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
}

function withoutLogin(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
