import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openIdentity } from './identity.ts';
import { publicKeyFromBytes, signatureVerifies } from './signing.ts';

let state: string;
let directory: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'rivulet-identity-'));
  directory = join(state, 'identity');
});
afterEach(() => rm(state, { recursive: true, force: true }));

describe('an identity', () => {
  test('is_made_once_and_stays', async () => {
    const first = await openIdentity(directory);
    const again = await openIdentity(directory);
    expect(again.publicKey).toEqual(first.publicKey);
    expect(again.incarnation).toEqual(first.incarnation);
    const signature = again.sign(Buffer.from('text'));
    expect(signatureVerifies(Buffer.from('text'), signature, publicKeyFromBytes(first.publicKey))).toBe(true);
    expect(signatureVerifies(Buffer.from('test'), signature, publicKeyFromBytes(first.publicKey))).toBe(false);
  });

  test('keeps_its_key_when_its_state_is_new', async () => {
    const first = await openIdentity(directory);
    const renewed = await openIdentity(directory, { newIncarnation: true });
    expect(renewed.publicKey).toEqual(first.publicKey);
    expect(renewed.incarnation).not.toEqual(first.incarnation);
    expect((await openIdentity(directory)).incarnation).toEqual(renewed.incarnation);
  });

  test('can_be_read_by_its_owner_only', async () => {
    await openIdentity(directory);
    const mode = async (path: string) => (await stat(path)).mode & 0o777;
    expect([await mode(directory), await mode(join(directory, 'key.pem'))]).toEqual([0o700, 0o600]);
    await chmod(join(directory, 'key.pem'), 0o644);
    await expect(openIdentity(directory)).rejects.toMatchObject({ code: 'RIV_IDENTITY' });
  });

  test('that_is_damaged_is_refused_and_not_replaced', async () => {
    await openIdentity(directory);
    const key = join(directory, 'key.pem');
    const pem = await readFile(key);
    for (const damaged of ['', 'nonsense', pem.subarray(0, 60), Buffer.alloc(5000)]) {
      await writeFile(key, damaged);
      await expect(openIdentity(directory)).rejects.toMatchObject({ code: 'RIV_IDENTITY' });
    }
    await writeFile(key, pem);
    await writeFile(join(directory, 'incarnation'), 'abc');
    await expect(openIdentity(directory)).rejects.toMatchObject({ code: 'RIV_IDENTITY' });
  });
});
