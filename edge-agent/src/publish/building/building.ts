/**
 * The simulated building as a feed: five rooms, their sensors and the network between them and the broker. The same seed
 * gives the same messages, byte for byte. Event time begins at a fixed date and has nothing to do with the clock.
 *
 * Physics and people are honest: nothing in here looks ahead or shapes a task. Faults on top of them: one
 * temperature sensor drifts from the second day on, one CO2 sensor sticks for hours, the heating's timetable changes on the
 * third day, messages are lost, doubled and late.
 */
import { calm, type Disorder, type DisorderState, disturb } from '../disorder.ts';
import type { Feed, FeedMessage, FeedStep } from '../feed.ts';
import { gaussian, happens, integerBetween, type RandomState, seededRandom } from '../random.ts';
import { FIRST_TIMETABLE, SECOND_TIMETABLE, setpointAt } from './heating.ts';
import { nobody, type PeopleState, peopleAt, type RoomUse } from './people.ts';
import { humidityOf, powerOf, type RoomShape, type RoomState, restingRoom, stepRoom } from './room.ts';
import { initialWeather, stepWeather, type WeatherState, weatherAt } from './weather.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Monday, so that the first days of a demonstration are working days. */
const START = Date.UTC(2025, 0, 6);

/** Sensors report every two minutes. */
export const STEP_MS = 2 * MINUTE_MS;

/** Physics goes in steps of one minute. */
const PHYSICS_STEP_S = 60;

/** Whether a room was occupied becomes known minutes later, as from a booking system or a count at the door. */
const LABEL_DELAY_STEPS = [2, 7] as const;
const LABEL_LOST = 0.02;

const REGIME_CHANGE_AT = START + 54 * HOUR_MS;
const DRIFT_FROM = START + 30 * HOUR_MS;
const DRIFT_PER_HOUR = 0.02; // K
const STICK_CHANCE = 1 / 720; // per report: about once a day
const STICK_STEPS = [60, 180] as const; // 2 to 6 hours
const AIRING_CHANCE = 1 / 240; // per report with people in the room
const AIRING_STEPS = [3, 8] as const;

const DISORDER: Disorder = {
  lost: 0.005,
  repeated: 0.01,
  delayed: 0.03,
  delayStepsMax: 2,
  stranded: 0.001,
  strandedSteps: 60,
};

interface Room {
  shape: RoomShape;
  use: RoomUse;
}

const ROOMS: readonly Room[] = [
  room('office-1', 90, 5, 32, { kind: 'office', workers: 3 }),
  room('office-2', 120, 7, 40, { kind: 'office', workers: 4 }),
  room('meeting', 100, 4, 30, { kind: 'meetings', chance: 0.45 }),
  room('lab', 160, 3, 48, { kind: 'office', workers: 3 }),
  room('studio', 75, 6, 30, { kind: 'office', workers: 1 }),
];

/** Which room's temperature drifts, and which room's CO2 sticks. */
const DRIFTING_ROOM = 1;
const STICKING_ROOM = 3;

function room(name: string, volume: number, window: number, loss: number, use: RoomUse): Room {
  return { shape: { name, volume, window, loss, radiator: 14 * volume, leak: 0.25, ventilation: 1.4 }, use };
}

const SENSORS = ['power', 'co2', 'humidity', 'setpoint', 'heating', 'temperature'] as const;
type Sensor = (typeof SENSORS)[number];

/** Standard deviation of the noise, and decimals of what is reported. °C, %, ppm, W, % of the valve. */
const SENSOR: Record<Sensor, { noise: number; decimals: number }> = {
  temperature: { noise: 0.05, decimals: 2 },
  humidity: { noise: 0.4, decimals: 1 },
  co2: { noise: 12, decimals: 0 },
  power: { noise: 6, decimals: 0 },
  heating: { noise: 0.5, decimals: 0 },
  setpoint: { noise: 0, decimals: 1 },
};

/** State of one room with its sensors. */
interface RoomRecord {
  physics: RoomState;
  people: PeopleState;
  airingSteps: number;
  stuckSteps: number;
  stuckAt: number;
  seq: number[];
}

/** The whole state: JSON. */
interface BuildingState {
  seed: number;
  step: number;
  random: RandomState;
  network: RandomState;
  weather: WeatherState;
  rooms: RoomRecord[];
  readings: DisorderState<FeedMessage>;
  labels: { step: number; message: FeedMessage }[];
}

/** What a building needs to be told. */
export interface BuildingOptions {
  /** 32 bits; the same seed gives the same building, weather, people and faults. */
  seed: number;
  /** Event time to play; without: for ever. */
  duration_ms?: number;
  /** A position of an earlier run with the same seed. */
  position?: unknown;
}

/** A building from its seed, or from a position. */
export function createBuilding(options: BuildingOptions): Feed {
  const state = restored(options) ?? fresh(options.seed);
  const end = START + (options.duration_ms ?? Number.POSITIVE_INFINITY);

  function next(): Promise<FeedStep | null> {
    const at = START + state.step * STEP_MS;
    if (at >= end) return Promise.resolve(null);
    const messages = stepBuilding(state, at);
    state.step++;
    return Promise.resolve({ at, messages });
  }

  return {
    next,
    position: () => structuredClone(state),
    counts: () => ({ lost: state.readings.lost, under_way: state.readings.underWay.length + state.labels.length }),
  };
}

function fresh(seed: number): BuildingState {
  const random = seededRandom(seed, 1);
  return {
    seed,
    step: 0,
    random,
    network: seededRandom(seed, 2),
    weather: initialWeather(random),
    rooms: ROOMS.map(() => ({
      physics: restingRoom(17 + uniformDegree(random)),
      people: nobody(),
      airingSteps: 0,
      stuckSteps: 0,
      stuckAt: 0,
      seq: SENSORS.map(() => 0),
    })),
    readings: calm(),
    labels: [],
  };
}

function uniformDegree(random: RandomState): number {
  return integerBetween(random, 0, 100) / 100;
}

/** A position is trusted as far as it is ours: the same seed and the same shape. Anything else is a fresh start. */
function restored(options: BuildingOptions): BuildingState | null {
  const position = options.position as Partial<BuildingState> | null | undefined;
  const fits =
    position?.seed === options.seed && Array.isArray(position.rooms) && position.rooms.length === ROOMS.length;
  return fits ? (structuredClone(position) as BuildingState) : null;
}

function stepBuilding(state: BuildingState, at: number): FeedMessage[] {
  const { random } = state;
  const timetable = at >= REGIME_CHANGE_AT ? SECOND_TIMETABLE : FIRST_TIMETABLE;
  const setpoint = setpointAt(timetable, at);
  const headcount = state.rooms.map((record, index) => peopleAt(record.people, roomAt(index).use, random, at));

  for (let passed = 0; passed < STEP_MS / 1000; passed += PHYSICS_STEP_S) {
    stepWeather(state.weather, random, PHYSICS_STEP_S);
    const weather = weatherAt(state.weather, at);
    const airs = state.rooms.map((record) => record.physics.air);
    for (const [index, record] of state.rooms.entries()) {
      const neighbour = ((airs.at(index - 1) ?? 0) + (airs[(index + 1) % airs.length] ?? 0)) / 2;
      const people = headcount[index] ?? 0;
      stepRoom(
        record.physics,
        roomAt(index).shape,
        weather,
        neighbour,
        people,
        setpoint,
        record.airingSteps > 0,
        PHYSICS_STEP_S,
      );
    }
  }

  const readings: FeedMessage[] = [];
  for (const [index, record] of state.rooms.entries()) {
    const people = headcount[index] ?? 0;
    air(record, people, random);
    readings.push(...reports(state, record, index, people, setpoint, at));
    report(state, index, people > 0, at);
  }
  const arrived = disturb(state.readings, DISORDER, state.network, state.step, readings).map(({ message, repeat }) =>
    repeat ? { ...message, kind: 'repeat' as const } : message,
  );
  const labels = state.labels.filter((label) => label.step <= state.step).map((label) => label.message);
  state.labels = state.labels.filter((label) => label.step > state.step);
  return [...arrived, ...labels];
}

/** People open a window now and then. */
function air(record: RoomRecord, people: number, random: RandomState): void {
  if (record.airingSteps > 0) record.airingSteps--;
  else if (people > 0 && happens(random, AIRING_CHANCE)) {
    record.airingSteps = integerBetween(random, AIRING_STEPS[0], AIRING_STEPS[1]);
  }
}

/** What the room's sensors report: the truth with noise, and with their faults. */
function reports(
  state: BuildingState,
  record: RoomRecord,
  index: number,
  people: number,
  setpoint: number,
  at: number,
): FeedMessage[] {
  const { random } = state;
  const { physics } = record;
  const truth: Record<Sensor, number> = {
    temperature: physics.air,
    humidity: humidityOf(physics),
    co2: physics.co2,
    power: powerOf(people, weatherAt(state.weather, at)),
    heating: 100 * physics.valve,
    setpoint,
  };
  if (index === DRIFTING_ROOM && at > DRIFT_FROM) truth.temperature += (DRIFT_PER_HOUR * (at - DRIFT_FROM)) / HOUR_MS;
  return SENSORS.map((sensor, place) => {
    const { noise, decimals } = SENSOR[sensor];
    let value = Number((truth[sensor] + noise * gaussian(random)).toFixed(decimals));
    if (sensor === 'power') value = Math.max(0, value);
    if (sensor === 'heating') value = Math.min(Math.max(0, value), 100);
    if (sensor === 'co2' && index === STICKING_ROOM) value = stick(record, value, random);
    const seq = record.seq[place] ?? 0;
    record.seq[place] = seq + 1;
    const topic = `building/${roomAt(index).shape.name}/${sensor}`;
    return { topic, payload: JSON.stringify({ ts: at, value, seq }), kind: 'reading' };
  });
}

/** A sensor that now and then repeats one value for hours. */
function stick(record: RoomRecord, value: number, random: RandomState): number {
  if (record.stuckSteps > 0) {
    record.stuckSteps--;
    return record.stuckAt;
  }
  if (happens(random, STICK_CHANCE)) {
    record.stuckSteps = integerBetween(random, STICK_STEPS[0], STICK_STEPS[1]);
    record.stuckAt = value;
  }
  return value;
}

/** Puts a label under way: whether the room was occupied, known some minutes later. */
function report(state: BuildingState, index: number, occupied: boolean, at: number): void {
  if (happens(state.network, LABEL_LOST)) return;
  const delay = integerBetween(state.network, LABEL_DELAY_STEPS[0], LABEL_DELAY_STEPS[1]);
  const topic = `labels/${roomAt(index).shape.name}/occupied`;
  const payload = JSON.stringify({ ts: at, value: occupied ? 1 : 0 });
  state.labels.push({ step: state.step + delay, message: { topic, payload, kind: 'label' } });
}

function roomAt(index: number): Room {
  const found = ROOMS[index];
  if (found === undefined) throw new Error(`no room ${index}: the state does not fit the building`);
  return found;
}
