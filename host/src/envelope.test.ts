import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEnvelope, type EnvelopeContent, encodeEnvelope, verifyEnvelope } from './envelope.ts';
import { RivuletError } from './errors.ts';
import { decodeRelease, encodeRelease, type Release, releaseHash } from './release.ts';
import { publicKeyBytes, publicKeyFromBytes, sha256 } from './signing.ts';

const { privateKey } = generateKeyPairSync('ed25519');
const publicKey = createPublicKey(privateKey);
const content: EnvelopeContent = {
  gateway: 'plant-7',
  incarnation: Buffer.alloc(16, 1),
  seq: 2 ** 40,
  wallMs: 1_700_000_000_000,
  task: 'temp',
  baseRelease: Buffer.alloc(32),
  kernelHash: Buffer.alloc(32, 3),
  schema: Buffer.from('{"task":"temp"}'),
  payload: Buffer.from('statistics'),
};
const envelope = encodeEnvelope(content, (bytes) => sign(null, bytes, privateKey));

function refused(decode: () => unknown): boolean {
  try {
    decode();
    return false;
  } catch (thrown) {
    if (thrown instanceof RivuletError) return true;
    throw thrown;
  }
}

describe('an envelope', () => {
  test('is_read_back_as_it_was_written_and_its_signature_verifies', () => {
    const read = decodeEnvelope(envelope);
    expect(read).toMatchObject(content);
    expect(read.schemaHash).toEqual(sha256(content.schema));
    expect(read.payloadHash).toEqual(sha256(content.payload));
    expect(verifyEnvelope(read, publicKey)).toBe(true);
    expect(verifyEnvelope(read, createPublicKey(generateKeyPairSync('ed25519').privateKey))).toBe(false);
  });

  test('is_read_from_the_middle_of_a_larger_buffer', () => {
    const larger = Buffer.concat([Buffer.alloc(13), envelope, Buffer.alloc(5)]);
    expect(verifyEnvelope(decodeEnvelope(larger.subarray(13, 13 + envelope.length)), publicKey)).toBe(true);
  });

  test('cut_anywhere_or_longer_is_refused', () => {
    for (let length = 0; length < envelope.length; length++)
      expect(refused(() => decodeEnvelope(envelope.subarray(0, length)))).toBe(true);
    expect(refused(() => decodeEnvelope(Buffer.concat([envelope, Buffer.alloc(1)])))).toBe(true);
  });

  test('with_any_bit_flipped_is_refused_or_does_not_verify', () => {
    fc.assert(
      fc.property(fc.nat(envelope.length * 8 - 1), (bit) => {
        const damaged = Buffer.from(envelope);
        damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
        let verified = false;
        if (!refused(() => (verified = verifyEnvelope(decodeEnvelope(damaged), publicKey))))
          expect(verified).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('that_announces_more_than_is_allowed_is_refused_before_anything_is_allocated', () => {
    const damaged = Buffer.from(envelope);
    damaged.writeUInt32LE(0xffff_fff0, 8);
    expect(() => decodeEnvelope(damaged)).toThrow(expect.objectContaining({ code: 'RIV_TOO_LARGE' }));
  });
});

describe('a public key', () => {
  test('is_taken_raw_and_as_spki', () => {
    const raw = publicKeyBytes(publicKey);
    expect(raw.length).toBe(32);
    expect(publicKeyFromBytes(raw).equals(publicKey)).toBe(true);
    expect(publicKeyFromBytes(publicKey.export({ format: 'der', type: 'spki' })).equals(publicKey)).toBe(true);
  });

  test('of_another_shape_is_refused', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(31), Buffer.alloc(44), Buffer.alloc(1000)])
      expect(() => publicKeyFromBytes(bytes)).toThrow(expect.objectContaining({ code: 'RIV_SIGNATURE' }));
  });
});

describe('a release', () => {
  const schema = Buffer.from('{"task":"temp"}');
  const release: Release = {
    task: 'temp',
    schemaHash: sha256(schema),
    parent: Buffer.alloc(32, 4),
    line: Buffer.alloc(32, 6),
    kernelHash: Buffer.alloc(32, 5),
    gateways: 3,
    rows: 1234,
    schema,
    model: Buffer.from('model'),
  };
  const bytes = encodeRelease(release);

  test('is_read_back_as_it_was_written_and_named_by_its_bytes', () => {
    expect(decodeRelease(bytes)).toEqual(release);
    expect(releaseHash(bytes)).toEqual(sha256(bytes));
  });

  test('of_the_first_version_begins_a_line_of_its_own', () => {
    const at = bytes.indexOf(Buffer.alloc(32, 6));
    const first = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 32)]);
    first.writeUInt16LE(1, 4);
    expect(decodeRelease(first)).toEqual({ ...release, line: Buffer.alloc(32) });
  });

  test('cut_anywhere_longer_or_contradicting_itself_is_refused', () => {
    for (let length = 0; length < bytes.length; length++)
      expect(refused(() => decodeRelease(bytes.subarray(0, length)))).toBe(true);
    expect(refused(() => decodeRelease(Buffer.concat([bytes, Buffer.alloc(1)])))).toBe(true);
    expect(refused(() => decodeRelease(encodeRelease({ ...release, schema: Buffer.from('{}') })))).toBe(true);
    expect(refused(() => decodeRelease(encodeRelease({ ...release, rows: Number.NaN })))).toBe(true);
  });

  test('any_damage_decodes_or_is_refused_with_a_code', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const damaged = Buffer.from(bytes);
        damaged[at] = value;
        refused(() => decodeRelease(damaged));
      }),
      { numRuns: 500 },
    );
  });
});
