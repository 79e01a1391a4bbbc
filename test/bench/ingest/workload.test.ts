import { compilePlan, parseConfig } from '@rivulet/host';
import { describe, expect, it } from 'vitest';
import { createFramer } from '../../../edge-agent/src/ingest/framer.ts';
import { agentConfig, encodePackets, eventMs, machineName, machineOf, messageAt, SERIES } from './workload.ts';

describe('the workload of the intake', () => {
  it('is whole PUBLISH packets, each series in turn, with event time, counter and packet id', () => {
    const played = { qos: 1, rate: 10_000, first: 2000, count: 2500, baseMs: 1_700_000_000_000 } as const;
    const { bytes, starts } = encodePackets(played);
    const seen: { topic: string; id: number; payload: { ts: number; seq: number; device: string } }[] = [];
    const framer = createFramer(
      {
        packet(all, start, body, end) {
          expect(start).toBe(starts[seen.length]);
          expect(all[start]).toBe(0x32);
          const at = body + 2 + all.readUInt16BE(body);
          const payload = JSON.parse(all.toString('utf8', at + 2, end));
          seen.push({ topic: all.toString('utf8', body + 2, at), id: all.readUInt16BE(at), payload });
        },
        oversized: () => undefined,
      },
      1000,
    );
    framer.push(bytes);
    expect(seen.length).toBe(2500);
    expect(new Set(seen.map(({ topic }) => topic)).size).toBe(SERIES);
    expect(seen[1999]?.payload).toMatchObject({ seq: 4, device: 'press-249', ts: 1_700_000_000_000 + 399 });
    expect(seen[0]?.id).toBe(1);
  });

  it('names the message that a prediction was made from by machine and event time', () => {
    for (const rate of [2000, 10_000, 0]) {
      for (let index = 0; index < 5000; index += 4) {
        const machine = Number(machineName(machineOf(index)).slice(-3));
        expect(messageAt(machine, eventMs(index, rate), rate)).toBe(index);
      }
    }
  });

  it('comes with a configuration that the agent takes', () => {
    const text = agentConfig({
      url: 'mqtt://localhost',
      qos: 0,
      state: '/tmp/x',
      commit: '2ms',
      checkpointEvery: '5s',
    });
    expect(compilePlan(parseConfig(text, 'bench.yaml')).length).toBeGreaterThan(100);
  });
});
