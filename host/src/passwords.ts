// Passwords of the embedded broker's users, hashed as mosquitto_passwd does (`$7$ITERATIONS$SALT$HASH`, PBKDF2 with
// SHA-512, base64), so that lines of an existing password file can be taken over.

import { pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const FORM = /^\$7\$(\d{1,8})\$([A-Za-z0-9+/]{8,128}={0,2})\$([A-Za-z0-9+/]{86}==)$/;
const HASH_BYTES = 64;
const SALT_BYTES = 16;
/** What OWASP asks for with PBKDF2-HMAC-SHA512. */
const ITERATIONS = 210_000;
/** More than this would hold a thread for seconds at each new login. */
const ITERATIONS_MAX = 2_000_000;

const derive = promisify(pbkdf2);

/** A hashed password, taken apart. */
export interface PasswordHash {
  iterations: number;
  salt: Buffer;
  hash: Buffer;
}

/** Null when the text is no such hash. */
export function parsePasswordHash(text: string): PasswordHash | null {
  const [, iterations, salt, hash] = FORM.exec(text) ?? [];
  if (iterations === undefined || salt === undefined || hash === undefined) return null;
  const count = Number(iterations);
  if (count < 1 || count > ITERATIONS_MAX) return null;
  return { iterations: count, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

/** Takes some tens of milliseconds on a thread of its own. */
export async function passwordFits(password: Uint8Array, { iterations, salt, hash }: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, salt, iterations, HASH_BYTES, 'sha512'), hash);
}

/** A hash with a salt of its own. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, ITERATIONS, HASH_BYTES, 'sha512');
  return `$7$${ITERATIONS}$${salt.toString('base64')}$${hash.toString('base64')}`;
}
