/** `rivulet log tail` beside a running gateway: what is in its log, and each message as it comes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import { afterEach, expect, it } from 'vitest';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { closeAll, closing } from '../support/doors.ts';
import { freePort } from '../support/mosquitto.ts';

const COMMAND = fileURLToPath(new URL('../../edge-agent/bin/rivulet.js', import.meta.url));

afterEach(closeAll);

it('prints the messages of a log: the last ones, a stretch, of a source or a topic, and as they come', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'rivulet-tail-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  const [config, state, port] = [join(directory, 'rivulet.yaml'), join(directory, 'state'), await freePort()];
  await writeFile(
    config,
    `gateway: plant-7
state: ${state}
broker: { listen: ${port} }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value } }
  - { name: meters, topic: "m/{meter}", key: "{meter}", fields: { power: "" } }
`,
  );
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  await agent.ready();
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`);
  closing.push(() => device.endAsync(true));
  for (let n = 0; n < 20; n++) {
    await device.publishAsync(`b/r${n % 2}/temp`, JSON.stringify({ value: n }), { qos: 1 });
    await device.publishAsync('m/7', Buffer.from([0xff, n]), { qos: 1 });
  }

  const lines = async (...options: string[]): Promise<Record<string, unknown>[]> => {
    const { code, out, err } = await runRivulet('log', 'tail', state, ...options);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return out
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  };
  const last = await lines('--last', '2');
  expect(last).toMatchObject([
    { offset: 38, source: 'rooms', topic: 'b/r1/temp', qos: 1, payload: '{"value":19}' },
    { offset: 39, source: 'meters', topic: 'm/7', qos: 1, payload_base64: Buffer.from([0xff, 19]).toString('base64') },
  ]);
  expect(Math.abs(Date.parse(String(last[0]?.time)) - Date.now())).toBeLessThan(60_000);
  const offsets = async (...options: string[]) => (await lines(...options)).map(({ offset }) => offset);
  expect(await lines()).toHaveLength(10);
  expect(await offsets('--from', '5', '--until', '8')).toEqual([5, 6, 7]);
  expect(await offsets('--from', '0', '--source', 'meters', '--until', '6')).toEqual([1, 3, 5]);
  expect(await offsets('--from', '0', '--topic', 'b/r1/#', '--until', '8')).toEqual([2, 6]);
  expect(await offsets('--from', '2020-01-01T00:00:00Z', '--until', '2')).toEqual([0, 1]);
  expect(await lines('--from', '2100-01-01T00:00:00Z')).toEqual([]);

  const tail = spawn(process.execPath, [COMMAND, 'log', 'tail', state, '-f', '--last', '2', '--topic', 'b/+/temp'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closing.push(async () => tail.kill('SIGKILL'));
  const seen: string[] = [];
  createInterface({ input: tail.stdout }).on('line', (line) => seen.push(JSON.parse(line).payload));
  await expect.poll(() => seen.at(-1), { timeout: 40_000 }).toBe('{"value":19}');
  for (let n = 20; n < 25; n++) {
    await device.publishAsync('b/r0/temp', JSON.stringify({ value: n }), { qos: 1 });
    await device.publishAsync('m/7', '1', { qos: 1 });
    await expect.poll(() => seen.at(-1), { timeout: 40_000 }).toBe(`{"value":${n}}`);
  }
  // A gateway that stops and comes back is followed on.
  await agent.stop();
  const again = startAgentProcess(config);
  closing.push(() => again.kill());
  await again.ready();
  const other = await connectAsync(`mqtt://127.0.0.1:${port}`);
  closing.push(() => other.endAsync(true));
  await other.publishAsync('b/r0/temp', '{"value":25}', { qos: 1 });
  await expect.poll(() => seen.at(-1), { timeout: 40_000 }).toBe('{"value":25}');
  tail.kill('SIGTERM');
  const [code] = await once(tail, 'close');
  expect(code).toBe(0);
  expect(seen.filter((payload) => payload === '{"value":25}')).toHaveLength(1);
}, 90_000);

it.each([
  [['log', 'tail'], 2, /expected tail STATE_DIR|tail STATE_DIR/],
  [['log', 'tail', '/nowhere'], 1, /^RIV_FILE_UNREADABLE/],
  [['log', 'tail', '/tmp', '--from', '1', '--last', '2'], 2, /--from and --last/],
  [['log', 'tail', '/tmp', '--last', 'x'], 2, /a number of messages/],
])(
  'refuses %s',
  async (argv, code, message) => {
    const refused = await runRivulet(...argv);
    expect(refused.code).toBe(code);
    expect(refused.err).toMatch(message);
  },
  30_000,
);
