import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type BlockHeader,
  blockVerifies,
  decodeBlockHeader,
  decodePlanPayload,
  encodeBlockHeader,
  encodePlanPayload,
  encodeSession,
} from './block.ts';
import { RivuletError } from './errors.ts';

const header: BlockHeader = {
  kind: BLOCK_KIND.messagesV5,
  door: 0x0203,
  payloadLength: 3,
  count: 0x04050607,
  firstOffset: 0x1_0809_0a0b,
  sequence: 0x2_0c0d_0e0f,
  wallMs: -2,
  monoUs: 0x3_1011_1213,
  epoch: 0x14151617,
  boot: 0xfffefdfc,
  segment: 0x18191a1b,
  beginsWrite: true,
};

function encoded(fields: BlockHeader = header): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), Buffer.from('abc')]);
  encodeBlockHeader(bytes, 0, fields);
  return bytes;
}

describe('a block header', () => {
  test('has_each_field_where_the_format_says', () => {
    const bytes = encoded();
    expect(bytes.subarray(0, 60).toString('hex')).toBe(
      [
        '5256424b',
        '01',
        '02',
        '0302',
        '03000000',
        '07060504',
        '0b0a090801000000',
        '0f0e0d0c02000000',
        'feffffffffffffff',
      ]
        .concat(['1312111003000000', '17161514', 'fcfdfeff', '1b1a1998'])
        .join(''),
    );
  });

  test('is_read_back_as_it_was_written', () => {
    const numbers = fc.record({
      kind: fc.constantFrom(...Object.values(BLOCK_KIND)),
      door: fc.nat(0xffff),
      payloadLength: fc.constant(3),
      count: fc.nat(0xffff_ffff),
      firstOffset: fc.maxSafeNat(),
      sequence: fc.maxSafeNat(),
      wallMs: fc.maxSafeInteger(),
      monoUs: fc.maxSafeNat(),
      epoch: fc.nat(0xffff_ffff),
      boot: fc.nat(0xffff_ffff),
      segment: fc.nat(0x7fff_ffff),
      beginsWrite: fc.boolean(),
    });
    fc.assert(
      fc.property(numbers, (fields) => {
        const bytes = encoded(fields);
        expect(decodeBlockHeader(bytes)).toEqual(fields);
        expect(blockVerifies(bytes, 0, 3)).toBe(true);
      }),
    );
  });

  test('with_any_bit_flipped_does_not_verify', () => {
    const bytes = encoded();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(blockVerifies(bytes, 0, 3)).toBe(false);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    }
  });

  test.each([
    ['foreign', 'RIV_FOREIGN', 0, 0],
    ['too new', 'RIV_TOO_NEW', 4, 2],
    ['of an unknown kind', 'RIV_CORRUPT', 5, 7],
    ['longer than a block may be', 'RIV_TOO_LARGE', 11, 2],
    ['with an offset above 2^53', 'RIV_CORRUPT', 23, 1],
  ])('that_is_%s_is_refused', (_, code, at, value) => {
    const bytes = encoded();
    bytes[at] = value;
    expect(() => decodeBlockHeader(bytes)).toThrow(expect.objectContaining({ code }));
  });

  test('any_bytes_decode_or_are_refused_with_a_code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.boolean(), (noise, begins) => {
        const bytes = Buffer.from(noise);
        if (begins) encoded().copy(bytes, 0, 0, 6);
        try {
          decodeBlockHeader(bytes);
        } catch (thrown) {
          if (!(thrown instanceof RivuletError)) throw thrown;
        }
      }),
    );
  });
});

test('a_session_payload_is_laid_down_as_the_format_says', () => {
  const payload = encodeSession({ event: 'disconnected', sessionPresent: true, protocol: 5, sessionId: 'né' });
  expect(payload.toString('hex')).toBe('02010503000000' + '6ec3a9');
});

test('a_plan_payload_is_read_back_and_a_short_one_refused', () => {
  const payload = encodePlanPayload(Buffer.alloc(32, 9), Buffer.from('{}'));
  expect(decodePlanPayload(payload)).toEqual({ kernelHash: Buffer.alloc(32, 9), plan: Buffer.from('{}') });
  expect(() => decodePlanPayload(payload.subarray(0, 31))).toThrow(expect.objectContaining({ code: 'RIV_TRUNCATED' }));
});
