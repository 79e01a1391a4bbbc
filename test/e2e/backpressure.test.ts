/**
 * Back-pressure from end to end: a gateway that gets a small part of the processor takes what it can, its memory stays where it was, and
 * the messages wait where they are: with the broker, or in the devices. Given the processor back, it counts every one once.
 */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { closeAll, closing, pause } from '../support/doors.ts';
import { startLoad } from '../support/load.ts';
import { openLoadedGateway } from '../support/loaded_gateway.ts';
import { freePort, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const DEVICES = 50;
const PER_SECOND = 5000;
const THROTTLED_MS = 8000;
/** The process runs so long, again and again, and stands still in between. */
const RUN_MS = 2;
/** What waits in a gateway is bounded by messages (embedded broker: 4,096) and bytes; the rest is the collector, starved as well. */
const MEMORY_MIB_MAX = 120;

afterEach(closeAll);

/** The largest resident memory that a process has had, in MiB. */
function peakMib(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Lets a process run only now and then, for a while: what a container with a small share of a core gets. */
async function throttle(pid: number, stillMs: number, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    process.kill(pid, 'SIGSTOP');
    await pause(stillMs);
    process.kill(pid, 'SIGCONT');
    await pause(RUN_MS);
  }
}

async function underPressure(door: string, port: number, stillMs: number): Promise<void> {
  const gateway = await openLoadedGateway(door);
  const { pid } = gateway.agent();
  const load = startLoad(port, DEVICES, PER_SECOND);
  closing.push(async () => load.stop());
  await gateway.goesOn(2 * PER_SECOND);
  const before = peakMib(pid);
  await throttle(pid, stillMs, THROTTLED_MS);
  const behind = load.sent() - gateway.counted();
  const grown = peakMib(pid) - before;
  await load.finish();
  console.log(
    `${load.sent()} messages, ${behind} behind after the throttle, peak memory ${before.toFixed(0)} + ${grown.toFixed(0)} MiB`,
  );
  expect(behind).toBeGreaterThan(1000);
  expect(grown).toBeLessThan(MEMORY_MIB_MAX);
  await gateway.expectCountedOnce(load.sent());
}

describe.skipIf(process.platform !== 'linux')('a gateway with a small part of the processor', () => {
  it.skipIf(mosquittoAbsent !== null)(
    `leaves the messages with the broker ${mosquittoAbsent ?? ''}`,
    async () => {
      const mosquitto = await startMosquitto({ saves: false });
      closing.push(() => mosquitto.stop());
      await underPressure(`mqtt: { url: "${mosquitto.url}" }`, mosquitto.port, 800);
    },
    90_000,
  );

  it('leaves the messages in the devices (embedded broker)', async () => {
    const port = await freePort();
    await underPressure(`broker: { listen: ${port} }`, port, 100);
  }, 90_000);
});
