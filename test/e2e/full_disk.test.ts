/**
 * A disk that is full, with real processes on a small file system of their own: the gateway takes nothing and acknowledges
 * nothing, says so, and goes on by itself when there is room. Needs the right to mount; skipped with a message without.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from '../support/agent.ts';
import { freePort, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const FILE_SYSTEM_BYTES = 4 * 1024 * 1024;
/** What is left when the ballast lies in it: some hundred messages. */
const ROOM_BYTES = 96 * 1024;

const canMount = ((): boolean => {
  const place = mkdtempSync(join(tmpdir(), 'rivulet-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place]).status === 0;
  if (mounted) {
    spawnSync('umount', [place]);
  }
  rmSync(place, { recursive: true, force: true });
  return mounted;
})();
if (!canMount) {
  console.warn('skipped: a full disk needs the right to mount a small tmpfs');
}

let directory = '';
let disk = '';
const closing: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-full-'));
  disk = join(directory, 'disk');
  mkdirSync(disk);
  if (canMount) {
    spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${FILE_SYSTEM_BYTES}`, 'tmpfs', disk]);
  }
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  if (canMount) {
    spawnSync('umount', [disk]);
  }
  await rm(directory, { recursive: true, force: true });
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function startGateway(door: string): Promise<AgentProcess> {
  const path = join(directory, 'rivulet.yaml');
  await writeFile(
    path,
    `gateway: plant-7
about: "a test"
state: ${join(disk, 'state')}
${door}
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
windows:
  - { name: hour, every: 1h, of: [temp], stats: [mean], lateness: 1h }
`,
  );
  const agent = startAgentProcess(path);
  closing.push(() => agent.kill());
  await agent.ready();
  return agent;
}

/** A device that sends numbered messages of about a kilobyte; the library repeats what is not acknowledged. */
async function device(url: string) {
  const client: MqttClient = await connectAsync(url, { protocolVersion: 4, clean: false, clientId: 'd' });
  client.on('error', () => undefined);
  closing.push(() => client.endAsync(true));
  const start = Date.now() - 3_600_000;
  let sent = 0;
  let acked = 0;
  return {
    sent: () => sent,
    acked: () => acked,
    send(): void {
      sent += 1;
      const payload = JSON.stringify({ value: sent % 7, ts: start + sent * 1000, n: sent, text: 'x'.repeat(900) });
      void client.publishAsync('b/r1/temp', payload, { qos: 1 }).then(() => {
        acked += 1;
      });
    },
  };
}

async function fill(): Promise<string> {
  const { bavail, bsize } = await statfs(disk);
  const ballast = join(disk, 'ballast');
  await writeFile(ballast, Buffer.alloc(bavail * bsize - ROOM_BYTES));
  return ballast;
}

/** @param acked messages that the gateway has acknowledged: what it has counted, at most */
async function goesThroughAFullDisk(agent: AgentProcess, url: string, acked: (sender: number) => number) {
  const sensor = await device(url);
  const ballast = await fill();
  for (let n = 0; n < 400; n++) {
    sensor.send();
    await pause(2);
  }
  await agent.until(() => agent.status()?.last_error?.code === 'RIV_LOG_FULL', 'the alarm');
  expect(agent.complaints()).toMatch(/^RIV_LOG_FULL: .*no messages are taken.*goes on by itself/m);
  const before = acked(sensor.acked());
  expect(before).toBeLessThan(400);
  await pause(1500);
  expect(acked(sensor.acked())).toBe(before);
  await rm(ballast);
  await agent.until(() => (agent.status()?.ledger.used ?? 0) >= 400, 'all messages');
  await agent.until(() => agent.status()?.last_error === undefined, 'the end of the alarm');
  await agent.until(() => sensor.acked() === 400, 'all acknowledgements');
  expect(agent.events.filter(({ event }) => event === 'ready').length).toBe(1);
  const stopped = await agent.stop();
  expect(stopped.ledger).toMatchObject({ received: 400 + stopped.ledger.duplicate, used: 400, quarantined: 0 });
  const { out } = await runRivulet('replay', join(disk, 'state'), '--json');
  expect(JSON.parse(out)).toMatchObject({ messages: stopped.messages, digest: stopped.digest });
}

describe.skipIf(!canMount)('a gateway whose disk is full', () => {
  it('acknowledges nothing until there is room again, then goes on (broker door)', async () => {
    const port = await freePort();
    const agent = await startGateway(`broker: { listen: ${port} }`);
    await goesThroughAFullDisk(agent, `mqtt://127.0.0.1:${port}`, (acked) => acked);
  }, 60_000);

  it.skipIf(mosquittoAbsent !== null)(
    `leaves the messages at its broker until there is room again ${mosquittoAbsent ?? ''}`,
    async () => {
      const mosquitto = await startMosquitto();
      closing.push(() => mosquitto.stop());
      const agent = await startGateway(`mqtt: { url: "${mosquitto.url}" }`);
      await agent.until(() => agent.status()?.connected === true, 'the door is connected');
      await pause(300); // SUBACK
      await goesThroughAFullDisk(agent, mosquitto.url, () => agent.status()?.ledger.used ?? 0);
    },
    60_000,
  );
});
