/**
 * Supervision with real processes and a real trap: the core's memory is bounded so tightly (`little_memory.ts`) that one large
 * message does not fit in.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Ledger } from '@rivulet/host';
import { connectAsync, UniqueMessageIdProvider } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';

let directory = '';
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-supervision-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});

/** 2.1 MiB: the core begins with 1.1, and small messages need little more; a batch of more than half a mebibyte is too much. */
process.env.RIVULET_TEST_PAGES = '33';
const LITTLE_MEMORY = ['--import', fileURLToPath(new URL('../support/little_memory.ts', import.meta.url))];

async function configure(): Promise<string> {
  const path = join(directory, 'rivulet.yaml');
  await writeFile(
    path,
    `gateway: plant-7
about: "a test"
state: ${join(directory, 'state')}
broker: { listen: 0 }
checkpoint: { every: 300ms }
limits: { payload_bytes: 2MB }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts }
windows:
  - { name: hour, every: 1h, of: [temp], stats: [mean], lateness: 1h }
`,
  );
  return path;
}

function expectLedgerAddsUp({ ledger: { received, ...fates } }: { ledger: Ledger }): void {
  expect(Object.values(fates).reduce((sum, count) => sum + count, 0)).toBe(received);
}

describe('a gateway whose core traps', () => {
  it('sets the one message aside, goes on by itself, and every later fold sees the same', async () => {
    const config = await configure();
    let agent = startAgentProcess(config, { node: LITTLE_MEMORY });
    closing.push(() => agent.kill());
    const { brokerPort } = await agent.ready();
    const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, {
      // Small packet ids: the table of the large ones takes memory of its own.
      ...{ protocolVersion: 4, clientId: 'd', messageIdProvider: new UniqueMessageIdProvider() },
    });
    closing.push(() => device.endAsync(true));
    const start = Date.now() - 3_600_000;
    let n = 0;
    const send = (text = ''): Promise<unknown> => {
      n += 1;
      const payload = JSON.stringify({ value: 20 + (n % 7), ts: start + n * 1000, text });
      return device.publishAsync('b/r1/temp', payload, { qos: 1 });
    };
    for (let round = 0; round < 20; round++) {
      await send();
    }
    // In one turn: what comes right behind the large one stands in one block with it.
    await Promise.all([send(), send('x'.repeat(900_000)), ...Array.from({ length: 30 }, () => send())]);
    for (let round = 0; round < 20; round++) {
      await send();
    }
    await agent.until(() => (agent.status()?.messages ?? 0) >= 72, 'all is folded');
    expect(agent.status()?.ledger).toMatchObject({ received: 72, used: 71, quarantined: 1 });
    expect(agent.status()?.last_error?.code).toBe('RIV_CORE_TRAPPED');
    expect(agent.complaints()).toMatch(/^RIV_CORE_TRAPPED: .*message 21 \(topic b\/r1\/temp\) trapped the core/m);
    // A crash now: recovery passes over the same message, with as little memory and with plenty.
    await agent.kill();
    agent = startAgentProcess(config, { node: LITTLE_MEMORY });
    await agent.ready();
    const stopped = await agent.stop();
    expect(stopped.ledger).toMatchObject({ received: 72, used: 71, quarantined: 1 });
    expectLedgerAddsUp(stopped);
    const replayed = await runRivulet('replay', join(directory, 'state'), '--json');
    expect(JSON.parse(replayed.out)).toMatchObject({ messages: 72, digest: stopped.digest });
    const list = JSON.parse(await readFile(join(directory, 'state', 'quarantine', 'set_aside.json'), 'utf8'));
    expect(list.set_aside).toMatchObject([
      { at: expect.any(Number), offset: 21, topic: 'b/r1/temp', code: 'RIV_CORE_TRAPPED' },
    ]);
    const state = join(directory, 'state');
    const listed = await runRivulet('quarantine', 'ls', state, '--json');
    expect(JSON.parse(listed.out)).toMatchObject({
      source: 'rooms',
      offset: 21,
      topic: 'b/r1/temp',
      code: 'RIV_CORE_TRAPPED',
    });
    expect(JSON.parse(listed.out).bytes).toBeGreaterThan(900_000);
    // With all the memory there is, the message would be taken.
    const retried = await runRivulet('quarantine', 'retry', state, '21', '--json');
    expect(JSON.parse(retried.out)).toMatchObject({ offset: 21, outcome: 'used', source: 'rooms', code: null });
    const shown = await runRivulet('quarantine', 'show', state, '21');
    expect(shown.out).toMatch(/^000000 {2}32 .* 2.*b\/r1\/temp/m);
  }, 180_000);
});

describe('the quarantine', () => {
  it('shows what could not be read without harm to a terminal, and says what another configuration would do', async () => {
    const config = await configure();
    const agent = startAgentProcess(config);
    closing.push(() => agent.kill());
    const { brokerPort } = await agent.ready();
    const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { protocolVersion: 4, clientId: 'd' });
    closing.push(() => device.endAsync(true));
    await device.publishAsync('b/r1/temp', '{"level":7,"ts":1,"text":"\u001b[2J"', { qos: 1 });
    await device.publishAsync('b/r1/temp', `{"level":7,"ts":${Date.now()}}`, { qos: 1 });
    await agent.stop();
    const state = join(directory, 'state');
    const listed = await runRivulet('quarantine', 'ls', state);
    expect(listed.out).toMatch(/rooms {2}offset 0 {2}b\/r1\/temp {2}\d+ bytes {2}RIV_CORE_CORRUPT/);
    expect(listed.out).toMatch(/rooms {2}offset 1 {2}b\/r1\/temp {2}\d+ bytes {2}RIV_CORE_NO_READING/);
    const shown = await runRivulet('quarantine', 'show', state, '0');
    expect(shown.out).not.toContain('\u001b');
    const retried = await runRivulet('quarantine', 'retry', state, '1');
    expect(retried.out).toMatch(/it would be quarantined by rooms \(RIV_CORE_NO_READING/);
    await writeFile(config, (await readFile(config, 'utf8')).replace('value }', 'level }'));
    const better = await runRivulet('quarantine', 'retry', state, '1', '--config', config);
    expect(better.out).toMatch(/it would be used by rooms/);
    expect(await runRivulet('quarantine', 'show', state, '99')).toMatchObject({ code: 1 });
    expect(await runRivulet('quarantine', 'drop', state)).toMatchObject({ code: 2 });
    // Nothing where no gateway ever ran is not the same as an empty quarantine.
    const nowhere = await runRivulet('quarantine', 'ls', join(directory, 'nowhere'));
    expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining('RIV_FILE_UNREADABLE') });
    expect(await runRivulet('quarantine', 'ls', tmpdir())).toMatchObject({ code: 1 });
  }, 180_000);
});
