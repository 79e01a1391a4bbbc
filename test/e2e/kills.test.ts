/**
 * kill -9 at random moments, under 5,000 messages a second at QoS 1 from fifty devices, through mosquitto and through the
 * embedded broker: every acknowledged message is counted once, and the log gives the state back.
 *
 * RIVULET_KILLS says how often (usually a few; the full run is 200): RIVULET_KILLS=200 npx vitest run test/e2e/kills.test.ts
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { startLoad } from '../support/load.ts';
import { freePort, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const KILLS = Number(process.env.RIVULET_KILLS ?? 2);
const DEVICES = 50;
const PER_SECOND = 5000;
/** A life ends at a random moment of this long after the gateway is ready: in its start, its first commits, a checkpoint. */
const LIFE_MS_MAX = 1500;
const TEST_MS_MAX = 60_000 + KILLS * 15_000;

let directory = '';
const closing: (() => Promise<unknown> | unknown)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-kills-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function configure(door: string, numbers: string): Promise<string> {
  const path = join(directory, 'rivulet.yaml');
  await writeFile(
    path,
    `gateway: plant-7
state: ${join(directory, 'state')}
${door}
checkpoint: { every: 500ms }
log: { keep: 10GB }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts${numbers} }
windows:
  - { name: minute, every: 1m, of: [temp], stats: [mean, count], lateness: 5s }
outputs:
  - { windows: minute, topic: "rivulet/plant-7/windows/{key}" }
`,
  );
  return path;
}

/** Kills the gateway again and again under load to a port, then compares what was acknowledged with what was counted. */
async function killUnderLoad(config: string, port: number): Promise<void> {
  let agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  await agent.ready();
  await agent.until(() => agent.status()?.connected === true, 'the door is connected');
  await pause(200); // SUBACK
  const load = startLoad(port, DEVICES, PER_SECOND);
  closing.push(load.stop);
  const begun = performance.now();
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(Math.random() * LIFE_MS_MAX);
    await agent.kill();
    agent = startAgentProcess(config);
    // Now and then the next kill comes while the gateway is still starting.
    if (Math.random() < 0.8) {
      await agent.ready();
    }
  }
  await agent.ready();
  await pause(300);
  await load.finish();
  const seconds = (performance.now() - begun) / 1000;
  const counted = (status = agent.status()) => (status?.ledger.used ?? 0) + (status?.ledger.late ?? 0);
  await agent.until(() => counted() >= load.sent(), `all ${load.sent()} messages are counted`).catch(() => undefined);
  const stopped = await agent.stop();
  const { ledger } = stopped;
  console.log(
    `${KILLS} kills in ${seconds.toFixed(0)} s: ${load.sent()} messages (${(load.sent() / seconds).toFixed(0)}/s), ` +
      `${load.acked()} acknowledged, ${counted(stopped)} counted, ${ledger.duplicate} recognised as repeats, ` +
      `${stopped.sources[0]?.gaps} gaps, ${load.reconnects()} reconnects of devices`,
  );
  expect(load.acked()).toBe(load.sent());
  expect({ counted: counted(stopped), gaps: stopped.sources[0]?.gaps }).toEqual({ counted: load.sent(), gaps: 0 });
  expect(ledger).toMatchObject({ quarantined: 0, filtered: 0, retained: 0 });
  const { code, out, err } = await runRivulet('replay', join(directory, 'state'), '--json');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(out)).toMatchObject({ messages: stopped.messages, digest: stopped.digest });
}

describe.each([
  ['by the numbers of the devices', ', seq: n'],
  ['by packet ids and DUP alone', ''],
])(`${KILLS} times kill -9 under ${PER_SECOND} messages/s of ${DEVICES} devices, repeats told %s`, (_, numbers) => {
  it.skipIf(mosquittoAbsent !== null)(
    `through mosquitto every acknowledged message is counted once ${mosquittoAbsent ?? ''}`,
    async () => {
      const mosquitto = await startMosquitto({ saves: false });
      closing.push(() => mosquitto.stop());
      await killUnderLoad(await configure(`mqtt: { url: "${mosquitto.url}" }`, numbers), mosquitto.port);
    },
    TEST_MS_MAX,
  );

  it(
    'through the embedded broker every acknowledged message is counted once',
    async () => {
      const port = await freePort();
      await killUnderLoad(await configure(`broker: { listen: ${port} }`, numbers), port);
    },
    TEST_MS_MAX,
  );
});
