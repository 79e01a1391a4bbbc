// Ed25519 and SHA-256 as envelopes, reports and releases use them. Key objects are made once and kept by the caller:
// making one costs as much as verifying a signature.

import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { RivuletError } from './errors.ts';

export type { KeyObject } from 'node:crypto';

/** Length of a raw Ed25519 public key. */
const PUBLIC_KEY_BYTES = 32;
/** What stands before the raw key in its SPKI form (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** SHA-256; in one call, since a hash object of its own costs ten times the hash of an id and is left to the garbage collector. */
export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/**
 * The key object of a public key given raw (32 bytes) or as SPKI (44 bytes).
 * @throws RIV_SIGNATURE
 */
export function publicKeyFromBytes(bytes: Uint8Array): KeyObject {
  const spki = bytes.length === PUBLIC_KEY_BYTES ? Buffer.concat([SPKI_PREFIX, bytes]) : Buffer.from(bytes);
  if (
    spki.length !== SPKI_PREFIX.length + PUBLIC_KEY_BYTES ||
    !spki.subarray(0, SPKI_PREFIX.length).equals(SPKI_PREFIX)
  )
    throw new RivuletError('RIV_SIGNATURE', {
      found: `a public key of ${bytes.length} bytes`,
      expected: 'an Ed25519 key, raw or SPKI',
    });
  return createPublicKey({ key: spki, format: 'der', type: 'spki' });
}

/** The raw 32 bytes of a public key. */
export function publicKeyBytes(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

/** `signatureVerifies`, off this thread: it is most of what an envelope costs. */
export function signatureVerifiesAhead(bytes: Uint8Array, signature: Uint8Array, key: KeyObject): Promise<boolean> {
  return new Promise((resolve) => {
    verify(null, bytes, key, signature, (error, good) => resolve(error === null && good));
  });
}

/** True when `signature` is the Ed25519 signature of `bytes` by the owner of `key`. */
export function signatureVerifies(bytes: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  return verify(null, bytes, key, signature);
}
