/** A plan that enters while a gateway runs, on a slow disk: the checkpoint beside it names the plan that its state follows. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePlanPayload, openLogReader, openSlots, planHash } from '@rivulet/host';
import { connectAsync } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { planIn } from '../../edge-agent/src/fold.ts';
import { blocksOf } from '../../edge-agent/src/set_aside.ts';
import { startAgentProcess } from '../support/agent.ts';
import { closeAll, closing, pause } from '../support/doors.ts';
import { freePort } from '../support/mosquitto.ts';
import { straceAbsent, withFault } from '../support/strace.ts';

/** Longer than the time between checkpoints: one is always waiting for a write to end. */
const WRITE_MS = 250;

afterEach(closeAll);

/** The plans of a log in their order, each with the sequence of its block. */
async function plansOf(state: string): Promise<{ sequence: number; hash: string }[]> {
  const log = await openLogReader(join(state, 'log'));
  const plans: { sequence: number; hash: string }[] = [];
  for await (const chunk of log.read(0)) {
    for (const { at, end, sequence, isPlan } of blocksOf(chunk)) {
      if (!isPlan) continue;
      const { plan } = decodePlanPayload(planIn(chunk.subarray(at, end)) as Buffer);
      plans.push({ sequence, hash: planHash(plan).toString('hex') });
    }
  }
  return plans;
}

describe.skipIf(straceAbsent !== null)(`a plan that was announced ${straceAbsent ?? ''}`, () => {
  it('is the one that the next checkpoint names', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-plan-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const [config, state, port] = [join(directory, 'rivulet.yaml'), join(directory, 'state'), await freePort()];
    await writeFile(
      config,
      `gateway: plant-7
state: ${state}
broker: { listen: ${port} }
checkpoint: { every: 100ms }
sources: [{ preset: home_assistant }]
`,
    );
    const first = startAgentProcess(config);
    await first.ready();
    await first.stop();
    const [segment] = await readdir(join(state, 'log'));
    for (let round = 1; round <= 4; round++) {
      const fault = `pwrite64:delay_exit=${WRITE_MS * 1000}`;
      const agent = startAgentProcess(config, { before: withFault(fault, join(state, 'log', segment as string)) });
      closing.push(() => agent.kill());
      await agent.ready();
      const device = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0 });
      const topic = `homeassistant/sensor/s${round}/config`;
      await device.publishAsync(topic, `{"stat_t":"s${round}","unit_of_meas":"W"}`, { qos: 1, retain: true });
      await expect.poll(async () => (await plansOf(state)).length, { timeout: 30_000 }).toBe(round + 1);
      await pause(WRITE_MS * 4); // nothing comes any more: the newest checkpoint is the one beside the plan
      await agent.kill();
      await device.endAsync(true);

      const slot = await (await openSlots(join(state, 'checkpoint'))).load(() => null);
      const followed = (await plansOf(state)).filter(({ sequence }) => sequence < (slot?.nextSequence ?? 0)).at(-1);
      expect(Buffer.from(slot?.planHash ?? []).toString('hex')).toBe(followed?.hash);
    }
  });
});
