import { randomBytes } from 'node:crypto';
import { deflateSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compressBody, decodePiece, encodePiece, encodingOf, expandBody, PIECE_BYTES_MAX } from './piece.ts';

const sign = () => Buffer.alloc(64, 9);
const whole = randomBytes(PIECE_BYTES_MAX + 100);
const piece = (offset: number) => encodePiece({ gateway: 'g', encoding: 'zstd', offset }, whole, sign);

describe('a piece', () => {
  it('comes back as it was, and the pieces of a whole make it up', () => {
    const pieces = [decodePiece(piece(0)), decodePiece(piece(PIECE_BYTES_MAX))];
    expect(Buffer.concat(pieces.map(({ part }) => part))).toEqual(whole);
    expect(pieces[1]).toMatchObject({ gateway: 'g', encoding: 'zstd', offset: PIECE_BYTES_MAX, length: whole.length });
    expect(piece(0).length).toBeLessThanOrEqual(64 * 1024);
  });

  it('is refused with what is wrong, whichever byte it stops at', () => {
    const bytes = piece(PIECE_BYTES_MAX);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodePiece(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'RIV_TRUNCATED' }));
    }
    const changed = (at: number, value: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      return copy;
    };
    expect(() => decodePiece(changed(0, 1))).toThrow(expect.objectContaining({ code: 'RIV_FOREIGN' }));
    expect(() => decodePiece(changed(4, 2))).toThrow(expect.objectContaining({ code: 'RIV_TOO_NEW' }));
    expect(() => decodePiece(changed(6, 3))).toThrow(expect.objectContaining({ code: 'RIV_CORRUPT' }));
    expect(() => decodePiece(changed(48, 255))).toThrow(expect.objectContaining({ code: 'RIV_TOO_LARGE' }));
    expect(() => decodePiece(Buffer.concat([bytes, sign()]))).toThrow(expect.objectContaining({ code: 'RIV_CORRUPT' }));
  });
});

describe('a compressed body', () => {
  it('is what it was, and never longer than it was', () => {
    const noise = randomBytes(1000);
    expect(compressBody(noise)).toEqual({ encoding: 'identity', body: noise });
    const { encoding, body } = compressBody(Buffer.alloc(1000));
    expect([encoding, body.length < 100]).toEqual(['zstd', true]);
    for (const [name, packed] of [
      ['zstd', zstdCompressSync(noise)],
      ['deflate', deflateSync(noise)],
    ] as const) {
      expect(Buffer.from(expandBody(packed, name, 1000))).toEqual(noise);
    }
  });

  it('that unpacks to more than is allowed, or is none, is refused', () => {
    const bomb = Buffer.alloc(50_000_000);
    for (const [name, packed] of [
      ['zstd', zstdCompressSync(bomb)],
      ['deflate', deflateSync(bomb)],
    ] as const) {
      expect(packed.length).toBeLessThan(100_000);
      expect(() => expandBody(packed, name, 1_000_000)).toThrow(expect.objectContaining({ code: 'RIV_TOO_LARGE' }));
      expect(() => expandBody(randomBytes(99), name, 999)).toThrow(expect.objectContaining({ code: 'RIV_CORRUPT' }));
    }
    expect(encodingOf('br')).toBeNull();
    expect(encodingOf(' ZSTD ')).toBe('zstd');
  });
});
