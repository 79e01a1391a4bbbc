/**
 * What networks and brokers do to a gateway: delays, packets in pieces, connections cut at any byte, reset, half open, a broker
 * that stands still, a broker that restarts. Devices go on all the while; in the end every message that was acknowledged to them
 * is counted once.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { closeAll, closing, pause } from '../support/doors.ts';
import { type Load, startLoad } from '../support/load.ts';
import { type LoadedGateway, openLoadedGateway } from '../support/loaded_gateway.ts';
import { freePort, type Mosquitto, mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';
import { startProxy, type TcpProxy } from '../support/proxy.ts';

const DEVICES = 10;
const PER_SECOND = 1000;

afterEach(closeAll);

async function expectCountedOnce(gateway: LoadedGateway, load: Load): Promise<void> {
  await load.finish();
  await gateway.expectCountedOnce(load.sent());
}

describe.skipIf(mosquittoAbsent !== null)(`a gateway behind a broker ${mosquittoAbsent ?? ''}`, () => {
  let mosquitto: Mosquitto;
  let proxy: TcpProxy;
  let gateway: LoadedGateway;
  let load: Load;
  async function begin(own = '{ stale_after: 1s'): Promise<void> {
    mosquitto = await startMosquitto();
    closing.push(() => mosquitto.stop());
    proxy = await startProxy(mosquitto.port);
    closing.push(() => proxy.stop());
    gateway = await openLoadedGateway(`mqtt: ${own}, url: "${proxy.url}" }`);
    load = startLoad(mosquitto.port, DEVICES, PER_SECOND);
    closing.push(async () => load.stop());
    await gateway.goesOn();
  }

  it.each([4, 5])(
    'loses nothing when its connection is cut at any byte, again and again (protocol %i)',
    async (protocol) => {
      await begin(`{ protocol: ${protocol}`);
      proxy.pieces(40);
      proxy.cutAfter(() => Math.floor(Math.random() * 60_000));
      const from = proxy.accepted();
      await gateway.agent().until(() => proxy.accepted() > from + 8, 'eight cuts');
      proxy.restore();
      await expectCountedOnce(gateway, load);
    },
    60_000,
  );

  it('loses nothing to delays, resets, and a connection that is open at one end only', async () => {
    await begin();
    proxy.delay(150);
    await gateway.goesOn();
    for (let reset = 0; reset < 3; reset++) {
      proxy.reset();
      await gateway.goesOn();
    }
    proxy.delay(0);
    proxy.halfOpen();
    await gateway.agent().until(() => gateway.agent().status()?.doors[0]?.stale === true, 'the silence is noticed');
    expect(gateway.agent().complaints()).toContain('RIV_MQTT_SILENT');
    proxy.restore();
    await gateway.goesOn();
    expect(gateway.agent().status()?.doors[0]).toMatchObject({ stale: false, connected: true });
    await expectCountedOnce(gateway, load);
  }, 60_000);

  it('goes on after the broker stood still, and after it was started anew', async () => {
    await begin('{ qos: 1');
    mosquitto.freeze();
    await pause(2000);
    mosquitto.thaw();
    await gateway.goesOn();
    await mosquitto.restart();
    await gateway.goesOn();
    await expectCountedOnce(gateway, load);
  }, 60_000);
});

describe('a gateway with the embedded broker', () => {
  it('loses nothing when devices are cut at any byte, reset, or stand still themselves', async () => {
    const port = await freePort();
    const gateway = await openLoadedGateway(`broker: { listen: ${port} }`);
    const proxy = await startProxy(port);
    closing.push(() => proxy.stop());
    const load = startLoad(proxy.port, DEVICES, PER_SECOND);
    closing.push(async () => load.stop());
    await gateway.goesOn();
    proxy.pieces(30);
    proxy.cutAfter(() => Math.floor(Math.random() * 400)); // Acknowledgements are 4 bytes each.
    const from = proxy.accepted();
    await gateway.agent().until(() => proxy.accepted() > from + 5 * DEVICES, 'many cuts');
    proxy.restore();
    proxy.reset();
    await gateway.goesOn();
    process.kill(gateway.agent().pid, 'SIGSTOP');
    await pause(1000);
    process.kill(gateway.agent().pid, 'SIGCONT');
    await gateway.goesOn();
    await expectCountedOnce(gateway, load);
  }, 60_000);
});
