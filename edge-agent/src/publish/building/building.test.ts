import { describe, expect, test } from 'vitest';
import type { FeedMessage } from '../feed.ts';
import { createBuilding, STEP_MS } from './building.ts';

const DAY_MS = 86_400_000;

interface Reading {
  ts: number;
  value: number;
  seq: number;
}

async function play(seed: number, duration_ms: number, position?: unknown) {
  const feed = createBuilding({ seed, duration_ms, position });
  const messages: FeedMessage[] = [];
  for (let step = await feed.next(); step !== null; step = await feed.next()) messages.push(...step.messages);
  return { feed, messages };
}

function readings(messages: readonly FeedMessage[], topic: string): Reading[] {
  const unique = messages.filter((message) => message.kind === 'reading' && message.topic === topic);
  return unique.map((message) => JSON.parse(message.payload) as Reading).sort((a, b) => a.seq - b.seq);
}

describe('the simulated building', () => {
  test('the same seed gives the same messages, another seed others', async () => {
    const [one, again, other] = [await play(7, DAY_MS), await play(7, DAY_MS), await play(8, DAY_MS)];
    expect(again.messages).toEqual(one.messages);
    expect(other.messages).not.toEqual(one.messages);
  });

  test('going on from a position written as JSON equals a straight run', async () => {
    const straight = await play(3, DAY_MS);
    const first = await play(3, DAY_MS / 3);
    const rest = await play(3, DAY_MS, JSON.parse(JSON.stringify(first.feed.position())));
    expect([...first.messages, ...rest.messages]).toEqual(straight.messages);
    expect(rest.feed.counts()).toEqual(straight.feed.counts());
  });

  test('a position of another seed is not gone on from', async () => {
    const { feed } = await play(3, DAY_MS / 8);
    expect((await play(4, DAY_MS / 8, feed.position())).messages).toEqual((await play(4, DAY_MS / 8)).messages);
  });

  test('every message is numbered, and what is missing, doubled and out of order adds up', async () => {
    const { feed, messages } = await play(5, 2 * DAY_MS);
    const sent = messages.filter((message) => message.kind === 'reading');
    const { lost = 0, under_way = 0 } = feed.counts();
    const made = (2 * DAY_MS * 5 * 6) / STEP_MS;
    const stillLabels = messages.filter((message) => message.kind === 'label').length;
    expect(new Set(sent.map((message) => message.topic + message.payload)).size).toBe(sent.length);
    expect(sent.length + lost).toBeLessThanOrEqual(made);
    expect(sent.length + lost + under_way).toBeGreaterThanOrEqual(made);
    expect(lost).toBeGreaterThan(0);
    expect(stillLabels).toBeGreaterThan(1000);
    const repeats = messages.filter((message) => message.kind === 'repeat');
    const originals = new Set(sent.map((message) => message.topic + message.payload));
    expect(repeats.length).toBeGreaterThan(100);
    expect(repeats.every((message) => originals.has(message.topic + message.payload))).toBe(true);
    const times = sent.map((message) => (JSON.parse(message.payload) as Reading).ts);
    expect(times.some((at, index) => at < (times[index - 1] ?? 0))).toBe(true);
  });

  test('labels are minutes late and never of the future', async () => {
    const feed = createBuilding({ seed: 5, duration_ms: DAY_MS });
    for (let step = await feed.next(); step !== null; step = await feed.next()) {
      for (const message of step.messages) {
        if (message.kind !== 'label') continue;
        const late = step.at - (JSON.parse(message.payload) as Reading).ts;
        expect(late).toBeGreaterThanOrEqual(2 * STEP_MS);
        expect(late).toBeLessThanOrEqual(7 * STEP_MS);
      }
    }
  });

  test('rooms stay within what rooms do, are warmer by day, and fill with CO2 when people come', async () => {
    const { messages } = await play(11, 3 * DAY_MS);
    const temperature = readings(messages, 'building/office-1/temperature');
    const co2 = readings(messages, 'building/office-1/co2');
    for (const { value } of temperature) expect(value).toBeGreaterThan(10);
    for (const { value } of temperature) expect(value).toBeLessThan(30);
    for (const { value } of co2) expect(value).toBeLessThan(3000);
    const mean = (list: Reading[], from: number, until: number) => {
      const taken = list.filter(({ ts }) => ts % DAY_MS >= from * 3_600_000 && ts % DAY_MS < until * 3_600_000);
      return taken.reduce((sum, { value }) => sum + value, 0) / taken.length;
    };
    expect(mean(temperature, 10, 17)).toBeGreaterThan(mean(temperature, 1, 5) + 1);
    expect(mean(co2, 10, 17)).toBeGreaterThan(mean(co2, 1, 5) + 60);
  });

  test('one CO2 sensor sticks at times and one temperature sensor drifts from the second day on', async () => {
    const { messages } = await play(2, 5 * DAY_MS);
    const longestRun = (list: Reading[]) => {
      let longest = 0;
      let run = 0;
      for (const [index, { value }] of list.entries()) {
        run = value === list[index - 1]?.value ? run + 1 : 0;
        longest = Math.max(longest, run);
      }
      return longest;
    };
    expect(longestRun(readings(messages, 'building/lab/co2'))).toBeGreaterThan(30);
    expect(longestRun(readings(messages, 'building/office-1/co2'))).toBeLessThan(10);
    const apart = (at: number) => {
      const near = (room: string) =>
        readings(messages, `building/${room}/temperature`).filter(({ ts }) => Math.abs(ts - at) < 6 * 3_600_000);
      const mean = (list: Reading[]) => list.reduce((sum, { value }) => sum + value, 0) / list.length;
      return mean(near('office-2')) - mean(near('office-1'));
    };
    const start = Date.UTC(2025, 0, 6);
    expect(apart(start + 4.5 * DAY_MS) - apart(start + 0.5 * DAY_MS)).toBeGreaterThan(1);
  });
});
