/**
 * A disk that takes a third of a second for each write of the log, under a flood: what devices wait for (QoS 1) is held back and
 * loses nothing; of what nobody waits for (QoS 0) the gateway keeps a bounded amount, sheds the rest and counts it, so that
 * taken and shed are what was sent.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { closeAll, closing, pause } from '../support/doors.ts';
import { startLoad } from '../support/load.ts';
import { openLoadedGateway } from '../support/loaded_gateway.ts';
import { freePort, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';
import { straceAbsent, withFault } from '../support/strace.ts';

const WRITE_US = 300_000;
/** One message of each of many devices is more than the gateway holds of QoS 0 (16 MiB). */
const FLOODING = 60;
const EACH = 4;
const FLOOD = FLOODING * EACH;
const FLOOD_BYTES = 400_000;
const AWAITED = 200;
/** What waits, what is being written, one message of each device in the buffers of its connection, and the collector. */
const GROWN_MIB_MAX = 250;

afterEach(closeAll);

/** Through mosquitto: so many writes of the log take so long, and one of them holds up what comes meanwhile. */
const SLOW_WRITES = 12;
const SLOW_WRITE_MS = 1500;
const DEVICES = 50;
const PER_SECOND = 5000;

function peakMib(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe.skipIf(straceAbsent !== null)(`a gateway on a slow disk ${straceAbsent ?? ''}`, () => {
  it('sheds QoS 0 beyond its limit and counts it, and holds QoS 1 back without losing any', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'rivulet-slow-'));
    closing.push(() => rm(directory, { recursive: true, force: true }));
    const [config, state, port] = [join(directory, 'rivulet.yaml'), join(directory, 'state'), await freePort()];
    await writeFile(
      config,
      `gateway: plant-7
state: ${state}
broker: { listen: ${port} }
limits: { payload_bytes: 1MB }
sources:
  - { name: flood, topic: "flood/{key}", key: "{key}", fields: { value: value } }
  - { name: awaited, topic: "awaited/{key}", key: "{key}", fields: { value: value }, seq: n }
`,
    );
    const first = startAgentProcess(config);
    closing.push(() => first.kill());
    await first.ready();
    await first.stop();
    const [segment] = readdirSync(join(state, 'log')) as [string];
    const agent = startAgentProcess(config, {
      before: withFault(`pwrite64:delay_exit=${WRITE_US}`, join(state, 'log', segment)),
    });
    closing.push(() => agent.kill());
    await agent.ready();
    const before = peakMib(agent.pid);

    const device = async (clientId: string): Promise<MqttClient> => {
      const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4, clientId });
      closing.push(() => client.endAsync(true));
      return client;
    };
    const flooding = await Promise.all(Array.from({ length: FLOODING }, (_, n) => device(`flooding-${n}`)));
    const waiting = await device('waiting');
    const filler = 'x'.repeat(FLOOD_BYTES);
    let acked = 0;
    const awaited = Promise.all(
      Array.from({ length: AWAITED }, async (_, n) => {
        await waiting.publishAsync('awaited/a', JSON.stringify({ value: n, n }), { qos: 1 });
        acked += 1;
      }),
    );
    for (let n = 0; n < EACH; n++) {
      const payload = JSON.stringify({ value: n, filler });
      await Promise.all(flooding.map((client) => client.publishAsync('flood/a', payload, { qos: 0 })));
    }
    const shed = (): number => agent.status()?.doors?.[0]?.broker?.shed ?? 0;
    await awaited;
    expect(acked).toBe(AWAITED);
    const taken = (): number => agent.status()?.sources.find(({ name }) => name === 'flood')?.used ?? 0;
    await expect.poll(() => taken() + shed(), { timeout: 30_000 }).toBe(FLOOD);
    const grown = peakMib(agent.pid) - before;
    console.log(
      `${FLOOD} of QoS 0: ${taken()} taken, ${shed()} shed; peak memory ${before.toFixed(0)} + ${grown.toFixed(0)} MiB`,
    );
    expect(shed()).toBeGreaterThan(0);
    expect(taken()).toBeGreaterThan(0);
    expect(grown).toBeLessThan(GROWN_MIB_MAX);
    expect(agent.complaints()).toContain('messages of QoS 0 are shed');

    const stopped = await agent.stop();
    const ledger = stopped.sources.find(({ name }) => name === 'awaited');
    expect(ledger).toMatchObject({ used: AWAITED, duplicate: 0, gaps: 0 });
    const { out } = await runRivulet('replay', state, '--json');
    expect(JSON.parse(out)).toMatchObject({ digest: stopped.digest });
  }, 120_000);

  it.skipIf(mosquittoAbsent !== null)(
    `leaves QoS 1 with the broker, stays within its memory, and has it all in the end ${mosquittoAbsent ?? ''}`,
    async () => {
      const mosquitto = await startMosquitto({ saves: false });
      closing.push(() => mosquitto.stop());
      const gateway = await openLoadedGateway(`mqtt: { url: "${mosquitto.url}" }`, {
        fault: `pwrite64:delay_exit=${SLOW_WRITE_MS * 1000}:when=1..${SLOW_WRITES}`,
      });
      const { pid } = gateway.agent();
      const before = peakMib(pid);
      const load = startLoad(mosquitto.port, DEVICES, PER_SECOND);
      closing.push(async () => load.stop());
      let behind = 0;
      for (let looked = 0; looked < 5 * SLOW_WRITES; looked++) {
        await pause(SLOW_WRITE_MS / 5);
        behind = Math.max(behind, load.sent() - gateway.counted());
      }
      await load.finish();
      const grown = peakMib(pid) - before;
      console.log(
        `${load.sent()} of QoS 1, up to ${behind} behind; peak memory ${before.toFixed(0)} + ${grown.toFixed(0)} MiB`,
      );
      expect(behind).toBeGreaterThan(1000);
      expect(grown).toBeLessThan(GROWN_MIB_MAX);
      expect(gateway.agent().status()?.connected).toBe(true);
      await gateway.expectCountedOnce(load.sent());
    },
    120_000,
  );
});
