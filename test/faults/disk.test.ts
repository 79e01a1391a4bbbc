/**
 * Faults of the disk put into a live gateway: errors and delays in the writes and syncs of its log, a directory that is
 * read-only or vanishes. A write or a sync that fails ends it with a code and an exit code, and is never tried again; a full
 * disk is waited for. Afterwards every acknowledged message is there, and each is counted once.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { appendFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from '../support/agent.ts';
import { startCoordinator } from '../support/coordinator.ts';
import { freePort } from '../support/mosquitto.ts';
import { shortWritesAbsent, withShortWrites } from '../support/short_writes.ts';
import { straceAbsent, withFault } from '../support/strace.ts';

const EXIT_DISK = 74;
const MESSAGES = 300;

let directory = '';
let state = '';
let config = '';
let port = 0;
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rivulet-disk-'));
  state = join(directory, 'state');
  config = join(directory, 'rivulet.yaml');
  port = await freePort();
  await writeFile(
    config,
    `gateway: plant-7
about: "a test"
state: ${state}
broker: { listen: ${port} }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
log: { commit: 2ms }
checkpoint: { every: 300ms }
`,
  );
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function start(before: string[] = []): AgentProcess {
  const agent = startAgentProcess(config, { before });
  closing.push(() => agent.kill());
  return agent;
}

/** A device that numbers its messages and repeats what is not acknowledged, over connections and gateways. */
async function device() {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    ...{ protocolVersion: 4, clean: false, clientId: 'd', reconnectPeriod: 50 },
  });
  client.on('error', () => undefined);
  closing.push(() => client.endAsync(true));
  let sent = 0;
  let acked = 0;
  const startMs = Date.now() - 3_600_000;
  return {
    acked: () => acked,
    async send(count: number): Promise<void> {
      for (let n = 0; n < count; n++) {
        sent += 1;
        const payload = JSON.stringify({ value: sent % 7, ts: startMs + sent * 1000, n: sent });
        void client.publishAsync('b/r1/temp', payload, { qos: 1 }).then(
          () => {
            acked += 1;
          },
          () => undefined,
        );
        await pause(1);
      }
    },
  };
}

/** A log to meet the fault in: a gateway that was started and stopped. Answers its one segment. */
async function segment(): Promise<string> {
  const agent = start();
  await agent.ready();
  await agent.stop();
  const [file] = readdirSync(join(state, 'log'));
  return join(state, 'log', file as string);
}

/** Starts a sound gateway on the same state: nothing that was acknowledged is missing, and each message counts once in the end. */
async function expectNothingLost(acked: number, sensor: Awaited<ReturnType<typeof device>>): Promise<void> {
  const replayed = await runRivulet('replay', state, '--json');
  expect(JSON.parse(replayed.out).ledger.used).toBeGreaterThanOrEqual(acked);
  const again = start();
  await again.ready();
  await again.until(() => sensor.acked() === MESSAGES, 'the device has sent the rest');
  const stopped = await again.stop();
  expect(stopped.ledger).toMatchObject({ used: MESSAGES, late: 0, quarantined: 0 });
}

describe.skipIf(straceAbsent !== null)(`a gateway on a faulty disk ${straceAbsent ?? ''}`, () => {
  it.each(['EIO', 'EROFS'])(
    'ends when a write of its log fails with %s, and has acknowledged nothing that is lost',
    async (error) => {
      const file = await segment();
      // All later writes would go through: it must not get that far.
      const agent = start(withFault(`pwrite64:error=${error}:when=4`, file));
      await agent.ready();
      const sensor = await device();
      let over = false;
      void agent.ended().then(() => {
        over = true;
      });
      // A few at a time, so that they take more writes than the fault waits for, however slow the machine is.
      for (let sent = 10; sent <= MESSAGES; sent += 10) {
        await sensor.send(10);
        while (!over && sensor.acked() < sent) {
          await pause(2);
        }
      }
      expect(await agent.ended()).toBe(EXIT_DISK);
      expect(agent.complaints()).toContain(`RIV_LOG_WRITE: ${file}: a write failed (${error})`);
      expect(agent.events.at(-1)).toMatchObject({ event: 'error', code: 'RIV_LOG_WRITE' });
      const acked = sensor.acked();
      expect(acked).toBeGreaterThan(0);
      expect(acked).toBeLessThan(MESSAGES);
      await expectNothingLost(acked, sensor);
    },
    180_000,
  );

  it('ends when a sync fails, once and for all', async () => {
    const file = await segment();
    const agent = start(withFault('fsync:error=EIO:when=1', file));
    expect(await agent.ended()).toBe(EXIT_DISK);
    expect(agent.complaints()).toContain(`RIV_LOG_WRITE: ${file}: a sync failed (EIO)`);
  }, 180_000);

  it('waits while there is no room, and then has everything', async () => {
    const file = await segment();
    const agent = start(withFault('pwrite64:error=ENOSPC:when=4..6', file));
    await agent.ready();
    const sensor = await device();
    await sensor.send(MESSAGES);
    await agent.until(() => sensor.acked() === MESSAGES, 'all are acknowledged');
    expect(agent.complaints()).toContain('RIV_LOG_FULL');
    const stopped = await agent.stop();
    expect(stopped.ledger).toMatchObject({ received: MESSAGES, used: MESSAGES });
    expect(JSON.parse((await runRivulet('replay', state, '--json')).out).digest).toBe(stopped.digest);
  }, 180_000);

  it('goes on when the disk is slow', async () => {
    const file = await segment();
    const agent = start(withFault('pwrite64:delay_exit=80000', file));
    await agent.ready();
    const sensor = await device();
    await sensor.send(MESSAGES);
    await agent.until(() => sensor.acked() === MESSAGES, 'all are acknowledged');
    expect((await agent.stop()).ledger).toMatchObject({ received: MESSAGES, used: MESSAGES });
  }, 180_000);

  it.each([
    ['synced', 'fsync:error=EIO:when=1..2'],
    ['written', 'pwrite64:error=EIO:when=2..3'],
    ['written for want of room', 'pwrite64:error=ENOSPC:when=2..3'],
  ])(
    'goes on when a checkpoint cannot be %s, and says so until one can',
    async (_, fault) => {
      await segment();
      const agent = start(withFault(fault, join(state, 'checkpoint', 'b.rvcp')));
      await agent.ready();
      const sensor = await device();
      await sensor.send(MESSAGES / 2);
      await agent.until(() => /RIV_LOG_\w+: .*b\.rvcp: a checkpoint could not/.test(agent.complaints()), 'the notice');
      await sensor.send(MESSAGES / 2);
      await agent.until(() => agent.status()?.last_error === undefined, 'a checkpoint that could be written');
      await agent.until(() => sensor.acked() === MESSAGES, 'all are acknowledged');
      await agent.kill();
      await expectNothingLost(sensor.acked(), sensor);
    },
    180_000,
  );
});

describe.skipIf(straceAbsent !== null)(`the outbox of a gateway on a faulty disk ${straceAbsent ?? ''}`, () => {
  // Its files are put in place by a rename, which is durable when the directory is synced.
  it.each([
    ['fsync:error=EIO:when=1..3', 'EIO'],
    ['fsync:error=ENOSPC:when=2..4', 'ENOSPC'],
  ])(
    'meets %s: it goes on, says so, and hands in when it can',
    async (fault, why) => {
      const coordinator = await startCoordinator({});
      closing.push(() => coordinator.stop());
      await appendFile(
        config,
        `tasks: [{ name: soon, forecast: temp, horizon: 10s, every: 1s }]\nsync: { url: "${coordinator.url}", every: 300ms }\n`,
      );
      const agent = start(withFault(fault, join(state, 'outbox')));
      await agent.ready();
      const sensor = await device();
      await sensor.send(MESSAGES);
      await agent.until(() => /RIV_SYNC_DISK: .*outbox/.test(agent.complaints()), 'the notice');
      expect(agent.complaints()).toContain(`cannot be written (${why})`);
      await agent.until(() => sensor.acked() === MESSAGES, 'all are acknowledged');
      await agent.until(() => (agent.status()?.releases_accepted ?? 0) > 0, 'a release made of what was handed in');
      await agent.until(() => agent.status()?.last_error === undefined, 'the notice is over');
      expect((await agent.stop()).ledger).toMatchObject({ received: MESSAGES, used: MESSAGES });
    },
    120_000,
  );
});

it('a gateway that cannot read whom it trusts hands nothing in, says so, and goes on when it can', async () => {
  const coordinator = await startCoordinator({});
  closing.push(() => coordinator.stop());
  await appendFile(config, `sync: { url: "${coordinator.url}", every: 300ms }\n`);
  const pin = join(state, 'identity', 'coordinator.key');
  mkdirSync(pin, { recursive: true }); // a directory where the key should be: EISDIR
  const agent = start();
  await agent.ready();
  await agent.until(
    () => /RIV_SYNC_DISK: .*coordinator\.key: cannot be read \(EISDIR\)/.test(agent.complaints()),
    'it says',
  );
  await rm(pin, { recursive: true });
  await agent.until(() => agent.status()?.last_error === undefined, 'the notice is over');
  await agent.stop();
}, 180_000);

it.skipIf(shortWritesAbsent !== null)(
  `a gateway whose writes are all short has everything all the same ${shortWritesAbsent ?? ''}`,
  async () => {
    const agent = start(withShortWrites(directory));
    await agent.ready();
    const sensor = await device();
    await sensor.send(MESSAGES);
    await agent.until(() => sensor.acked() === MESSAGES, 'all are acknowledged');
    await agent.kill();
    // Log and checkpoints were written in parts; both are whole.
    const again = start();
    await again.ready();
    const ready = again.events.find(({ event }) => event === 'ready');
    expect(ready?.event === 'ready' && ready.recovery).toMatch(/^checkpoint [ab]\.rvcp/);
    const stopped = await again.stop();
    expect(stopped.ledger).toMatchObject({ received: MESSAGES, used: MESSAGES });
    expect(JSON.parse((await runRivulet('replay', state, '--json')).out).digest).toBe(stopped.digest);
  },
  180_000,
);

describe('a gateway whose state directory', () => {
  it('vanishes ends at the next checkpoint and says so', async () => {
    const agent = start();
    await agent.ready();
    const sensor = await device();
    await rm(state, { recursive: true });
    await sensor.send(20);
    expect(await agent.ended()).toBe(EXIT_DISK);
    expect(agent.complaints()).toMatch(/^RIV_LOG_WRITE: the state directory was removed/m);
  }, 180_000);

  it('is read-only does not start', async (context) => {
    mkdirSync(state);
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'tmpfs', state]).status !== 0) {
      return context.skip('needs the right to mount a small tmpfs');
    }
    try {
      const agent = start();
      expect(await agent.ended()).toBe(1);
      expect(agent.complaints()).toMatch(/^RIV_STATE_UNUSABLE: .*EROFS/m);
    } finally {
      spawnSync('umount', [state]);
      rmSync(state, { recursive: true, force: true });
    }
  }, 180_000);
});
