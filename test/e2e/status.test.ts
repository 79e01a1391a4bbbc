/** `rivulet status` beside a real gateway: while it runs, when it was killed, when it was stopped, and where there is none. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AgentProcess, runRivulet, startAgentProcess } from '../support/agent.ts';
import { closeAll, closing } from '../support/doors.ts';
import { freePort } from '../support/mosquitto.ts';

const COMMAND = fileURLToPath(new URL('../../edge-agent/bin/rivulet.js', import.meta.url));
const EXIT_OLD = 3;

let directory = '';
let state = '';
let config = '';
let port = 0;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-status-'));
  closing.push(() => rm(directory, { recursive: true, force: true }));
  [config, state, port] = [join(directory, 'rivulet.yaml'), join(directory, 'state'), await freePort()];
  await writeFile(
    config,
    `gateway: plant-7
state: ${state}
broker: { listen: ${port} }
sources:
  - { name: rooms, topic: "b/{room}/{sensor}", key: "{room}", fields: { "{sensor}": value }, seq: n }
  - { name: meters, topic: "m/{meter}", key: "{meter}", fields: { power: "" } }
tasks:
  - { name: ahead, forecast: temp, horizon: 5m }
`,
  );
});
afterEach(closeAll);

async function startGateway(): Promise<AgentProcess> {
  const agent = startAgentProcess(config);
  closing.push(() => agent.kill());
  await agent.ready();
  return agent;
}

async function send(count: number): Promise<void> {
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`);
  for (let n = 0; n < count; n++) {
    await device.publishAsync('b/r1/temp', JSON.stringify({ value: n, n }), { qos: 1 });
  }
  await device.endAsync(true);
}

it('tells how a running gateway is, then when it was killed, runs again, and was stopped', async () => {
  const agent = await startGateway();
  const first = await runRivulet('status', state);
  expect({ code: first.code, err: first.err }).toEqual({ code: 0, err: '' });
  expect(first.out).toMatch(new RegExp(`^plant-7: running \\(process ${agent.pid}\\), up `));
  expect(first.out).toMatch(/ alarms +none\n/);
  expect(first.out).toMatch(
    /rooms: 0 received, 0 used\n +exactly once: the device numbers its messages in `n`[^\n]*\n/,
  );
  expect(first.out).toMatch(/meters: 0 received, 0 used\n +best effort: the configuration names no `seq`/);
  expect(first.out).toMatch(/ tasks +ahead \(forecast\): no label yet, 0 waiting/);
  expect(first.out).toMatch(/ disk +log \d+(\.\d)? \w+, checkpoints .*, free \d+/);

  // The next ones come by themselves.
  const follow = spawn(process.execPath, [COMMAND, 'status', state, '--json', '-f'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  closing.push(async () => follow.kill('SIGKILL'));
  const seen: { event: string; ledger: { used: number } }[] = [];
  let complaints = '';
  createInterface({ input: follow.stdout }).on('line', (line) => seen.push(JSON.parse(line)));
  follow.stderr.on('data', (data) => {
    complaints += String(data);
  });
  await send(20);
  await expect.poll(() => seen.at(-1)?.ledger.used, { timeout: 60_000 }).toBe(20);
  expect(complaints).toBe('');
  expect((await runRivulet('status', state)).out).toMatch(/ messages +20 received, 20 used; \d+(\.\d)?\/s\n/);

  await agent.kill();
  const dead = await runRivulet('status', state, '--json');
  expect(dead.code).toBe(EXIT_OLD);
  expect(dead.err).toMatch(/^RIV_STATUS_OLD: .*: the gateway is not running: it ended without a stop, after \d{4}-/);
  expect(JSON.parse(dead.out)).toMatchObject({ event: 'status', gateway: 'plant-7', ledger: { used: 20 } });
  expect((await runRivulet('status', state)).out).toMatch(/^plant-7: not running; as of \d+ s ago\n/);
  await expect.poll(() => complaints, { timeout: 30_000 }).toMatch(/^RIV_STATUS_OLD: [^\n]*not running/);

  const again = await startGateway();
  expect((await runRivulet('status', state)).out).toContain(`running (process ${again.pid})`);
  const { digest } = await again.stop();
  const stopped = await runRivulet('status', state, '--json');
  expect(stopped.code).toBe(EXIT_OLD);
  expect(stopped.err).toMatch(/^RIV_STATUS_OLD: .*not running: it was stopped at \d{4}-/);
  expect(JSON.parse(stopped.out)).toMatchObject({ event: 'stopped', digest, ledger: { used: 20 } });
  await expect.poll(() => seen.at(-1)?.event, { timeout: 30_000 }).toBe('stopped');
}, 180_000);

it('tells what is wrong soon after it is, and no more when it is over', async () => {
  await writeFile(
    config,
    (await readFile(config, 'utf8')).replace(/^broker: .*$/m, `mqtt: { url: mqtt://127.0.0.1:${port} }`),
  );
  await startGateway();
  const alarms = async () => / alarms +(.*)/.exec((await runRivulet('status', state)).out)?.[1];
  await expect.poll(alarms, { timeout: 60_000, interval: 500 }).toMatch(/^RIV_MQTT_UNREACHABLE: /);
  const other = join(directory, 'other.yaml');
  await writeFile(
    other,
    `gateway: other\nstate: ${join(directory, 'other')}\nbroker: { listen: ${port} }\nsources: [{ topic: "x/{y}", key: "{y}" , fields: { v: "" } }]\n`,
  );
  const broker = startAgentProcess(other);
  closing.push(() => broker.kill());
  await expect.poll(alarms, { timeout: 90_000, interval: 500 }).toBe('none');
}, 180_000);

it('refuses with a code what is no state directory, has no status, or one that it cannot read', async () => {
  const refusal = async (path: string) => {
    const { code, out, err } = await runRivulet('status', path);
    return { code, out, err: err.trimEnd() };
  };
  const expectRefusal = async (path: string, wanted: RegExp) =>
    expect(await refusal(path)).toEqual({ code: 1, out: '', err: expect.stringMatching(wanted) });
  await expectRefusal(join(directory, 'nowhere'), /^RIV_FILE_UNREADABLE: .*nowhere: no state directory \(ENOENT\)/);
  await expectRefusal(config, /^RIV_FILE_UNREADABLE: .*\(ENOTDIR\)/);
  await expectRefusal(directory, /^RIV_FOREIGN: .*: not the state directory of a gateway/);
  await mkdir(join(state, 'log'), { recursive: true });
  await expectRefusal(state, /^RIV_STATUS_NONE: .*: no status yet/);
  await expectRefusal(join(state, 'log'), /^RIV_STATUS_NONE: .*: no gateway ever ran here/);
  for (const [text, wanted] of [
    ['', /^RIV_CORRUPT: .*status\.json: not JSON/],
    ['{"version":1,"status":{"at":1', /^RIV_CORRUPT: .*not JSON/],
    ['null', /^RIV_CORRUPT: .*no status of a gateway/],
    ['{"version":1,"status":{"at":1}}', /^RIV_CORRUPT: .*no status of a gateway/],
    ['{"version":2,"status":{}}', /^RIV_TOO_NEW: .*version 2; expected at most 1/],
  ] as const) {
    await writeFile(join(state, 'status.json'), text);
    await expectRefusal(state, wanted);
  }
  expect((await runRivulet('status')).code).toBe(2);
  expect((await runRivulet('status', state, state)).code).toBe(2);
}, 60_000);
