/**
 * The workload: PUBLISH packets of 3.1.1, made once and played by every run. 250 machines with four sensors each, 1,000
 * series, their readings in turn; about 100 bytes of JSON with a timestamp and the device's own counter.
 *
 * Event time runs at the nominal rate (flat out: as if 10,000/s came), so that the share of messages that make a window
 * close or a prediction due does not depend on how fast they are played.
 */

export const MACHINES = 250;
export const SENSORS = ['temperature', 'vibration', 'current', 'pressure'] as const;
export const SERIES = MACHINES * SENSORS.length;
export const TOPIC_FILTER = 'plant/#';

/** Every prediction is due this long of event time after the one before, per machine. */
const PREDICT_EVERY_MS = 1000;
/** Event time when nothing is played live: a flat-out run stands for this rate. */
const NOMINAL_PER_S = 10_000;

/**
 * The share of a run that warms the processes up and is cut off. It is large since the agent works on its commit's beat,
 * 50 or 100 times a second: its JavaScript is compiled after some five seconds, MQTT.js's, called per message, after one
 * (PERFORMANCE.md). It favours the agent, and says so there.
 * A gateway runs for months.
 */
export const WARM_UP = 0.6;

export interface Played {
  qos: 0 | 1;
  /** Messages per second; 0: as fast as they are taken. */
  rate: number;
  /** Index of the first message, a multiple of SERIES: a second feeder goes on where the first ended. */
  first: number;
  /** Messages in all. */
  count: number;
  /** Event time of message 0. */
  baseMs: number;
  /** How many machines send; default: `MACHINES`. */
  machines?: number;
}

/** Packets back to back, and where each begins; one more entry than packets. */
export interface Packets {
  bytes: Buffer;
  starts: Uint32Array;
}

/** Rate at which event time runs. */
export function nominalRate(rate: number): number {
  return rate === 0 ? NOMINAL_PER_S : rate;
}

/** Messages of which one is a prediction's cause: said in the report. */
export function messagesPerPrediction(rate: number): number {
  return (nominalRate(rate) * PREDICT_EVERY_MS) / 1000 / MACHINES;
}

/** Event time of message `index`, milliseconds after the first. */
export function eventMs(index: number, rate: number): number {
  return Math.floor((index * 1000) / nominalRate(rate));
}

/** The message of a machine's target sensor that has event time `ms`: the one that a prediction names by its `at`. */
export function messageAt(machine: number, ms: number, rate: number): number {
  const first = Math.ceil((ms * nominalRate(rate)) / 1000);
  // Readings of one series are SERIES messages apart, further than messages of the same millisecond.
  const ahead = (machine * SENSORS.length - first) % SERIES;
  return first + (ahead < 0 ? ahead + SERIES : ahead);
}

export function machineName(machine: number): string {
  return `press-${String(machine).padStart(3, '0')}`;
}

/** The machine of message `index`: each sends its four sensors, then the next one does. */
export function machineOf(index: number, machines = MACHINES): number {
  return Math.floor(index / SENSORS.length) % machines;
}

export function encodePackets({ qos, rate, first, count, baseMs, machines = MACHINES }: Played): Packets {
  const allSeries = machines * SENSORS.length;
  const topics = Array.from({ length: allSeries }, (_, series) => {
    const machine = machineOf(series, machines);
    const sensor = SENSORS[series % SENSORS.length] as string;
    return Buffer.from(`plant/hall-${machine % 4}/${machineName(machine)}/${sensor}`);
  });
  const random = createRandom(1);
  const levels = Float64Array.from({ length: allSeries }, () => 20 + 60 * random());
  const noise = new Float64Array(allSeries);
  let bytes = Buffer.allocUnsafe(count * 160);
  const starts = new Uint32Array(count + 1);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const series = index % allSeries;
    const ms = eventMs(first + index, rate);
    noise[series] = 0.9 * (noise[series] as number) + random() - 0.5;
    const wave = 5 * Math.sin((2 * Math.PI * ms) / 20_000 + series);
    const value = ((levels[series] as number) + wave + (noise[series] as number)).toFixed(2);
    const seq = Math.floor((first + index) / allSeries) + 1;
    const machine = machineName(machineOf(index, machines));
    const payload = `{"value":${value},"ts":${baseMs + ms},"seq":${seq},"unit":"SI","quality":"good","device":"${machine}","fw":"2.4.1"}`;
    const topic = topics[series] as Buffer;
    if (bytes.length - at < payload.length + topic.length + 8) {
      bytes = Buffer.concat([bytes, Buffer.allocUnsafe(bytes.length >> 2)]);
    }
    starts[index] = at;
    const length = 2 + topic.length + (qos > 0 ? 2 : 0) + payload.length;
    bytes[at++] = 0x30 | (qos << 1);
    bytes[at++] = (length & 0x7f) | (length > 0x7f ? 0x80 : 0);
    if (length > 0x7f) {
      bytes[at++] = length >> 7;
    }
    at = bytes.writeUInt16BE(topic.length, at);
    at += topic.copy(bytes, at);
    if (qos > 0) {
      // Ids are free again long before they come round: the window is far smaller than 65,535.
      at = bytes.writeUInt16BE((index % 65_535) + 1, at);
    }
    at += bytes.write(payload, at, 'latin1');
  }
  starts[count] = at;
  return { bytes: bytes.subarray(0, at), starts };
}

/** The agent's configuration: durable, decoded, windowed, predicted on and learned from, with outputs that leave. */
export function agentConfig(options: {
  url: string;
  ca?: string | null;
  qos: 0 | 1;
  state: string;
  commit: string | null;
  checkpointEvery: string;
}): string {
  return `# The intake's bench.
gateway: bench
about: "bench of the intake"
simulated: true
state: ${options.state}
mqtt: { url: "${options.url}", qos: ${options.qos}, protocol: 4${options.ca ? `, tls: { ca: ${options.ca} }` : ''} }
sources:
  - name: plant
    topic: plant/{hall}/{machine}/{sensor}
    key: "{machine}"
    fields: { "{sensor}": value }
    time: ts
    seq: seq
    lateness: 500ms
    clock_skew_max: 0
windows:
  - { name: machine_2s, every: 2s, of: [temperature, vibration, current, pressure], stats: [mean, min, max, count], lateness: 500ms }
tasks:
  - { name: temperature_in_2s, forecast: temperature, horizon: 2s, every: ${PREDICT_EVERY_MS}ms, tolerance: 1s }
outputs:
  - { predictions: "*", topic: "rivulet/bench/{task}/{key}" }
log: { ${options.commit === null ? '' : `commit: ${options.commit}, `}keep: 2GB }
checkpoint: { every: ${options.checkpointEvery} }
`;
}

/** The same numbers on every machine (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
