import { describe, expect, it } from 'vitest';
import { cutPackets } from './broker_stream.ts';

const LIMIT = 100;

/** A PUBLISH with QoS 1. */
function publish(topic: string, payload: number): Buffer {
  const body = Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic), Buffer.from([0, 9])]);
  const rest = body.length + payload;
  const digits: number[] = [];
  for (let left = rest; ; left = Math.floor(left / 128)) {
    digits.push(left < 128 ? left : (left % 128) | 0x80);
    if (left < 128) break;
  }
  return Buffer.concat([Buffer.from([0x32, ...digits]), body, Buffer.alloc(payload, 7)]);
}

function cut(stream: Buffer, at: number): Buffer {
  const through = cutPackets(LIMIT);
  const parts: Buffer[] = [];
  for (let from = 0; from < stream.length; from += at) parts.push(...through(stream.subarray(from, from + at)));
  return Buffer.concat(parts);
}

describe('packets from a broker', () => {
  const connack = Buffer.from([0x20, 2, 0, 0]);
  const ping = Buffer.from([0xd0, 0]);
  const stream = Buffer.concat([
    connack,
    publish('a', 40),
    publish('b/c', 50_000),
    ping,
    publish('d', 93),
    publish('e', 94),
  ]);
  const expected = Buffer.concat([
    connack,
    publish('a', 40),
    publish('b/c', 0),
    ping,
    publish('d', 93),
    publish('e', 0),
  ]);

  it('go through as they are, but of one that is too long only the head, however the stream was cut', () => {
    for (const at of [1, 2, 3, 5, 7, 64, 101, 4_096, stream.length])
      expect(cut(stream, at).equals(expected)).toBe(true);
  });

  it('that no broker sends end the connection', () => {
    expect(() => cut(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]), 9)).toThrow('four bytes');
    expect(() => cut(Buffer.from([0x90, 0xff, 0x7f, 0, 0]), 9)).toThrow('control packet');
  });
});
