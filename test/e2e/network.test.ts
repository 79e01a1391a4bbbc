/**
 * What networks and brokers do to a gateway: delays, packets in pieces, connections cut at any byte, reset, half open, a broker
 * that stands still, a broker that restarts. Devices go on all the while; in the end every message that was acknowledged to them
 * is counted once.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from '../support/agent.ts';
import { type Load, startLoad } from '../support/load.ts';
import { freePort, type Mosquitto, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';
import { startProxy, type TcpProxy } from '../support/proxy.ts';

const DEVICES = 10;
const PER_SECOND = 1000;

let directory = '';
const closing: (() => Promise<unknown> | unknown)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-network-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a gateway behind a door, waits until it takes messages. */
async function gateway(door: string): Promise<AgentProcess> {
  const config = join(directory, 'rivulet.yaml');
  await writeFile(
    config,
    `gateway: plant-7
state: ${join(directory, 'state')}
${door}
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
`,
  );
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  await agent.ready();
  await agent.until(() => agent.status()?.connected === true, 'the door is connected');
  await pause(200); // SUBACK
  return agent;
}

const counted = (agent: AgentProcess): number =>
  (agent.status()?.ledger.used ?? 0) + (agent.status()?.ledger.late ?? 0);

/** Resolves when the gateway has counted this many more. */
async function goesOn(agent: AgentProcess, more = 200): Promise<void> {
  const from = counted(agent);
  await agent.until(() => counted(agent) > from + more, 'the gateway goes on');
}

async function expectAllCountedOnce(agent: AgentProcess, load: Load): Promise<void> {
  await load.finish();
  await agent.until(() => counted(agent) >= load.sent(), `all ${load.sent()} messages`).catch(() => undefined);
  const { ledger, sources, messages, digest } = await agent.stop();
  expect({ counted: ledger.used + ledger.late, gaps: sources[0]?.gaps, quarantined: ledger.quarantined }).toEqual({
    ...{ counted: load.sent(), gaps: 0, quarantined: 0 },
  });
  const { out } = await runRivulet('replay', join(directory, 'state'), '--json');
  expect(JSON.parse(out)).toMatchObject({ messages, digest });
}

describe.skipIf(mosquittoAbsent !== null)(`a gateway behind a broker ${mosquittoAbsent ?? ''}`, () => {
  let mosquitto: Mosquitto;
  let proxy: TcpProxy;
  let agent: AgentProcess;
  let load: Load;
  async function begin(own = '{ stale_after: 1s'): Promise<void> {
    mosquitto = await startMosquitto();
    closing.push(() => mosquitto.stop());
    proxy = await startProxy(mosquitto.port);
    closing.push(() => proxy.stop());
    agent = await gateway(`mqtt: ${own}, url: "${proxy.url}" }`);
    load = startLoad(mosquitto.port, DEVICES, PER_SECOND);
    closing.push(load.stop);
    await goesOn(agent);
  }

  it.each([4, 5])(
    'loses nothing when its connection is cut at any byte, again and again (protocol %i)',
    async (protocol) => {
      await begin(`{ protocol: ${protocol}`);
      proxy.pieces(40);
      proxy.cutAfter(() => Math.floor(Math.random() * 60_000));
      const from = proxy.accepted();
      await agent.until(() => proxy.accepted() > from + 8, 'eight cuts');
      proxy.restore();
      await expectAllCountedOnce(agent, load);
    },
    60_000,
  );

  it('loses nothing to delays, resets, and a connection that is open at one end only', async () => {
    await begin();
    proxy.delay(150);
    await goesOn(agent);
    for (let reset = 0; reset < 3; reset++) {
      proxy.reset();
      await goesOn(agent);
    }
    proxy.delay(0);
    proxy.halfOpen();
    await agent.until(() => agent.status()?.doors[0]?.stale === true, 'the silence is noticed');
    expect(agent.complaints()).toContain('RIV_MQTT_SILENT');
    proxy.restore();
    await goesOn(agent);
    expect(agent.status()?.doors[0]).toMatchObject({ stale: false, connected: true });
    await expectAllCountedOnce(agent, load);
  }, 60_000);

  it('goes on after the broker stood still, and after it was started anew', async () => {
    await begin('{ qos: 1');
    mosquitto.freeze();
    await pause(2000);
    mosquitto.thaw();
    await goesOn(agent);
    await mosquitto.restart();
    await goesOn(agent);
    await expectAllCountedOnce(agent, load);
  }, 60_000);
});

describe('a gateway with the embedded broker', () => {
  it('loses nothing when devices are cut at any byte, reset, or stand still themselves', async () => {
    const port = await freePort();
    const agent = await gateway(`broker: { listen: ${port} }`);
    const proxy = await startProxy(port);
    closing.push(() => proxy.stop());
    const load = startLoad(proxy.port, DEVICES, PER_SECOND);
    closing.push(load.stop);
    await goesOn(agent);
    proxy.pieces(30);
    proxy.cutAfter(() => Math.floor(Math.random() * 400)); // Acknowledgements are 4 bytes each.
    const from = proxy.accepted();
    await agent.until(() => proxy.accepted() > from + 5 * DEVICES, 'many cuts');
    proxy.restore();
    proxy.reset();
    await goesOn(agent);
    process.kill(agent.pid, 'SIGSTOP');
    await pause(1000);
    process.kill(agent.pid, 'SIGCONT');
    await goesOn(agent);
    await expectAllCountedOnce(agent, load);
  }, 60_000);
});
