/** A Sparkplug edge node at a real broker: known by its birth, read by alias, asked for a new birth when messages are missing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { expect, it } from 'vitest';
import { encodeSparkplug } from '../presets/vectors.ts';
import { startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

it.skipIf(mosquittoAbsent !== null)('a_node_whose_messages_are_missing_is_born_again_and_read_on', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-sparkplug-'));
  const broker = await startMosquitto();
  const config = join(directory, 'rivulet.yaml');
  await writeFile(
    config,
    `gateway: plant
state: ${join(directory, 'state')}
mqtt: { url: "${broker.url}" }
sources: [{ preset: sparkplug_b, idle: 500ms }]
windows: [{ name: second, every: 1s, stats: [last], lateness: 0s }]
outputs: [{ windows: second, topic: "out/{key}/{field}" }]
`,
  );
  const node = await connectAsync(broker.url);
  let births = 0;
  let seq = 0;
  /** What the node measures now: births say it too. */
  let value = 20;
  const send = (kind: string, metrics: object[]): Promise<unknown> => {
    const payload = encodeSparkplug({ timestamp: Date.now(), seq: seq++, metrics } as never);
    return node.publishAsync(`spBv1.0/plant/${kind}/press-7`, Buffer.from(payload), { qos: 1 });
  };
  const birth = (): Promise<unknown> => {
    births += 1;
    seq = 0;
    return send('NBIRTH', [{ name: 'Temperature', alias: 5, type: 'Double', value }]);
  };
  const seen = new Map<string, number>();
  node.on('message', (topic) => {
    if (topic.startsWith('spBv1.0/plant/NCMD/')) void birth();
  });
  const watcher = await connectAsync(broker.url);
  watcher.on('message', (topic, payload) => {
    seen.set(topic, JSON.parse(payload.toString()).last);
  });
  await watcher.subscribeAsync('out/#', { qos: 1 });
  await node.subscribeAsync('spBv1.0/plant/NCMD/press-7', { qos: 1 });
  let agent = startAgentProcess(config);
  try {
    await agent.ready();
    await agent.until(() => agent.status()?.connected === true, 'it is connected');
    // Data of a node that this gateway has not seen born.
    await send('NDATA', [{ alias: 5, type: 'Double', value: 7 }]);
    await agent.until(() => births === 1, 'the node was asked for its birth');
    await agent.until(() => seen.get('out/plant_press-7/Temperature') === 20, 'the birth is read');
    // What was announced outlives a crash.
    await agent.kill();
    agent = startAgentProcess(config);
    await agent.ready();
    value = 21.5;
    await send('NDATA', [{ alias: 5, type: 'Double', value }]);
    await agent.until(() => seen.get('out/plant_press-7/Temperature') === 21.5, 'data by alias are read');
    expect(births).toBe(1);
    // One message is lost; what comes then is read all the same.
    seq += 1;
    value = 23;
    await send('NDATA', [{ alias: 5, type: 'Double', value }]);
    await agent.until(() => seen.get('out/plant_press-7/Temperature') === 23, 'data behind a gap are read');
    await agent.until(() => births === 2, 'the node was asked for its birth again');
    await agent.until(() => (agent.status()?.sources[0]?.gaps ?? 0) === 1, 'the gap is counted');
    const status = await agent.stop();
    expect(status.ledger).toMatchObject({ quarantined: 0 });
  } finally {
    await agent.kill();
    await node.endAsync(true);
    await watcher.endAsync(true);
    await broker.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
