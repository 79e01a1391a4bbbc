/**
 * Weather outside the simulated building, in winter: a daily course, slow swings of several days as fronts pass, faster
 * ones of hours, clouds, and the sun above them.
 */
import { gaussian, type RandomState } from '../random.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What changes with time outdoors; plain data. */
export interface WeatherState {
  /** Deviation of fronts from the mean, °C; correlation time 36 h. */
  synoptic: number;
  /** Deviation of hours, °C; correlation time 2 h. */
  breeze: number;
  /** Cloudiness before it is squeezed into 0 to 1; correlation time 8 h. */
  cloud: number;
}

/** The weather at one instant. */
export interface Weather {
  /** °C */
  temperature: number;
  /** On a window facing south, W/m². */
  sun: number;
}

/** Weather at the start. */
export function initialWeather(random: RandomState): WeatherState {
  return { synoptic: 3.5 * gaussian(random), breeze: 0, cloud: gaussian(random) };
}

/** Lets `dt_s` seconds pass. */
export function stepWeather(state: WeatherState, random: RandomState, dt_s: number): void {
  state.synoptic = relax(state.synoptic, 36 * 3600, 3.5, dt_s, random);
  state.breeze = relax(state.breeze, 2 * 3600, 0.5, dt_s, random);
  state.cloud = relax(state.cloud, 8 * 3600, 1, dt_s, random);
}

/** The weather of a state at an instant (epoch milliseconds; local time is taken to be UTC). */
export function weatherAt(state: WeatherState, at: number): Weather {
  const hour = (at % DAY_MS) / HOUR_MS;
  const daily = 3 * Math.cos((2 * Math.PI * (hour - 15)) / 24);
  const clear = 1 / (1 + Math.exp(1.5 * state.cloud)); // 1: no cloud
  const elevation = Math.sin((Math.PI * (hour - 8)) / 8.5); // sunrise at 8, sunset at 16:30
  return {
    temperature: 3 + daily * (0.5 + 0.5 * clear) + state.synoptic + state.breeze,
    sun: elevation > 0 ? 500 * elevation * (0.1 + 0.9 * clear) : 0,
  };
}

/** One step of an Ornstein-Uhlenbeck process with a correlation time and a standard deviation. */
function relax(value: number, correlation_s: number, deviation: number, dt_s: number, random: RandomState): number {
  const keep = Math.exp(-dt_s / correlation_s);
  return value * keep + deviation * Math.sqrt(1 - keep * keep) * gaussian(random);
}
