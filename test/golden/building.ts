/**
 * A golden script of a gateway's fold: four rooms over some hours, with what a real door brings: messages out of order,
 * late, repeated by the device and by the broker, retained, unreadable and of no source; labels, ticks, a lost
 * connection, a release, and in the middle a checkpoint from which another instance goes on. A weather mast sends lists of
 * readings: contracts, a condition, derived fields, joins with it and with a table, and what is forwarded.
 */
import { createHash } from 'node:crypto';
import {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type BlockKind,
  encodeBlockHeader,
  encodePlanPayload,
  encodeSession,
} from '../../host/src/block.ts';
import { writeBytes } from '../../host/src/bytes.ts';
import { encodeRelease } from '../../host/src/release.ts';
import { type Numbers, numbersFrom, rounded } from './numbers.ts';
import type { Step } from './script.ts';

const START_MS = 1_760_000_000_000;
const STEP_MS = 30_000;
const STEPS = 220;
const ROOMS = ['a1', 'a2', 'büro', 'lab'];
const FEATURES = ['co2', 'temperature', 'co2.delta', 'room_5m.temperature.mean', 'time.day_sin'];

const PLAN = {
  plan: 1,
  gateway: 'golden',
  limits: { keys: 64, fields: 32, pending_per_key: 64, payload_bytes: 65_536, classes: 16 },
  sources: [
    {
      name: 'rooms',
      topic: 'building/{room}/{sensor}',
      door: null,
      format: 'auto',
      key: '{room}',
      fields: [{ name: '{sensor}', path: 'value' }],
      time: 'ts',
      seq: 'seq',
      lateness_ms: 60_000,
      clock_skew_max_ms: 3_600_000,
      idle_ms: 120_000,
    },
    {
      name: 'meter',
      topic: 'meter/power',
      door: 1,
      format: 'number',
      key: 'building',
      fields: [{ name: 'power', path: '' }],
      time: null,
      seq: null,
      lateness_ms: 0,
      clock_skew_max_ms: 0,
      idle_ms: 120_000,
    },
    {
      name: 'mast',
      topic: 'mast/{mast}',
      door: 1,
      format: 'json',
      captures: [{ name: 'arm', path: '[*].arm', absent: 'top' }],
      key: '{mast}/{arm}',
      fields: [
        { name: 'x', path: '[*].x', sense: contract([-40, 40], { rate_max: [1, 1000], on_violation: 'flag' }) },
        { name: 'y', path: '[*].y', sense: contract([-40, 40], { stuck_readings: 3, on_violation: 'drop' }) },
        { name: 'rain', path: '[*].rain', sense: contract([0, 100], { stuck_ms: 3_600_000 }) },
      ],
      where: 'x_quality < 3 && rain >= 0',
      derived: [
        { name: 'wind', expression: 'sqrt(x^2 + y^2)' },
        { name: 'wet', expression: 'if(rain > 0.5, wind, 0)' },
      ],
      time: '[*].t',
      seq: null,
      lateness_ms: 30_000,
      clock_skew_max_ms: 0,
      idle_ms: 120_000,
    },
  ],
  lookups: [
    {
      name: 'rooms',
      columns: ['area', 'floor'],
      rows: [
        ['a1', 20.5, 1],
        ['büro', 31, null],
      ],
    },
  ],
  windows: [
    {
      name: 'room_5m',
      every_ms: 300_000,
      of: [],
      stats: ['count', 'sum', 'mean', 'min', 'max', 'std', 'last'],
      lateness_ms: 60_000,
    },
  ],
  tasks: [
    task('co2_in_5m', 'forecast', 'co2', { features: FEATURES, horizon_ms: 300_000 }),
    task('temperature_in_10m', 'forecast', 'temperature', { horizon_ms: 600_000 }),
    task('occupied', 'classification', null, {
      features: ['co2', 'temperature', 'co2.delta'],
      label: { topic: 'labels/{room}/occupied', key: '{room}', path: 'value', time: 'ts' },
    }),
    task('odd_power', 'anomaly', 'power', { threshold: 4 }),
    task('temperature_in_wind', 'forecast', 'temperature', {
      features: ['temperature', 'wind@m1/top', 'x_quality@m1/top', 'lookup.rooms.area', 'co2.neighbours'],
      horizon_ms: 300_000,
    }),
  ],
  forward: [
    rule({ of: ['wind', 'wet'], where: 'wind > 2', deadband: 0.5, at_least_ms: 600_000 }),
    rule({ of: ['co2'], every_ms: 120_000 }),
    rule({ of: ['x', 'y'], deadband: 0.2, relative: true, one_in: 2 }),
  ],
};

function contract(range: number[], more: object) {
  return { words: [], linear: [], range, ...more };
}

function rule(more: object) {
  const defaults = { of: [], where: null, every_ms: 0, deadband: 0, relative: false, at_least_ms: 0, one_in: 1 };
  return { ...defaults, ...more };
}

function task(name: string, kind: string, target: string | null, more: object) {
  const defaults = { horizon_ms: 0, label: null, features: [], every_ms: 60_000, wait_ms: 3_600_000 };
  return { name, kind, target, ...defaults, tolerance_ms: 60_000, threshold: 0, ...more };
}

/** The script. */
export function buildingScript(seed: number): Step[] {
  const feed = new Feed(seed);
  const plan = Buffer.from(JSON.stringify(PLAN));
  const none = Buffer.alloc(0);
  const steps: Step[] = [{ call: 'open', input: plan }];
  feed.block(BLOCK_KIND.plan, 0, encodePlanPayload(Buffer.alloc(32, 7), plan));
  feed.session('connected', false);
  for (let step = 0; step < STEPS; step++) {
    feed.step(step);
    if (step % 25 === 24) steps.push({ call: 'ingest', input: feed.taken() });
    if (step === 80) feed.reconnect();
    if (step === 110) {
      steps.push(
        { call: 'ingest', input: feed.taken() },
        { call: 'checkpoint', input: none },
        { call: 'resume', input: none },
      );
    }
    if (step === 130) feed.block(BLOCK_KIND.release, 0, release());
  }
  feed.pause(900_000);
  for (const call of ['ingest', 'report', 'delta', 'checkpoint'] as const) {
    steps.push({ call, input: call === 'ingest' ? feed.taken() : none });
  }
  return steps;
}

function release(): Buffer {
  const schema = Buffer.from(
    JSON.stringify({ task: 'co2_in_5m', kind: 'forecast', target: 'co2', horizon_ms: 300_000, features: FEATURES }),
  );
  const coefficients = [-0.05, 0.5, 0.8, -0.5, 3].map((value) => ({ f64: value }));
  const model = [{ ascii: 'RVRM' }, { u16: 1 }, { u8: 1 }, { u8: 0 }, { u32: FEATURES.length }, { f64: 1e4 }];
  return encodeRelease({
    task: 'co2_in_5m',
    schemaHash: createHash('sha256').update(schema).digest(),
    parent: Buffer.alloc(32),
    line: Buffer.alloc(32),
    kernelHash: Buffer.alloc(32, 7),
    gateways: 5,
    rows: 1e4,
    schema,
    model: writeBytes([...model, ...coefficients, { f64: 25 }, { f64: 10 }]),
  });
}

interface Room {
  co2: number;
  temperature: number;
  people: number;
  seq: number;
}

/** One connection's traffic, cut into blocks. */
class Feed {
  readonly #numbers: Numbers;
  readonly #rooms: Room[];
  #now = START_MS;
  #blocks: Buffer[] = [];
  #packets: Buffer[] = [];
  #recent: Buffer[] = [];
  #sequence = 0;
  #offset = 0;
  #epoch = 1;
  #packetId = 0;
  #meter = 900;

  constructor(seed: number) {
    this.#numbers = numbersFrom(seed);
    this.#rooms = ROOMS.map((_, i) => ({ co2: 450 + 50 * i, temperature: 20 + i, people: i % 2, seq: 0 }));
  }

  /** The blocks since the last call. */
  taken(): Buffer {
    this.#flush();
    const blocks = Buffer.concat(this.#blocks);
    this.#blocks = [];
    return blocks;
  }

  session(event: 'connected' | 'disconnected', sessionPresent: boolean): void {
    this.block(BLOCK_KIND.session, 1, encodeSession({ event, sessionPresent, protocol: 4, sessionId: 'golden-1' }));
  }

  /** The connection is lost; the broker delivers again what it saw no acknowledgement for. */
  reconnect(): void {
    const unacknowledged = this.#recent.slice(-5);
    this.#flush();
    this.session('disconnected', false);
    this.#epoch += 1;
    this.session('connected', true);
    for (const packet of unacknowledged) {
      const again = Buffer.from(packet);
      again.writeUInt8(again.readUInt8(0) | 0x08, 0);
      this.#packets.push(again);
    }
  }

  /** Nothing comes for a while; two ticks tell. */
  pause(ms: number): void {
    this.#flush();
    for (let tick = 0; tick < 2; tick++) {
      this.#now += ms / 2;
      this.block(BLOCK_KIND.tick, 0, Buffer.alloc(0));
    }
  }

  block(kind: BlockKind, door: number, payload: Buffer, count = 0): void {
    const bytes = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), payload]);
    encodeBlockHeader(bytes, 0, {
      kind,
      door,
      payloadLength: payload.length,
      count,
      firstOffset: this.#offset,
      sequence: this.#sequence++,
      wallMs: this.#now,
      monoUs: (this.#now - START_MS) * 1000,
      epoch: door === 0 ? 0 : this.#epoch,
      boot: 1,
      segment: 0,
      beginsWrite: true,
    });
    this.#offset += count;
    this.#blocks.push(bytes);
  }

  /** Half a minute of the building. */
  step(step: number): void {
    this.#now += STEP_MS;
    const numbers = this.#numbers;
    for (const [index, room] of this.#rooms.entries()) {
      if (numbers.below(15) === 0) room.people = numbers.below(4);
      room.co2 += 12 * room.people - 0.03 * (room.co2 - 420) + 4 * numbers.normal();
      room.temperature += 0.02 * room.people - 0.01 * (room.temperature - 19) + 0.03 * numbers.normal();
      const name = ROOMS[index] ?? '';
      this.#reading(name, 'co2', rounded(room.co2, 10), room);
      if (step % 2 === index % 2) this.#reading(name, 'temperature', rounded(room.temperature), room);
      if (step % 6 === index) {
        const label = JSON.stringify({ ts: this.#now - 90_000, value: room.people > 0 ? 'occupied' : 'empty' });
        this.#publish(`labels/${name}/occupied`, label);
      }
    }
    this.#meter += 20 * numbers.normal() + (step === 200 ? 2500 : 0) - 0.1 * (this.#meter - 900);
    this.#publish('meter/power', String(rounded(this.#meter, 1)));
    this.#mast(step);
    this.#trouble(step);
    if (step % 5 === 4) this.#flush();
    if (step % 40 === 39) this.block(BLOCK_KIND.tick, 0, Buffer.alloc(0));
  }

  /** Two readings of each arm of the mast, one of them at times impossible, too sudden, or without change. */
  #mast(step: number): void {
    const numbers = this.#numbers;
    const at = (seconds: number, arm: object) => {
      const gust = numbers.below(12) === 0 ? 30 : 0;
      const x = rounded(3 + gust + numbers.normal());
      const y = step % 40 < 5 ? 1.5 : rounded(2 * numbers.normal());
      return { t: this.#now - 1000 * seconds, x: step % 33 === 7 ? 99 : x, y, rain: numbers.below(3), ...arm };
    };
    const readings = [at(20, {}), at(5, {}), at(4, { arm: 'low' })];
    if (step % 50 === 49) readings.push({ ...at(3, {}), rain: 500 });
    this.#publish('mast/m1', JSON.stringify(readings));
  }

  #reading(room: string, sensor: string, value: number, state: Room): void {
    const numbers = this.#numbers;
    if (numbers.below(30) === 0) return;
    // Most come within seconds, one in twenty up to two minutes late.
    const delay = numbers.below(20) === 0 ? numbers.below(120_000) : numbers.below(3000);
    state.seq += 1;
    const payload = JSON.stringify({ ts: this.#now - delay, seq: state.seq, value });
    this.#publish(`building/${room}/${sensor}`, payload);
    if (numbers.below(40) === 0) this.#publish(`building/${room}/${sensor}`, payload);
  }

  #trouble(step: number): void {
    if (step % 20 === 3) this.#publish('building/a1/co2', '{"ts": 17600000, "value": ');
    if (step % 20 === 5) this.#publish('building/a1/co2', '{"ts": 1860000000000, "seq": 9000, "value": 5}');
    if (step % 20 === 7) this.#publish('elsewhere/x', '1');
    if (step % 20 === 9) this.#publish('building/lab/co2', `{"ts":${this.#now},"seq":${9100 + step},"value":null}`);
    if (step === 2)
      this.#publish('building/lab/temperature', `{"ts":${this.#now - 5000},"seq":8000,"value":19.5}`, 0x01);
  }

  /** One PUBLISH at QoS 1 (MQTT 3.1.1, section 3.3). */
  #publish(topic: string, payload: string, flags = 0): void {
    this.#packetId = (this.#packetId % 65_535) + 1;
    const name = Buffer.from(topic);
    const head = Buffer.alloc(2);
    head.writeUInt16BE(name.length);
    const id = Buffer.alloc(2);
    id.writeUInt16BE(this.#packetId);
    const body = Buffer.concat([head, name, id, Buffer.from(payload)]);
    const length = body.length < 128 ? [body.length] : [(body.length % 128) | 128, Math.floor(body.length / 128)];
    const packet = Buffer.concat([Buffer.from([0x32 | flags, ...length]), body]);
    this.#packets.push(packet);
    this.#recent = [...this.#recent.slice(-9), packet];
  }

  #flush(): void {
    if (this.#packets.length === 0) return;
    this.block(BLOCK_KIND.messagesV4, 1, Buffer.concat(this.#packets), this.#packets.length);
    this.#packets = [];
  }
}
