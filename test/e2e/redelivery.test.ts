/** Devices that send again what was not acknowledged to them, at the embedded broker of a real process. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { freePort } from '../support/mosquitto.ts';

let directory = '';
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-redelivery-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});

/** Sends one message of QoS 1 as client `id` over a connection of its own, waits for PUBACK, and cuts the connection. */
async function sendOnce(port: number, id: string, text: string, dup: boolean): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  let received = 0;
  socket.on('data', (data) => {
    received += data.length;
  });
  const topic = Buffer.from('b/r1/temp');
  const head = Buffer.from([0x10, 12 + id.length, 0, 4, ...Buffer.from('MQTT'), 4, 0, 0, 60, 0, id.length]);
  const publish = [dup ? 0x3a : 0x32, 4 + topic.length + text.length, 0, topic.length];
  socket.write(Buffer.concat([head, Buffer.from(id)]));
  socket.write(Buffer.concat([Buffer.from(publish), topic, Buffer.from([0, 7]), Buffer.from(text)]));
  while (received < 8) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  socket.destroy();
}

describe('redelivery by devices', () => {
  it('is recognised for each by itself, whoever else connects in between, also after a crash', async () => {
    const port = await freePort();
    const config = join(directory, 'rivulet.yaml');
    await writeFile(
      config,
      `gateway: plant-7
state: ${join(directory, 'state')}
broker: { listen: ${port} }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value } }
windows:
  - { name: hour, every: 1h, of: [temp], stats: [mean] }
`,
    );
    let agent = startAgentProcess(config);
    closing.push(() => agent.kill());
    await agent.ready();
    const devices = ['a', 'b', 'c'];
    for (const [n, id] of devices.entries()) {
      await sendOnce(port, id, `{"value":${n}}`, false);
    }
    await agent.kill();
    agent = startAgentProcess(config);
    await agent.ready();
    // The same again, since the acknowledgement may have been lost; then something new under the same packet id.
    for (const [n, id] of devices.entries()) {
      await sendOnce(port, id, `{"value":${n}}`, true);
      await sendOnce(port, id, `{"value":${n + 10}}`, true);
    }
    expect((await agent.stop()).ledger).toMatchObject({ received: 9, used: 6, duplicate: 3 });
  }, 30_000);
});
