// Who a gateway is: an Ed25519 key pair that only its owner can read, and the incarnation of its state. The coordinator
// knows the gateway by the key; the incarnation tells it that a gateway lost its state and counts from the start again.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RivuletError } from './errors.ts';
import { makeDirectory, reason, replaceFile } from './files.ts';
import { publicKeyBytes } from './signing.ts';

const KEY_FILE = 'key.pem';
const INCARNATION_FILE = 'incarnation';

/** A gateway's key pair and incarnation. */
export interface Identity {
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Buffer;
  /** 16 random bytes, made with the state: a gateway that lost its state has new ones. */
  readonly incarnation: Buffer;
  /** Begins a new incarnation: the state turned out to be from a backup. */
  renew(): Promise<void>;
  /** Ed25519 signature, 64 bytes. */
  sign(bytes: Uint8Array): Buffer;
  /** The same, off this thread. */
  signAhead(bytes: Uint8Array): Promise<Buffer>;
}

/** How an identity is opened. */
export interface IdentityOptions {
  /** True when the state around the identity is new: what was counted before is gone. */
  newIncarnation?: boolean;
}

/**
 * Opens the identity of a directory, which is made at the first start (files 0600 in a directory 0700).
 * @throws RIV_STATE_UNUSABLE, RIV_IDENTITY
 */
export async function openIdentity(directory: string, options: IdentityOptions = {}): Promise<Identity> {
  await makeDirectory(directory, 0o700);
  const key = await openKey(join(directory, KEY_FILE));
  const file = join(directory, INCARNATION_FILE);
  let incarnation = await openIncarnation(file, options.newIncarnation ?? false);
  return {
    publicKey: publicKeyBytes(createPublicKey(key)),
    get incarnation() {
      return incarnation;
    },
    async renew() {
      incarnation = await openIncarnation(file, true);
    },
    sign: (bytes) => sign(null, bytes, key),
    signAhead: (bytes) =>
      new Promise((resolve, reject) => {
        sign(null, bytes, key, (error, signature) => (error === null ? resolve(signature) : reject(error)));
      }),
  };
}

async function openKey(path: string): Promise<KeyObject> {
  const pem = await readOwn(path);
  if (pem === null) {
    const { privateKey } = generateKeyPairSync('ed25519');
    await replaceFile(path, Buffer.from(privateKey.export({ format: 'pem', type: 'pkcs8' })), 0o600);
    return privateKey;
  }
  const key = privateKeyOf(pem, path);
  if (key.asymmetricKeyType !== 'ed25519')
    throw new RivuletError('RIV_IDENTITY', {
      found: `a key of type ${key.asymmetricKeyType}`,
      expected: 'ed25519',
      where: path,
    });
  return key;
}

function privateKeyOf(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new RivuletError('RIV_IDENTITY', { found: 'bytes that are not a private key', where: path, cause });
  }
}

async function openIncarnation(path: string, fresh: boolean): Promise<Buffer> {
  const text = fresh ? null : await readOwn(path);
  if (text === null) {
    const incarnation = randomBytes(16);
    await replaceFile(path, Buffer.from(`${incarnation.toString('hex')}\n`), 0o600);
    return incarnation;
  }
  const hex = text.toString('latin1').trim();
  if (!/^[0-9a-f]{32}$/.test(hex))
    throw new RivuletError('RIV_IDENTITY', {
      found: 'something else than an incarnation',
      expected: '32 hex digits',
      where: path,
    });
  return Buffer.from(hex, 'hex');
}

/** A file that others must not be able to read; null when absent. */
async function readOwn(path: string): Promise<Buffer | null> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & 0o077) !== 0 && process.platform !== 'win32')
      throw new RivuletError('RIV_IDENTITY', {
        found: `permissions ${(mode & 0o777).toString(8)}`,
        expected: '600',
        where: path,
        todo: `Others may have read the key: run \`chmod 600\` on it if you trust them, else remove the directory.`,
      });
    if (size > 4096)
      throw new RivuletError('RIV_IDENTITY', { found: `${size} bytes`, expected: 'at most 4096', where: path });
    return await readFile(path);
  } catch (thrown) {
    if (reason(thrown) === 'ENOENT') return null;
    if (thrown instanceof RivuletError) throw thrown;
    throw new RivuletError('RIV_IDENTITY', {
      found: `cannot read the file (${reason(thrown)})`,
      where: path,
      cause: thrown,
    });
  }
}
