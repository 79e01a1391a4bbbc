/**
 * Makes the fixtures of a version: what a gateway and a coordinator leave on disk and on the wire, small.
 * `node test/compat/make.ts test/compat/VERSION`, once per format change (CONTRIBUTING.md); older folders stay as they are.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_KIND, encodeEnvelope, encodeRelease, openLog, sha256 } from '@rivulet/host';
import { connectAsync } from 'mqtt';
import { startAgentProcess } from '../support/agent.ts';

/** Messages in the state of the fixture. */
const MESSAGES = 120;
const START_MS = 1_790_000_000_000;

const target = process.argv[2] as string;
const work = mkdtempSync(join(tmpdir(), 'rivulet-compat-'));
const config = `gateway: plant-7
about: "a fixture"
broker: { listen: 0 }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts, seq: n }
windows:
  - { name: minute, every: 1m, of: [temp], stats: [mean, count], lateness: 5s }
tasks:
  - { name: soon, forecast: temp, horizon: 10s }
`;
writeFileSync(join(target, 'rivulet.yaml'), config);
const agent = startAgentProcess(join(target, 'rivulet.yaml'), { more: ['--state', join(work, 'state')] });
const { brokerPort } = await agent.ready();
const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { protocolVersion: 4 });
for (let n = 1; n <= MESSAGES; n++) {
  const value = 20 + (n % 7);
  await device.publishAsync('b/r1/temp', JSON.stringify({ value, ts: START_MS + n * 1000, n }), { qos: 1 });
}
await device.endAsync(true);
await agent.stop();
for (const part of ['log', 'checkpoint']) {
  cpSync(join(work, 'state', part), join(target, 'state', part), { recursive: true });
}

// A log with compressed segments.
const packed = join(work, 'packed');
const log = await openLog({ directory: packed, segmentBytes: 1000 });
for (let n = 0; n < 30; n++) {
  const payload = Buffer.from(`block ${n} `.repeat(10));
  const block = { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count: 1, payload };
  await log.append([{ ...block, wallMs: START_MS + n * 1000, monoUs: n, boot: 1 }]).durable;
}
await log.compress();
await log.close();
cpSync(packed, join(target, 'packed'), { recursive: true });

const hash = Buffer.alloc(32, 7);
const schema = Buffer.from('{"task":"soon","kind":"forecast","target":"temp","horizon_ms":10000,"features":["temp"]}');
const content = { gateway: 'plant-7', incarnation: Buffer.alloc(16, 1), seq: 5, wallMs: START_MS, task: 'soon' };
writeFileSync(
  join(target, 'envelope.rvdl'),
  encodeEnvelope({ ...content, baseRelease: hash, kernelHash: hash, schema, payload: Buffer.from('statistics') }, () =>
    Buffer.alloc(64, 9),
  ),
);
const lineage = { schemaHash: sha256(schema), parent: hash, line: hash, kernelHash: hash };
writeFileSync(
  join(target, 'release.rvrl'),
  encodeRelease({ task: 'soon', ...lineage, gateways: 3, rows: 1000, schema, model: Buffer.from('model') }),
);
rmSync(work, { recursive: true, force: true });
console.log(`${target}: ${readdirSync(target).join(' ')}`);
process.exit(0);
