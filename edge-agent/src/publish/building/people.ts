/**
 * Who is in a room: office workers who come, have lunch and leave at hours that vary from day to day, and meetings that
 * take place or not. Drawn anew each day, from the calendar; plain data.
 */
import { gaussian, happens, integerBetween, type RandomState } from '../random.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A span in which some people are in the room, epoch milliseconds. */
export interface Stay {
  from: number;
  until: number;
  people: number;
}

/** The stays of the day that has begun last. */
export interface PeopleState {
  day: number;
  stays: Stay[];
}

/** How a room is used. */
export type RoomUse = { kind: 'office'; workers: number } | { kind: 'meetings'; chance: number };

/** No day drawn yet. */
export function nobody(): PeopleState {
  return { day: -1, stays: [] };
}

/** How many people are in the room at an instant; draws the day's stays when a new day has begun. */
export function peopleAt(state: PeopleState, use: RoomUse, random: RandomState, at: number): number {
  const day = Math.floor(at / DAY_MS);
  if (day !== state.day) {
    state.day = day;
    state.stays = use.kind === 'office' ? officeDay(day, use.workers, random) : meetingDay(day, use.chance, random);
  }
  let people = 0;
  for (const stay of state.stays) if (at >= stay.from && at < stay.until) people += stay.people;
  return people;
}

function officeDay(day: number, workers: number, random: RandomState): Stay[] {
  const midnight = day * DAY_MS;
  const presence = isWeekend(day) ? 0.05 : 0.85;
  const stays: Stay[] = [];
  for (let worker = 0; worker < workers; worker++) {
    if (!happens(random, presence)) continue;
    const arrival = midnight + 8.5 * HOUR_MS + 25 * MINUTE_MS * gaussian(random);
    const lunch = midnight + 12.25 * HOUR_MS + 15 * MINUTE_MS * gaussian(random);
    const back = lunch + 45 * MINUTE_MS + 8 * MINUTE_MS * gaussian(random);
    const departure = midnight + 17.2 * HOUR_MS + 40 * MINUTE_MS * gaussian(random);
    stays.push({ from: arrival, until: lunch, people: 1 }, { from: back, until: departure, people: 1 });
  }
  return stays;
}

function meetingDay(day: number, chance: number, random: RandomState): Stay[] {
  const stays: Stay[] = [];
  if (isWeekend(day)) return stays;
  for (let hour = 9; hour < 17; hour++) {
    if (hour === 12 || !happens(random, chance)) continue;
    const from = day * DAY_MS + hour * HOUR_MS + 3 * MINUTE_MS * gaussian(random);
    const minutes = happens(random, 0.3) ? 110 : 52;
    stays.push({ from, until: from + minutes * MINUTE_MS, people: integerBetween(random, 2, 7) });
    if (minutes > 60) hour++;
  }
  return stays;
}

/** Days since 1970-01-01, a Thursday. */
function isWeekend(day: number): boolean {
  const weekday = (day + 4) % 7; // 0: Sunday
  return weekday === 0 || weekday === 6;
}
