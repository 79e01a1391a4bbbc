/**
 * A clean stop while the disk is slow: it waits for its last checkpoint, and ends at once when somebody insists. Either way
 * nothing that was acknowledged is missing after it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from '../support/agent.ts';
import { closeAll, closing, pause } from '../support/doors.ts';
import { freePort } from '../support/mosquitto.ts';
import { straceAbsent, withFault } from '../support/strace.ts';

const MESSAGES = 200;

let [port, state, config] = [0, '', ''];

beforeEach(async () => {
  port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-stop-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  [state, config] = [join(directory, 'state'), join(directory, 'rivulet.yaml')];
  await writeFile(
    config,
    `gateway: plant-7
state: ${state}
broker: { listen: ${port} }
checkpoint: { every: 1h }
sources:
  - { topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
`,
  );
});
afterEach(closeAll);

/** A gateway that has taken messages, whose writes of checkpoints take so long. */
async function busyGateway(writeMs: number): Promise<AgentProcess> {
  const first = startAgentProcess(config);
  await first.ready();
  await first.stop(); // the slot that the next checkpoint goes to is the one that is not there yet
  const before = withFault(`pwrite64:delay_exit=${writeMs * 1000}:when=1`, join(state, 'checkpoint', 'b.rvcp'));
  const agent = startAgentProcess(config, { before });
  closing.push(() => agent.kill());
  await agent.ready();
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, clientId: 'd' });
  closing.push(() => device.endAsync(true));
  const startMs = Date.now() - 3_600_000;
  await Promise.all(
    Array.from({ length: MESSAGES }, (_, n) =>
      device.publishAsync('b/r1/temp', JSON.stringify({ value: n % 7, ts: startMs + n * 1000, n }), { qos: 1 }),
    ),
  );
  return agent;
}

describe.skipIf(straceAbsent !== null)(`a stop on a slow disk ${straceAbsent ?? ''}`, () => {
  it('has its last checkpoint, however long the disk takes', async () => {
    const agent = await busyGateway(5000);
    const { digest, ledger } = await agent.stop();
    expect(ledger.used).toBe(MESSAGES);
    const again = startAgentProcess(config);
    closing.push(() => again.kill());
    await again.ready();
    const ready = again.events.find((event) => event.event === 'ready');
    expect(ready).toMatchObject({ recovery: expect.stringContaining('newest checkpoint') });
    expect(await again.stop()).toMatchObject({ digest });
  });

  it('ends at a second signal, says what it still waited for, and has lost nothing that was acknowledged', async () => {
    const agent = await busyGateway(15_000);
    process.kill(agent.pid, 'SIGTERM');
    await pause(2000);
    process.kill(agent.pid, 'SIGTERM');
    expect(await agent.ended()).toBe(null); // killed, by itself: it does not wait for the disk
    expect(agent.complaints()).toMatch(/RIV_STOP_CUT: another signal came; .* the last checkpoint/);
    const { out } = await runRivulet('replay', state, '--json');
    expect(JSON.parse(out).ledger.used).toBe(MESSAGES);
    const again = startAgentProcess(config);
    closing.push(() => again.kill());
    await again.ready();
    expect((await again.stop()).ledger.used).toBe(MESSAGES);
  });
});
