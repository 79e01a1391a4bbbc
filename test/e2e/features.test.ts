/**
 * Features through a real gateway: what was served is rebuilt from the log, equal to a slow reference that keeps all
 * readings, and proved equal to what was served. Readings of different fields come out of order, one sensor starts late,
 * the gateway is killed in the middle.
 */
import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSlots, readSlots } from '@rivulet/host';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { numbersFrom, rounded } from '../golden/numbers.ts';
import { runRivulet, startAgentProcess } from '../support/agent.ts';
import { mosquittoAbsent, startMosquitto } from '../support/mosquitto.ts';

let directory = '';
const closing: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-features-'));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
  await rm(directory, { recursive: true, force: true });
});

const START_MS = 1_760_000_000_000;
const ROOMS = ['r1', 'r2', 'r3'];
const FEATURES = [
  'temperature',
  'temperature.lag1',
  'temperature.lag3',
  'temperature.diff1',
  'temperature.delta',
  'temperature.rate',
  'humidity',
  'humidity.age',
  'humidity.missing',
  'temperature.neighbours',
  'temperature@outside',
  'dew',
  'lookup.rooms.area',
  'lookup.rooms.floor',
  'minute.temperature.max',
  'time.hour',
  'time.weekend',
];

interface Message {
  room: string;
  field: string;
  ts: number;
  value: number;
  n: number;
}

/** Temperature each second, humidity every three, which comes before a temperature of earlier; r3 has none at first. */
function messages(): Message[] {
  const numbers = numbersFrom(7);
  const all: Message[] = [];
  const counts = new Map<string, number>();
  const add = (room: string, field: string, ts: number, value: number): void => {
    const n = (counts.get(`${room}/${field}`) ?? 0) + 1;
    counts.set(`${room}/${field}`, n);
    all.push({ room, field, ts: START_MS + ts * 1000, value: rounded(value), n });
  };
  for (let second = 0; second < 200; second++) {
    for (const room of [...ROOMS, 'outside']) {
      const value = 20 + 5 * Math.sin(second / 40) + numbers.next();
      if (second % 3 === 0 && room !== 'outside' && (room !== 'r3' || second > 100)) {
        add(room, 'humidity', second + 0.5, 50 + 10 * numbers.next());
      }
      if (room !== 'outside' || second % 20 === 5) {
        add(room, 'temperature', second, value);
      }
    }
  }
  return all;
}

/** What each prediction of the rooms should have seen: by going through all readings that had come. */
function reference(all: readonly Message[]): { key: string; at: number; features: number[]; label: number | null }[] {
  const rows: { key: string; at: number; features: number[]; label: number | null }[] = [];
  const come: Message[] = [];
  for (const message of all) {
    come.push(message);
    const { room, field, ts } = message;
    if (field !== 'temperature') {
      continue;
    }
    const of = (key: string, name: string): Message[] =>
      come.filter((other) => other.room === key && other.field === name && other.ts <= ts).sort((a, b) => a.ts - b.ts);
    const latest = (key: string, name: string): number => of(key, name).at(-1)?.value ?? Number.NaN;
    const mine = of(room, 'temperature');
    const [before, now] = [mine.at(-2), mine.at(-1) as Message];
    // Every temperature is predicted from, so a lag counts temperatures.
    const lag = (back: number): number => mine.at(-1 - back)?.value ?? Number.NaN;
    const humidity = of(room, 'humidity').at(-1);
    const source = ROOMS.includes(room) ? ROOMS : [];
    const neighbours = source.filter((other) => other !== room).map((other) => latest(other, 'temperature'));
    const known = neighbours.filter((value) => !Number.isNaN(value));
    const complete = Math.max(...come.filter((other) => other.room === room).map((other) => other.ts));
    const windows = mine.map((reading) => Math.floor(reading.ts / 60_000) * 60_000);
    const closed = Math.max(...windows.filter((start) => start + 60_000 + 5000 <= complete));
    const inClosed = mine.filter((reading) => Math.floor(reading.ts / 60_000) * 60_000 === closed);
    const day = new Date(ts);
    const midnight = Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate());
    rows.push({
      key: room,
      at: ts,
      label: labelOf(all, message),
      features: [
        now.value,
        lag(1),
        lag(3),
        now.value - lag(1),
        now.value - (before?.value ?? Number.NaN),
        before === undefined ? Number.NaN : (now.value - before.value) / ((now.ts - before.ts) / 3_600_000),
        humidity?.value ?? Number.NaN,
        humidity === undefined ? Number.NaN : (ts - humidity.ts) / 1000,
        humidity === undefined ? 1 : 0,
        known.length === 0 ? Number.NaN : known.reduce((sum, value) => sum + value, 0) / known.length,
        latest('outside', 'temperature'),
        humidity === undefined ? Number.NaN : now.value - (100 - humidity.value) / 5,
        { r1: 20.5, r2: 12 }[room] ?? Number.NaN,
        { r1: 1, r3: 2 }[room] ?? Number.NaN,
        inClosed.length === 0 ? Number.NaN : Math.max(...inClosed.map(({ value }) => value)),
        (ts - midnight) / 3_600_000,
        [0, 6].includes(day.getUTCDay()) ? 1 : 0,
      ],
    });
  }
  return rows;
}

/** The first temperature at or after the horizon, if it is not later than a quarter of that. */
function labelOf(all: readonly Message[], { room, field, ts }: Message): number | null {
  const next = all.find((other) => other.room === room && other.field === field && other.ts >= ts + 10_000);
  return next === undefined || next.ts > ts + 12_500 ? null : next.value;
}

async function configure(port: number): Promise<string> {
  await writeFile(join(directory, 'rooms.yaml'), 'r1: { area: 20.5, floor: 1 }\nr2: { area: 12 }\nr3: { floor: 2 }\n');
  const path = join(directory, 'rivulet.yaml');
  const source = (name: string, topic: string): string =>
    `  - { name: ${name}, topic: "${topic}", key: "{room}", fields: { "{field}": v }, time: ts, seq: n, lateness: 5s,
      derived: { dew: "temperature - (100 - humidity) / 5" } }`;
  await writeFile(
    path,
    `gateway: g
state: ${join(directory, 'state')}
broker: { listen: ${port} }
checkpoint: { every: 300ms }
sources:
${source('rooms', 'b/{room}/{field}')}
${source('weather', 'w/{room}/{field}')}
lookups:
  - { name: rooms, file: rooms.yaml }
windows:
  - { name: minute, every: 1m, of: [temperature], stats: [mean, max], lateness: 5s }
features:
  - name: air
    owner: facilities
    description: What the air of a room says
    features: [${FEATURES.slice(1)
      .map((name) => (name === 'dew' ? `{ feature: dew, unit: "°C", description: "dew point, roughly" }` : `"${name}"`))
      .join(', ')}]
tasks:
  - { name: soon, forecast: temperature, horizon: 10s, every: 0, features: [temperature, air] }
`,
  );
  return path;
}

function csv(text: string): string[][] {
  return text
    .trimEnd()
    .split('\r\n')
    .map((line) => line.split(','));
}

const value = (cell: string | undefined): number => (cell === '' || cell === undefined ? Number.NaN : Number(cell));

describe('features', () => {
  it('as they were served are rebuilt from the log, equal to a reference, and proved bit for bit', async () => {
    const config = await configure(0);
    const state = join(directory, 'state');
    const all = messages();
    const publish = async (port: number, part: readonly Message[]): Promise<void> => {
      const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 4 });
      for (const { room, field, ts, value: v, n } of part) {
        const topic = `${room === 'outside' ? 'w' : 'b'}/${room}/${field}`;
        await client.publishAsync(topic, JSON.stringify({ v, ts, n }), { qos: 1 });
      }
      await client.endAsync();
    };
    const first = startAgentProcess(config);
    closing.push(() => first.kill());
    await publish((await first.ready()).brokerPort, all.slice(0, 500));
    await first.kill();
    const second = startAgentProcess(config);
    closing.push(() => second.kill());
    await publish((await second.ready()).brokerPort, all.slice(500));
    const stopped = await second.stop();
    expect(stopped.tasks[0]?.features).toEqual(FEATURES);

    const { code, out, err } = await runRivulet('features', 'export', state);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [header, ...rows] = csv(out);
    expect(header).toEqual(['prediction', 'key', 'at', ...FEATURES, 'label', 'outcome']);
    const expected = reference(all);
    expect(rows.length).toBe(expected.length);
    for (const [index, row] of rows.entries()) {
      const wanted = expected[index];
      expect([row[1], Number(row[2])]).toEqual([wanted?.key, wanted?.at]);
      expect(row.slice(3, -2).map(value), `row ${index}`).toEqual(wanted?.features);
      const matured = wanted?.label !== null && row.at(-1) === 'matured';
      expect(matured ? value(row.at(-2)) : null, `label of row ${index}`).toBe(wanted?.label);
    }

    const parquet = join(directory, 'served.parquet');
    const written = await runRivulet(
      'features',
      'export',
      state,
      '--format',
      'parquet',
      '--out',
      parquet,
      '--key',
      'r1',
    );
    expect(written).toMatchObject({ code: 0, err: '' });
    const objects = await parquetReadObjects({ file: await asyncBufferFromFile(parquet) });
    const ofRoom = rows.filter((row) => row[1] === 'r1');
    expect(objects.map((row) => [row.prediction, ...FEATURES.map((name) => row[name] ?? Number.NaN)])).toEqual(
      ofRoom.map((row) => [row[0], ...row.slice(3, -2).map(value)]),
    );

    const part = await runRivulet('features', 'export', state, '--from', '300', '--to', '400');
    expect(csv(part.out).slice(1)).toEqual(rows.filter((row) => inRange(row[0] as string, 300, 400)));

    const none = await runRivulet('features', 'export', state, '--key', 'nobody');
    expect(csv(none.out)).toEqual([header]);

    for (const options of [['--keys', 'all'], ['--keys', '2', '--core', 'scalar'], ['--recent']]) {
      const proof = await runRivulet('features', 'verify', state, '--json', ...options);
      expect(proof, proof.err).toMatchObject({ code: 0 });
      expect(JSON.parse(proof.out)).toMatchObject({ different: [], toOffset: all.length });
    }
    const proof = JSON.parse((await runRivulet('features', 'verify', state, '--json', '--keys', 'all')).out);
    expect(proof).toMatchObject({ fromOffset: 0, keys: 4, vectors: rows.length });

    // A checkpoint that says other vectors were served: one byte of the hash of one key.
    const [slot] = await readSlots(join(state, 'checkpoint'));
    const served = Buffer.from(slot?.state ?? []);
    const at = served.indexOf(hashOf(rows.filter((row) => row[1] === 'r2')));
    expect(at).toBeGreaterThan(0);
    served.writeUInt8((served.readUInt8(at) + 1) % 256, at);
    const slots = await openSlots(join(state, 'checkpoint'));
    const known = slot as NonNullable<typeof slot>;
    await slots.save({ ...known, wallMs: known.wallMs + 1, state: served });
    const caught = await runRivulet('features', 'verify', state, '--json', '--keys', 'all');
    expect(caught.code).toBe(1);
    expect(JSON.parse(caught.out).different).toEqual([
      { task: 'soon', key: 'r2', served: expect.any(Number), rebuilt: expect.any(Number) },
    ]);
  }, 90_000);

  it('are proved by the gateway itself, again and again, when that is switched on', async () => {
    const config = await configure(0);
    await appendFile(config, 'verify: { every: 1s, keys: 2 }\n');
    const agent = startAgentProcess(config);
    closing.push(() => agent.kill());
    const client = await connectAsync(`mqtt://127.0.0.1:${(await agent.ready()).brokerPort}`, { protocolVersion: 4 });
    closing.push(() => client.endAsync(true));
    const verified = () => agent.status()?.features_verified;
    for (let n = 1; (verified()?.rounds ?? 0) < 2 || verified()?.vectors === 0; n++) {
      const payload = JSON.stringify({ v: 20 + (n % 9), ts: START_MS + n * 1000, n });
      await client.publishAsync('b/r1/temperature', payload, { qos: 1 });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const stopped = await agent.stop();
    expect(stopped.features_verified).toMatchObject({ different: 0 });
    expect(stopped.last_error).toBeUndefined();
  }, 180_000);

  it.skipIf(mosquittoAbsent !== null)(
    `are looked up in what a retained topic says of the key ${mosquittoAbsent ?? ''}`,
    async () => {
      const mosquitto = await startMosquitto();
      closing.push(() => mosquitto.stop());
      const config = join(directory, 'retained.yaml');
      const state = join(directory, 'state');
      await writeFile(
        config,
        `state: ${state}
mqtt: { url: "${mosquitto.url}" }
sources:
  - { name: rooms, topic: "b/{room}", key: "{room}", fields: { temperature: v }, time: ts }
  - { name: about, topic: "about/{room}", key: "{room}", fields: { area: area } }
tasks:
  - { name: soon, forecast: temperature, horizon: 10s, every: 0, features: [temperature, area] }
`,
      );
      const client = await connectAsync(mosquitto.url, { protocolVersion: 4 });
      closing.push(() => client.endAsync(true));
      await client.publishAsync('about/r1', '{"area":20}', { qos: 1, retain: true });
      const agent = startAgentProcess(config);
      closing.push(() => agent.kill());
      const ledger = () => agent.status()?.ledger;
      await agent.until(() => ledger()?.retained === 1, 'what was retained');
      const publish = (n: number) =>
        client.publishAsync('b/r1', JSON.stringify({ v: n, ts: Date.now() - 60_000 + n * 1000 }), { qos: 1 });
      await publish(1);
      await agent.until(() => ledger()?.used === 1, 'the first reading');
      await client.publishAsync('about/r1', '{"area":30}', { qos: 1, retain: true });
      await agent.until(() => ledger()?.used === 2, 'the change');
      await publish(61);
      await agent.until(() => ledger()?.used === 3, 'the second reading');
      await agent.stop();
      const { out } = await runRivulet('features', 'export', state);
      expect(csv(out).map((row) => row.slice(3, 5))).toEqual([
        ['temperature', 'area'],
        ['1', '20'],
        ['61', '30'],
      ]);
    },
    30_000,
  );

  it('are listed, shown and drawn with owner, units and lineage', async () => {
    const config = await configure(0);
    const list = await runRivulet('features', 'ls', '--config', config);
    expect(list.out).toMatch(
      /^air {2}[0-9a-f]{12} · 16 features · owner facilities · What the air of a room says · used by soon$/m,
    );
    const shown = await runRivulet('features', 'show', 'air', '--config', config);
    expect(shown.out).toMatch(/dew +latest dew · °C · dew point, roughly/);
    expect(shown.out).toMatch(/minute\.temperature\.max +max of temperature in the minute closed last/);
    const text = await runRivulet('features', 'graph', '--config', config);
    expect(text.out).toMatch(
      /task soon\n {2}feature temperature\n {4}field temperature\n {6}source rooms\n {6}source weather/,
    );
    const dot = await runRivulet('features', 'graph', '--config', config, '--format', 'dot');
    expect(dot.out).toContain('"window minute" -> "feature minute.temperature.max";');
    const mermaid = await runRivulet('features', 'graph', '--config', config, '--format', 'mermaid');
    expect(mermaid.out).toMatch(/^flowchart LR\n/);
    expect(await runRivulet('features', 'show', 'nothing', '--config', config)).toMatchObject({ code: 2 });
  }, 30_000);
});

function inRange(prediction: string, from: number, to: number): boolean {
  const offset = Number(prediction.split('-')[0]);
  return offset >= from && offset < to;
}

/** The hash that names the vectors of these rows (FORMATS.md section 4), made of the exported text. */
function hashOf(rows: readonly string[][]): Buffer {
  let hash = Buffer.alloc(16);
  for (const [prediction, , at, ...cells] of rows) {
    const offset = Buffer.alloc(8);
    offset.writeBigUInt64LE(BigInt(prediction?.split('-')[0] ?? 0));
    const numbers = [at, ...cells.slice(0, -2)].map((cell) => {
      const bytes = Buffer.alloc(8);
      if (cell === '') bytes.writeBigUInt64LE(0x7ff8_0000_0000_0000n);
      else bytes.writeDoubleLE(Number(cell));
      return bytes;
    });
    hash = createHash('sha256')
      .update(Buffer.concat([hash, offset, ...numbers]))
      .digest()
      .subarray(0, 16);
  }
  return hash;
}
