import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFramer, MalformedStream, OVERSIZED_HEAD_BYTES } from './framer.ts';
import { encodePublish } from './packet.ts';

const LIMIT = 100_000;

interface Seen {
  packets: string[];
  oversized: number;
}

function frame(stream: Buffer, cuts: number[], limit = LIMIT): Seen {
  const seen: Seen = { packets: [], oversized: 0 };
  const framer = createFramer(
    {
      packet: (bytes, start, body, end) => {
        expect(body).toBeGreaterThan(start + 1);
        seen.packets.push(bytes.subarray(start, end).toString('hex'));
      },
      oversized: () => {
        seen.oversized += 1;
      },
    },
    limit,
  );
  let from = 0;
  for (const cut of [...cuts.sort((a, b) => a - b), stream.length]) {
    // A copy, as a socket's reused read buffer would be overwritten.
    const chunk = Buffer.from(stream.subarray(from, cut));
    framer.push(chunk);
    chunk.fill(0xee);
    from = cut;
  }
  return seen;
}

const publish = fc
  .record({
    topic: fc.stringMatching(/^[a-z]{1,20}(\/[a-z]{1,9}){0,3}$/),
    payload: fc.uint8Array({ maxLength: 300 }),
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    id: fc.integer({ min: 1, max: 65_535 }),
  })
  .map(({ topic, payload, qos, id }) =>
    encodePublish({ topic, payload: Buffer.from(payload), qos, messageId: id, dup: false }, LIMIT),
  );
const packet = fc.oneof(
  publish,
  fc.constant(Buffer.from([0xd0, 0])),
  fc.constant(Buffer.from([0x62, 2, 0, 7])),
  fc.constant(encodePublish({ topic: 't', payload: 'x'.repeat(20_000), qos: 0, dup: false }, LIMIT)),
);

describe('framer', () => {
  it('sees the same packets however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 12 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true })),
        (list, cuts) => {
          const stream = Buffer.concat(list);
          const at = cuts.map((share) => Math.floor(share * stream.length));
          expect(frame(stream, at).packets).toEqual(list.map((bytes) => bytes.toString('hex')));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('sees the same packets byte by byte', () => {
    const list = [Buffer.from([0x30, 3, 0, 1, 97]), Buffer.from([0xd0, 0]), Buffer.from([0x62, 2, 1, 2])];
    const stream = Buffer.concat(list);
    const every = Array.from({ length: stream.length }, (_, index) => index);
    expect(frame(stream, every).packets).toEqual(list.map((bytes) => bytes.toString('hex')));
  });

  it('hands on the head of a packet above the limit, skips its rest and goes on behind it', () => {
    const large = encodePublish(
      { topic: 'a/b', payload: 'x'.repeat(300_000), qos: 1, messageId: 9, dup: false },
      400_000,
    );
    const after = Buffer.from([0xd0, 0]);
    const stream = Buffer.concat([large, after]);
    for (const cuts of [[], [1, 2, 3, 4], [OVERSIZED_HEAD_BYTES, 200_000], [stream.length - 2]]) {
      expect(frame(stream, cuts)).toEqual({ packets: [after.toString('hex')], oversized: 1 });
    }
  });

  it('reads lengths of one to four bytes, whole or cut within them', () => {
    for (const payload of [100, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
      const packet = encodePublish(
        { topic: 'a', payload: 'x'.repeat(payload), qos: 0, messageId: 0, dup: false },
        payload,
      );
      for (const cuts of [[], [1], [2], [3], [4], [packet.length - 1]]) {
        const { packets } = frame(packet, cuts, 4_000_000);
        expect(packets.map((hex) => hex.length / 2)).toEqual([packet.length]);
      }
    }
  });

  it('refuses a length of five bytes, whole or cut', () => {
    const hostile = Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]);
    expect(() => frame(hostile, [])).toThrow(MalformedStream);
    expect(() => frame(hostile, [2, 3])).toThrow(MalformedStream);
  });
});
