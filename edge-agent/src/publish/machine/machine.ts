/**
 * This machine as a feed: one message per group of figures and second, with the time it was read and a number that goes up
 * even over a restart of the publisher. Nothing is simulated; there is no end and nothing to go back to.
 */
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Feed, FeedMessage, FeedStep } from '../feed.ts';
import type { FeedConfig } from '../feed_config.ts';
import { figuresBetween, GROUPS, readCounters } from './figures.ts';

const SECOND_MS = 1000;

/** The name under which the machine publishes: its host name, as far as a topic level can hold it. */
export function machineName(): string {
  return os.hostname().replace(/[^\w.-]/g, '-') || 'machine';
}

/** The feed; `stop` ends the wait for the next second. */
export function createMachine(name: string, stop: AbortSignal): Feed {
  let before = readCounters(performance.now());
  let seq = 0;

  async function next(): Promise<FeedStep | null> {
    try {
      await sleep(SECOND_MS - (Date.now() % SECOND_MS), undefined, { signal: stop });
    } catch {
      return null; // told to stop
    }
    const now = await readCounters(performance.now());
    const at = Date.now();
    // Seconds since 1970, so that a publisher that is started again goes on above what it had sent.
    seq = Math.max(seq + 1, Math.floor(at / SECOND_MS));
    const groups = figuresBetween(await before, now);
    before = Promise.resolve(now);
    const messages = GROUPS.flatMap((group): FeedMessage[] => {
      const figures = groups[group];
      if (figures === undefined) return [];
      const payload = JSON.stringify({ ts: at, seq, ...figures });
      return [{ topic: `machine/${name}/${group}`, payload, kind: 'reading' }];
    });
    return { at, messages };
  }

  return { next, position: () => null, counts: () => ({}) };
}

/** What a gateway can learn from this machine, by the figures that it has. */
export async function machineConfig(): Promise<FeedConfig> {
  const counters = await readCounters(0);
  const groups = figuresBetween(counters, counters);
  const sources = GROUPS.flatMap((group) => {
    const figures = groups[group];
    if (figures === undefined) return [];
    return [
      {
        name: group,
        topic: `machine/{host}/${group}`,
        key: '{host}',
        fields: fieldsOf(group, figures),
        time: 'ts',
        seq: 'seq',
        lateness: '2s',
      },
    ];
  });
  return {
    about: `this machine (${os.type()}, ${os.cpus().length} processors)`,
    simulated: false,
    notes: ['Live figures of this machine, every second.'],
    sources,
    windows: [{ name: 'cpu_10s', every: '10s', of: ['cpu'], stats: ['mean', 'min', 'max'], lateness: '2s' }],
    // Few features, named: enough for a forecast of load, and a first model after a minute.
    tasks: [
      {
        name: 'cpu_in_30s',
        forecast: 'cpu',
        horizon: '30s',
        every: '500ms', // every reading, whatever the jitter of the timer
        tolerance: '5s',
        features: ['cpu', 'cpu.lag1', 'cpu.lag2', 'cpu.delta', 'cpu_10s.cpu.mean', 'load_one', 'memory_used'],
      },
      {
        name: 'cpu_unusual',
        anomaly: 'cpu',
        every: '500ms', // every reading, whatever the jitter of the timer
        features: ['cpu', 'cpu.lag1', 'cpu.lag2', 'cpu.delta', 'load_one'],
      },
    ],
  };
}

/** Field names: the group's first figure for cpu is the field `cpu`, all others carry the group's name. */
function fieldsOf(group: string, figures: Record<string, number | number[]>): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(figures)) {
    if (Array.isArray(value)) for (const index of value.keys()) fields[`${name}${index}`] = `${name}[${index}]`;
    else fields[name === 'total' ? group : `${group}_${name}`] = name;
  }
  return fields;
}
