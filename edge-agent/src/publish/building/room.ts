/**
 * Physics of one room: air and furniture as one thermal mass, walls as a second, slower one, a radiator that follows its
 * valve with delay, sun through the window, warmth, moisture and CO2 from people, ventilation, neighbours through the wall.
 * SI units; explicit Euler, good for steps of a minute: the fastest time constant, the radiator's, is ten.
 */
import type { Weather } from './weather.ts';

/** What does not change. */
export interface RoomShape {
  name: string;
  /** m³ */
  volume: number;
  /** Window to the south, m² that let sun in. */
  window: number;
  /** Loss from the air to the outside (windows, leaks), W/K. */
  loss: number;
  /** Highest radiator power, W. */
  radiator: number;
  /** Air changes per hour with the ventilation off (leaks) and, on top, with people in the room. */
  leak: number;
  ventilation: number;
}

/** What does. */
export interface RoomState {
  /** °C */
  air: number;
  walls: number;
  /** Warmth the radiator gives now, W. */
  heat: number;
  /** ppm */
  co2: number;
  /** Water in the air, g/m³. */
  moisture: number;
  /** Opening of the radiator's valve, 0 to 1. */
  valve: number;
}

const AIR_HEAT = 20_000; // J/(m³ K): air, furniture and the surfaces that follow them within the hour; with the walls a building of medium weight (ISO 13790)
const WALL_HEAT = 45_000; // J/(m³ K): the layers of the walls that take part in a day's swing
const WALL_COUPLING = 2; // W/(m³ K), air to walls
const WALL_LOSS = 0.12; // W/(m³ K), walls to outside
const NEIGHBOUR_COUPLING = 0.25; // W/(m³ K), air to a neighbour's air
const RADIATOR_LAG_S = 600;
const PERSON_WARMTH = 80; // W that stay in the air
const PERSON_CO2 = 0.0052; // l/s
const PERSON_MOISTURE = 0.014; // g/s
const OUTDOOR_CO2 = 420; // ppm
const THERMOSTAT_GAIN = 0.9; // valve per K below the setpoint

/** A room that has stood at a temperature for long. */
export function restingRoom(temperature: number): RoomState {
  return { air: temperature, walls: temperature - 0.5, heat: 0, co2: OUTDOOR_CO2 + 30, moisture: 6, valve: 0 };
}

/** Lets `dt_s` seconds pass. `neighbour` is the mean air temperature next door, °C; `setpoint` what the thermostat aims at. */
export function stepRoom(
  room: RoomState,
  shape: RoomShape,
  weather: Weather,
  neighbour: number,
  people: number,
  setpoint: number,
  airing: boolean,
  dt_s: number,
): void {
  room.valve = clamp(THERMOSTAT_GAIN * (setpoint - room.air) + 0.1, 0, 1);
  room.heat += (dt_s / RADIATOR_LAG_S) * (shape.radiator * room.valve - room.heat);

  const changes_s = (shape.leak + (people > 0 ? shape.ventilation : 0) + (airing ? 4 : 0)) / 3600;
  const airLoss = shape.loss + changes_s * shape.volume * 1200;
  const toWalls = WALL_COUPLING * shape.volume * (room.air - room.walls);
  const sun = shape.window * weather.sun;
  const intoAir =
    room.heat +
    0.4 * sun +
    PERSON_WARMTH * people -
    toWalls -
    airLoss * (room.air - weather.temperature) +
    NEIGHBOUR_COUPLING * shape.volume * (neighbour - room.air);
  const intoWalls = toWalls + 0.6 * sun - WALL_LOSS * shape.volume * (room.walls - weather.temperature);
  room.air += (dt_s * intoAir) / (AIR_HEAT * shape.volume);
  room.walls += (dt_s * intoWalls) / (WALL_HEAT * shape.volume);

  room.co2 += dt_s * ((people * PERSON_CO2 * 1000) / shape.volume - changes_s * (room.co2 - OUTDOOR_CO2));
  const outdoorMoisture = 0.75 * saturation(weather.temperature);
  room.moisture += dt_s * ((people * PERSON_MOISTURE) / shape.volume - changes_s * (room.moisture - outdoorMoisture));
  room.moisture = Math.min(room.moisture, saturation(room.air));
}

/** Relative humidity, %. */
export function humidityOf(room: RoomState): number {
  return (100 * room.moisture) / saturation(room.air);
}

/** Electric power of lamps and machines, W. */
export function powerOf(people: number, weather: Weather): number {
  const lamps = people > 0 && weather.sun < 150 ? 180 : 0;
  return 40 + lamps + 110 * people;
}

/** Water that air can hold, g/m³ (Magnus formula). */
function saturation(temperature: number): number {
  return (216.7 * 6.112 * Math.exp((17.62 * temperature) / (243.12 + temperature))) / (273.15 + temperature);
}

function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
