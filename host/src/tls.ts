// Certificates and keys as files: read when a connection or a server is opened, so that renewed ones are taken, and tried at
// once, so that what cannot work is said with its code and the file it stands in. And what Node calls a failure of TLS.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type ErrorCode, RivuletError } from './errors.ts';

/** OpenSSL and Node name what is wrong with a certificate or a handshake by codes of these beginnings. */
const TLS_CODE =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_|HOSTNAME_|CRL_|EPROTO|PATH_LENGTH)/;
const NOT_TRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|CERT_UNTRUSTED)/;

/** Paths of PEM files; null: none. */
export interface TlsFiles {
  /** Who signs the other side's certificate. */
  ca: string | null;
  cert: string | null;
  key: string | null;
}

/** What the files hold, and a context made of it. */
export interface TlsMaterial {
  ca: Buffer | undefined;
  cert: Buffer | undefined;
  key: Buffer | undefined;
  context: SecureContext;
}

/**
 * @param name of a file for people: `mqtt.tls.cert`, `--tls-cert`
 * @param wallMs epoch milliseconds: our own certificate must be valid now
 * @throws RIV_FILE_UNREADABLE, `code` when the files do not go together
 */
export function readTls(
  files: TlsFiles,
  name: (file: keyof TlsFiles) => string,
  code: ErrorCode,
  wallMs: number,
): TlsMaterial {
  const read = (file: keyof TlsFiles): Buffer | undefined => {
    const path = files[file];
    return path === null ? undefined : readPem(path, name(file));
  };
  const [ca, cert, key] = [read('ca'), read('cert'), read('key')];
  try {
    if (cert !== undefined) {
      const { validToDate } = new X509Certificate(cert);
      if (validToDate.getTime() < wallMs) throw new Error(`our certificate expired on ${validToDate.toISOString()}`);
    }
    return { ca, cert, key, context: createSecureContext({ ca, cert, key }) };
  } catch (cause) {
    const where = [files.ca, files.cert, files.key].filter((path) => path !== null).join(', ');
    throw new RivuletError(code, { found: (cause as Error).message, where, cause });
  }
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

/** What failed, by the code of an error: nothing of TLS, our side, the validity or the name of theirs, who signed it, else. */
export type TlsFailure = 'none' | 'ours' | 'validity' | 'name' | 'trust' | 'protocol';

export function tlsFailure(code: unknown): TlsFailure {
  if (typeof code !== 'string' || !TLS_CODE.test(code)) return 'none';
  if (code.includes('ALERT')) return 'ours';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return 'validity';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'name';
  return NOT_TRUSTED.test(code) ? 'trust' : 'protocol';
}
