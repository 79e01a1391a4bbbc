/** Any past moment of a real gateway's log, rebuilt: up to a message, from a message, under another configuration. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';

const MESSAGES = 300;

let directory = '';
let state = '';
let digest = '';
const configText = (horizon: string): string => `gateway: plant-7
state: ${join(directory, 'state')}
broker: { listen: 0 }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, time: ts }
windows:
  - { name: minute, every: 1m, of: [temp], stats: [mean], lateness: 5s }
tasks:
  - { name: soon, forecast: temp, horizon: ${horizon} }
`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-replay-'));
  state = join(directory, 'state');
  const config = join(directory, 'rivulet.yaml');
  await writeFile(config, configText('10s'));
  await writeFile(join(directory, 'other.yaml'), configText('40s'));
  const agent = startAgentProcess(config);
  const { brokerPort } = await agent.ready();
  const device = await connectAsync(`mqtt://127.0.0.1:${brokerPort}`, { protocolVersion: 4 });
  const start = Date.now() - 3_600_000;
  for (let n = 0; n < MESSAGES; n += 10) {
    const sending = Array.from({ length: 10 }, (_, k) => {
      const value = 20 + 5 * Math.sin((n + k) / 40) + (n % 7) * 0.01;
      return device.publishAsync('b/r1/temp', JSON.stringify({ value, ts: start + (n + k) * 1000 }), { qos: 1 });
    });
    await Promise.all(sending);
  }
  await device.endAsync(true);
  ({ digest } = await agent.stop());
}, 30_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

async function replayed(...options: string[]) {
  const { code, out, err } = await runRivulet('replay', state, '--json', ...options);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

async function outputs(...options: string[]): Promise<Record<string, unknown>[]> {
  const file = join(directory, 'outputs.ndjson');
  await replayed('--outputs', file, ...options);
  const text = await readFile(file, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('replay', () => {
  it('gives the digest of the running agent, and says how fast it was', async () => {
    expect(await replayed()).toMatchObject({ digest, messages: MESSAGES, replayed: MESSAGES });
    expect((await runRivulet('replay', state, '--digest')).out).toBe(`${digest}\n`);
    expect((await runRivulet('replay', state)).out).toMatch(
      /^300 messages, digest [0-9a-f]{64}\n300 messages .* messages\/s$/m,
    );
  });

  it('stops before any message, in the middle of a block too, and two ways there give one state', async () => {
    const digests = new Set<string>();
    for (const until of [100, 101, 105, 250]) {
      const once = await replayed('--until', String(until));
      expect(once).toMatchObject({ messages: until, offset: until });
      expect((await replayed('--until', String(until), '--from', '50')).digest).toBe(once.digest);
      digests.add(once.digest);
    }
    expect(digests.size).toBe(4);
    expect(await replayed('--until', String(MESSAGES))).toMatchObject({ digest });
    expect(await replayed('--until', '2020-01-01T00:00:00Z')).toMatchObject({ messages: 0 });
    expect(await replayed('--until', '2120-01-01T00:00:00Z')).toMatchObject({ digest });
  });

  it('begins at the newest checkpoint before the moment when there is one', async () => {
    expect(await replayed('--from', String(MESSAGES))).toMatchObject({ digest, messages: MESSAGES, replayed: 0 });
  });

  it('writes the outputs of a stretch as the whole replay has them', async () => {
    const all = await outputs();
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['prediction', 'window']));
    expect(all.find(({ kind }) => kind === 'prediction')).toMatchObject({ task: 'soon', key: 'r1' });
    expect(all.find(({ kind }) => kind === 'window')).toMatchObject({ window: 'minute', field: 'temp' });
    const stretch = await outputs('--from', '203', '--until', '251');
    expect(stretch.length).toBeGreaterThan(20);
    const within = ({ offset }: Record<string, unknown>): boolean => Number(offset) >= 203 && Number(offset) < 251;
    expect(stretch).toEqual(all.filter(within));
  });

  it('tells what would have happened under another configuration beside what did', async () => {
    const other = join(directory, 'other.yaml');
    const both = await replayed('--config', other);
    expect(both).toMatchObject({ digest, ledger: { used: MESSAGES }, other: { ledger: { used: MESSAGES } } });
    expect(both.other.digest).not.toBe(digest);
    expect(both.tasks[0].matured).toBeGreaterThan(both.other.tasks[0].matured);
    expect(both.other.tasks[0]).toMatchObject({
      name: 'soon',
      error: expect.any(Number),
      baseline: expect.any(Number),
    });
    // The same configuration would have done the same.
    expect((await replayed('--config', join(directory, 'rivulet.yaml'))).other).toMatchObject({ tasks: both.tasks });
    const { out } = await runRivulet('replay', state, '--config', other);
    expect(out).toMatch(/^soon: error +[\d.]+ +[\d.]+$/m);
  });

  it('refuses what is no moment', async () => {
    expect(await runRivulet('replay', state, '--from', 'yesterday')).toMatchObject({ code: 2 });
    expect(await runRivulet('replay', state, '--from', '20', '--until', '10')).toMatchObject({ code: 2 });
  });
});
