/** Certificates for tests of TLS, made anew each time with the `openssl` command; absent, such tests are skipped. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why certificates cannot be made here; null when they can. */
export const opensslAbsent = found() ? null : 'openssl is not installed';

function found(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export interface Authority {
  directory: string;
  /** Path of the authority's own certificate. */
  ca: string;
  /** Makes a certificate for a name (and 127.0.0.1 unless told otherwise); answers the paths. */
  issue(name: string, options?: { days?: number; address?: string }): Promise<{ cert: string; key: string }>;
  remove(): Promise<void>;
}

export async function makeAuthority(): Promise<Authority> {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-certificates-'));
  const at = (file: string): string => join(directory, file);
  const openssl = (...argv: string[]): unknown => execFileSync('openssl', argv, { stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  return {
    directory,
    ca: at('ca.pem'),
    async issue(name, { days = 2, address = '127.0.0.1' } = {}) {
      const [cert, key, request, extension] = ['pem', 'key', 'csr', 'ext'].map((kind) => at(`${name}.${kind}`)) as [
        string,
        string,
        string,
        string,
      ];
      await writeFile(extension, `subjectAltName=DNS:${name},IP:${address}\n`);
      openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
      const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', extension];
      openssl('x509', '-req', '-in', request, ...signed, '-out', cert, '-days', String(days));
      return { cert, key };
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
