/**
 * How a client door reaches its broker: TCP or TLS, with certificates and login read from files at every connection, so
 * that renewed ones are taken without a restart; and what its failures mean in our codes. MQTT.js keeps most of these to
 * itself; a door that cannot connect must say why.
 */
import { readSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import { type MqttDoor, RivuletError, readPem, readTls, type Secret, type TlsFailure, tlsFailure } from '@rivulet/host';

const PORT = 1883;
const PORT_TLS = 8883;
/** CONNACK codes of both versions that speak of user, password or rights: 3.1.1 has 4 and 5. */
const LOGIN_CODES = [4, 5, 134, 135];

/** What one connection is made with. */
export interface Credentials {
  user: string | undefined;
  password: string | undefined;
  secure: SecureContext | null;
}

/**
 * Reads what the configuration names.
 * @param wallMs epoch milliseconds: our own certificate must be valid now
 * @throws RIV_FILE_UNREADABLE, RIV_MQTT_TLS
 */
export function readCredentials(config: MqttDoor, wallMs: number): Credentials {
  const { tls } = config;
  const user = config.user === null ? undefined : readSecret(config.user, 'mqtt.user');
  const password = config.password === null ? undefined : readSecret(config.password, 'mqtt.password');
  if (tls === null) {
    return { user, password, secure: null };
  }
  const { context } = readTls(tls, (file) => `mqtt.tls.${file}`, 'RIV_MQTT_TLS', wallMs);
  return { user, password, secure: context };
}

function readSecret(secret: Secret, name: string): string {
  return 'text' in secret
    ? secret.text
    : readPem(secret.file, name)
        .toString('utf8')
        .replace(/\r?\n$/, '');
}

type OnRead = { buffer: Uint8Array; callback: (length: number, bytes: Uint8Array) => boolean };

/** Begins a connection. */
export function openSocket(config: MqttDoor, { secure }: Credentials, onread: OnRead): Socket {
  const url = new URL(config.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (secure === null ? PORT : PORT_TLS) : Number(url.port);
  if (secure === null) {
    return connectTcp({ host, port, noDelay: true, onread });
  }
  const named = config.tls?.serverName ?? (isIP(host) === 0 ? host : null);
  // `onread` is honoured by tls.connect, though its type does not say so.
  const options = { host, port, onread, secureContext: secure, ...(named === null ? {} : { servername: named }) };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  return socket;
}

/**
 * Reads what a plain socket, whose stream is not reading, has at this moment; 0: nothing, or its end, which the stream finds
 * as well. The descriptor is no part of Node's documented face: where there is none (Windows) it is always 0.
 */
export function readAtOnce(socket: Socket, into: Uint8Array): number {
  const fd = (socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  if (fd < 0) {
    return 0;
  }
  try {
    return readSync(fd, into);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
      // The system tells it once: the stream would take the connection for ended.
      socket.destroy(error as Error);
    }
    return 0;
  }
}

/** A failed or refused connection as the operator should see it. */
export function connectionError(error: Error & { code?: unknown }, { url, tls }: MqttDoor): RivuletError {
  const { code } = error;
  const found = error.message || String(code);
  if (code === 'RIV_MQTT_MALFORMED') {
    return new RivuletError('RIV_MESSAGE_MALFORMED', { found, where: url });
  }
  if (typeof code === 'number') {
    const todo = LOGIN_CODES.includes(code) ? {} : { todo: 'See the reason and the log of the broker.' };
    return new RivuletError('RIV_MQTT_REFUSED', { found, where: url, ...todo });
  }
  const failure = tlsFailure(code);
  if (failure !== 'none') {
    return new RivuletError('RIV_MQTT_TLS', { found: `${found} (${code})`, where: url, todo: TLS_ADVICE[failure] });
  }
  const cut = code === 'ECONNRESET' || code === 'EPIPE' || code === undefined;
  const silent = cut && tls !== null && tls.cert === null;
  return new RivuletError('RIV_MQTT_UNREACHABLE', {
    ...{ found, where: url },
    ...(silent ? { todo: 'See the log of the broker; if it asks for a certificate, name one in `tls.cert`.' } : {}),
  });
}

const TLS_ADVICE: Record<Exclude<TlsFailure, 'none'>, string> = {
  ours: 'The broker did not accept our side: check `tls.cert` and `tls.key` of the door.',
  validity: "Renew the broker's certificate, or set the clock of this machine.",
  name: 'Use a name that stands in the certificate, in the URL or as `tls.server_name`.',
  trust: "Name the certificate of the broker's authority in `tls.ca`.",
  protocol: 'Check that the port speaks TLS, and `tls` of the door.',
};
