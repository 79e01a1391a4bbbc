/**
 * The heating's timetable: a comfort temperature in working hours, a lower one at night and on days off. One day the
 * timetable changes: the regime that a learner has to follow.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** When it is warm, and how warm. */
export interface Timetable {
  /** Hours of the day. */
  warmFrom: number;
  warmUntil: number;
  /** °C */
  comfort: number;
  setback: number;
  weekend: boolean;
}

/** Before the change. */
export const FIRST_TIMETABLE: Timetable = { warmFrom: 6, warmUntil: 18, comfort: 21, setback: 17, weekend: false };

/** After it: an earlier and longer day, on weekends too, a degree cooler. */
export const SECOND_TIMETABLE: Timetable = { warmFrom: 4.5, warmUntil: 21, comfort: 20.5, setback: 16, weekend: true };

/** What the thermostats aim at, °C. */
export function setpointAt(timetable: Timetable, at: number): number {
  const weekday = (Math.floor(at / DAY_MS) + 4) % 7;
  const off = (weekday === 0 || weekday === 6) && !timetable.weekend;
  const hour = (at % DAY_MS) / HOUR_MS;
  return !off && hour >= timetable.warmFrom && hour < timetable.warmUntil ? timetable.comfort : timetable.setback;
}
