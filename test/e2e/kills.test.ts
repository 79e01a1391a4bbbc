/**
 * kill -9 at random moments, under 5,000 messages a second at QoS 1 from fifty devices, through mosquitto and through the
 * embedded broker: every acknowledged message is counted once, and the log gives the state back.
 *
 * RIVULET_KILLS says how often (usually a few; the full run is 200): RIVULET_KILLS=200 npx vitest run test/e2e/kills.test.ts
 */
import { afterEach, describe, expect, it } from 'vitest';
import { client, closeAll, closing, pause } from '../support/doors.ts';
import { startLoad } from '../support/load.ts';
import { type LoadedGateway, openLoadedGateway } from '../support/loaded_gateway.ts';
import { freePort, type Mosquitto, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

const KILLS = Number(process.env.RIVULET_KILLS ?? 2);
const DEVICES = 50;
const PER_SECOND = 5000;
/** A life ends at a random moment of this long after it has counted on, or has begun: in its start, its first commits, a checkpoint. */
const LIFE_MS_MAX = 1500;
/**
 * Devices wait while the broker holds so much: a gateway that is killed all the time never makes up for it. mosquitto gives out
 * packet ids when it queues a message, so with more than 65,535 it uses one id for two, and nobody can tell which of them it
 * delivers again (mosquitto_in_flight.ts); its own count is a second old, and devices have up to 10,000 on their way.
 */
const HELD_MAX = 25_000;
const TEST_MS_MAX = 60_000 + KILLS * 15_000;
const MORE = 'checkpoint: { every: 500ms }\nlog: { keep: 10GB }';

afterEach(closeAll);

/**
 * Kills the gateway again and again under load to a port, then compares what was acknowledged with what was counted.
 * @param held messages that a broker in between holds
 */
async function killUnderLoad(gateway: LoadedGateway, port: number, held: () => number): Promise<void> {
  let counted = 0;
  let heldMost = 0;
  const load = startLoad(port, DEVICES, PER_SECOND, () => {
    counted = Math.max(counted, gateway.counted());
    heldMost = Math.max(heldMost, held());
    return held() > HELD_MAX;
  });
  closing.push(async () => load.stop());
  const begun = performance.now();
  for (let kill = 0; kill < KILLS; kill++) {
    // Mostly while it takes and counts what comes; now and then while it is still starting.
    if (Math.random() < 0.8) {
      const before = counted;
      await gateway.agent().until(() => gateway.counted() > before, 'the gateway counts on');
    }
    await pause(Math.random() * LIFE_MS_MAX);
    await gateway.restart();
    if (kill % 20 === 19) {
      console.log(
        `${kill + 1} kills: ${load.sent()} sent, ${load.acked()} acknowledged, ${counted} counted, ${held()} held`,
      );
    }
  }
  await gateway.agent().ready();
  await pause(300);
  await load.finish();
  const seconds = (performance.now() - begun) / 1000;
  expect(load.acked()).toBe(load.sent());
  const { duplicates } = await gateway.expectCountedOnce(load.sent());
  console.log(
    `${KILLS} kills in ${seconds.toFixed(0)} s: ${load.sent()} messages (${(load.sent() / seconds).toFixed(0)}/s) acknowledged ` +
      `and counted once, ${duplicates} recognised as repeats, at most ${heldMost} held by the broker, ` +
      `${load.reconnects()} reconnects of devices`,
  );
}

/** What a mosquitto says it holds for its clients, every second. */
async function heldBy({ url }: Mosquitto): Promise<() => number> {
  let held = 0;
  const watcher = await client(url);
  watcher.on('message', (_, payload) => {
    held = Number(payload.toString());
  });
  await watcher.subscribeAsync('$SYS/broker/store/messages/count');
  return () => held;
}

describe.each([
  ['by the numbers of the devices', true],
  ['by packet ids and DUP alone', false],
])(`${KILLS} times kill -9 under ${PER_SECOND} messages/s of ${DEVICES} devices, repeats told %s`, (_, numbers) => {
  it.skipIf(mosquittoAbsent !== null)(
    `through mosquitto every acknowledged message is counted once ${mosquittoAbsent ?? ''}`,
    async () => {
      const mosquitto = await startMosquitto({ saves: false });
      closing.push(() => mosquitto.stop());
      const gateway = await openLoadedGateway(`mqtt: { url: "${mosquitto.url}" }`, { numbers, more: MORE });
      await killUnderLoad(gateway, mosquitto.port, await heldBy(mosquitto));
    },
    TEST_MS_MAX,
  );

  it(
    'through the embedded broker every acknowledged message is counted once',
    async () => {
      const port = await freePort();
      await killUnderLoad(
        await openLoadedGateway(`broker: { listen: ${port} }`, { numbers, more: MORE }),
        port,
        () => 0,
      );
    },
    TEST_MS_MAX,
  );
});
