/**
 * How a client door reaches its broker: TCP or TLS, with certificates and login read from files at every connection, so
 * that renewed ones are taken without a restart; and what its failures mean in our codes. MQTT.js keeps most of these to
 * itself; a door that cannot connect must say why.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import { type MqttDoor, RivuletError, type Secret } from '@rivulet/host';

const PORT = 1883;
const PORT_TLS = 8883;
/** OpenSSL and Node name what is wrong with a certificate or a handshake by codes of these beginnings. */
const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_|HOSTNAME_|CRL_|EPROTO|PATH_LENGTH)/;
const NOT_TRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|CERT_UNTRUSTED)/;
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
  const ca = tls.ca === null ? undefined : readPem(tls.ca, 'mqtt.tls.ca');
  const cert = tls.cert === null ? undefined : readPem(tls.cert, 'mqtt.tls.cert');
  const key = tls.key === null ? undefined : readPem(tls.key, 'mqtt.tls.key');
  try {
    if (cert !== undefined) {
      const { validToDate } = new X509Certificate(cert);
      if (validToDate.getTime() < wallMs) {
        throw new Error(`our certificate expired on ${validToDate.toISOString()}`);
      }
    }
    return { user, password, secure: createSecureContext({ ca, cert, key }) };
  } catch (cause) {
    const where = [tls.ca, tls.cert, tls.key].filter((path) => path !== null).join(', ');
    throw new RivuletError('RIV_MQTT_TLS', { found: (cause as Error).message, where, cause });
  }
}

function readSecret(secret: Secret, name: string): string {
  return 'text' in secret
    ? secret.text
    : readPem(secret.file, name)
        .toString('utf8')
        .replace(/\r?\n$/, '');
}

/** @throws RIV_FILE_UNREADABLE */
export function readPem(path: string, name: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const found = `cannot read the file of \`${name}\` (${(cause as NodeJS.ErrnoException).code})`;
    throw new RivuletError('RIV_FILE_UNREADABLE', { found, where: path, cause });
  }
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
  if (typeof code === 'string' && TLS_CODE.test(code)) {
    return new RivuletError('RIV_MQTT_TLS', { found: `${found} (${code})`, where: url, todo: tlsAdvice(code) });
  }
  const cut = code === 'ECONNRESET' || code === 'EPIPE' || code === undefined;
  const silent = cut && tls !== null && tls.cert === null;
  return new RivuletError('RIV_MQTT_UNREACHABLE', {
    ...{ found, where: url },
    ...(silent ? { todo: 'See the log of the broker; if it asks for a certificate, name one in `tls.cert`.' } : {}),
  });
}

function tlsAdvice(code: string): string {
  if (code.includes('ALERT')) {
    return 'The broker did not accept our side: check `tls.cert` and `tls.key` of the door.';
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return "Renew the broker's certificate, or set the clock of this machine.";
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'Use a name that stands in the certificate, in the URL or as `tls.server_name`.';
  }
  return NOT_TRUSTED.test(code)
    ? "Name the certificate of the broker's authority in `tls.ca`."
    : 'Check that the port speaks TLS, and `tls` of the door.';
}
