/**
 * Whether memory stays where it is: an hour's worth of messages, 36 million, played as fast as they are taken. A feeder holds a
 * million of them, so there are many, one after the other; between two the agent connects again.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentEvent } from '@rivulet/host';
import { freePort } from '../../support/mosquitto.ts';
import { baseNow, startAgent, startFeeder } from './runs.ts';

export interface HourFigures {
  messages: number;
  /** Wall-clock time it took. */
  seconds: number;
  cpu_us_per_message: number;
  /** The largest resident memory in each tenth. */
  rss_mib: number[];
}

const MESSAGES = 36_000_000;
const AT_ONCE = 1_000_000;
const TENTHS = 10;
/** A million takes some twenty seconds; with a load of 30 on two cores it took more than 300. */
const SLICE_MS_MAX = 1_800_000;

export async function measureHour(directory: string, short: boolean): Promise<HourFigures> {
  const state = await mkdtemp(join(directory, 'hour-'));
  const messages = short ? MESSAGES / 6 : MESSAGES;
  const port = await freePort();
  const feed = { mode: 'broker', port, qos: 1, rate: 0, count: AT_ONCE, baseMs: baseNow() } as const;
  const agent = await startAgent({ port, qos: 1, state, commit: null, checkpointEvery: '5s' });
  const rss: number[] = Array.from({ length: TENTHS }, () => 0);
  const began = performance.now();
  let status = { messages: 0, cpu_us_per_message: 0 };
  let sent = 0;
  const note = (event: AgentEvent): boolean => {
    if (event.event !== 'status') return false;
    status = event;
    const tenth = Math.min(Math.floor((event.messages * TENTHS) / messages), TENTHS - 1);
    rss[tenth] = Math.max(rss[tenth] as number, event.rss_mib);
    return event.messages >= sent;
  };
  let next = startFeeder({ ...feed, first: 0 });
  try {
    while (sent < messages) {
      const feeder = next;
      await feeder.until((line) => line.event === 'subscribed', 'the agent subscribes', SLICE_MS_MAX);
      feeder.child.stdin?.write('play\n');
      sent += AT_ONCE;
      // It makes its messages meanwhile; the agent comes to it when this one has ended.
      if (sent < messages) next = startFeeder({ ...feed, first: sent });
      await agent.until(note, 'all is taken', SLICE_MS_MAX);
      await feeder.end();
      const tenths = rss.filter((mib) => mib > 0).map((mib) => mib.toFixed(0));
      console.error(`${sent / 1e6} of ${messages / 1e6} million messages, by tenths ${tenths.join(' ')} MiB`);
    }
    const seconds = (performance.now() - began) / 1000;
    return { messages, seconds, cpu_us_per_message: status.cpu_us_per_message, rss_mib: rss };
  } finally {
    await next.end();
    agent.child.kill('SIGKILL');
    await agent.end();
    await rm(state, { recursive: true, force: true });
  }
}
