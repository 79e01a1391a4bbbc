import { describe, expect, it } from 'vitest';
import { createOutbound, lowerPacketIds } from './outbound.ts';
import { encodeOwnPublish } from './packet.ts';

function connect(outbound: ReturnType<typeof createOutbound>, options: { maximum?: number; present?: boolean } = {}) {
  const sent: { id: number; dup: boolean; topic: string }[] = [];
  outbound.connected({
    protocol: 4,
    sessionPresent: options.present ?? false,
    receiveMaximum: options.maximum ?? 100,
    write(bytes) {
      const topicEnd = 4 + bytes.readUInt16BE(2);
      const dup = ((bytes[0] as number) & 8) !== 0;
      sent.push({ id: bytes.readUInt16BE(topicEnd), dup, topic: bytes.toString('utf8', 4, topicEnd) });
    },
  });
  return sent;
}

describe('our own publishes', () => {
  it('are written as MQTT says, in 3.1.1 and in 5', () => {
    const message = { id: 0x8001, topic: 'a/é', payload: '{}', dup: false };
    expect(encodeOwnPublish({ ...message, protocol: 4 }).toString('hex')).toBe('320a0004612fc3a980017b7d');
    expect(encodeOwnPublish({ ...message, protocol: 5, dup: true }).toString('hex')).toBe('3a0b0004612fc3a98001007b7d');
    expect(encodeOwnPublish({ ...message, payload: 'x'.repeat(200), protocol: 4 }).subarray(0, 3)).toEqual(
      Buffer.from([0x32, 0xd0, 0x01]),
    );
  });

  it('wait for the answer, and say so once', () => {
    const outbound = createOutbound();
    const sent = connect(outbound);
    const answers: unknown[] = [];
    outbound.publish('a', '', (error) => answers.push(error));
    outbound.publish('b', '', (error) => answers.push(error));
    expect(sent.map(({ topic }) => topic)).toEqual(['a', 'b']);
    expect(outbound.acknowledged(sent[0]?.id ?? 0, 0)).toBe(true);
    expect(outbound.acknowledged(sent[0]?.id ?? 0, 0)).toBe(true);
    expect(outbound.acknowledged(sent[1]?.id ?? 0, 0x87)).toBe(true);
    expect(answers).toEqual([null, expect.any(Error)]);
  });

  it('never exceed what the broker takes unanswered', () => {
    const outbound = createOutbound();
    const sent = connect(outbound, { maximum: 2 });
    for (const topic of ['a', 'b', 'c']) {
      outbound.publish(topic, '', () => undefined);
    }
    expect(sent.length).toBe(2);
    outbound.acknowledged(sent[0]?.id ?? 0, 0);
    expect(sent.map(({ topic }) => topic)).toEqual(['a', 'b', 'c']);
  });

  it('go out again in their order on the next connection, with DUP when the broker remembers us', () => {
    const outbound = createOutbound();
    const first = connect(outbound, { maximum: 2 });
    for (const topic of ['a', 'b', 'c']) {
      outbound.publish(topic, '', () => undefined);
    }
    outbound.disconnected();
    outbound.publish('d', '', () => undefined);
    const second = connect(outbound, { present: true });
    expect(second.map(({ topic, dup }) => `${topic} ${dup}`)).toEqual(['a true', 'b true', 'c false', 'd false']);
    expect(second.slice(0, 2).map(({ id }) => id)).toEqual(first.map(({ id }) => id));
  });

  it('are given up when the door closes', () => {
    const outbound = createOutbound();
    const answers: unknown[] = [];
    outbound.publish('a', '', (error) => answers.push(error));
    outbound.close();
    expect(answers).toEqual([expect.any(Error)]);
  });

  it('share no packet id with MQTT.js', () => {
    const ids = lowerPacketIds();
    const given = Array.from({ length: 40_000 }, () => ids.allocate() as number);
    expect(Math.max(...given)).toBe(0x7fff);
    expect(Math.min(...given)).toBe(1);
    const outbound = createOutbound();
    const sent = connect(outbound, { maximum: 65_535 });
    for (let message = 0; message < 40_000; message++) {
      outbound.publish('a', '', () => undefined);
    }
    expect(new Set(sent.map(({ id }) => id)).size).toBe(0x8000);
    expect(Math.min(...sent.map(({ id }) => id))).toBe(0x8000);
    expect(outbound.acknowledged(0x7fff, 0)).toBe(false);
  });
});
