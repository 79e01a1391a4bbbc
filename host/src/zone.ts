// Time zones as the core needs them: when which offset from UTC began to hold. Where they come from (the zone database that
// Node brings) ends here; the plan, and with it the log, carries the outcome.

/** Offsets are looked up for these years: devices do not send times from before, and rules for later are not known. */
const FIRST_YEAR = 2010;
const LAST_YEAR = 2050;
/** No two changes are nearer to each other: Morocco sets its clocks back for the month of Ramadan. */
const STEP_MS = 10 * 86_400_000;
const FIXED = /^([+-])(\d{2}):?(\d{2})$/;

/** `[since when (epoch milliseconds), minutes]` of `Europe/Berlin`, `UTC` or `+01:00`; null when there is no such zone. */
export function zoneChanges(name: string): [number, number][] | null {
  const [, sign, hours, minutes] = FIXED.exec(name) ?? [];
  if (sign !== undefined) {
    const offset = Number(hours) * 60 + Number(minutes);
    return Number(hours) > 14 || Number(minutes) > 59 ? null : [[0, sign === '-' ? -offset : offset]];
  }
  const offset = offsetIn(name);
  if (offset === null) return null;
  const start = Date.UTC(FIRST_YEAR, 0);
  const changes: [number, number][] = [[start, offset(start)]];
  for (let from = start; from < Date.UTC(LAST_YEAR, 0); from += STEP_MS) {
    const until = from + STEP_MS;
    if (offset(from) !== offset(until)) changes.push([changeBetween(offset, from, until), offset(until)]);
  }
  return changes;
}

/** The offset of a zone in minutes at a time; null when there is no such zone. */
function offsetIn(name: string): ((ms: number) => number) | null {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return null;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  } catch {
    return null;
  }
  return (ms) => {
    const text = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    const [, sign, hours = '0', minutes = '0'] = /^GMT([+-])(\d{2}):(\d{2})$/.exec(text) ?? [];
    const offset = Number(hours) * 60 + Number(minutes);
    return sign === '-' ? -offset : offset;
  };
}

/** The millisecond at which the later offset begins. */
function changeBetween(offset: (ms: number) => number, from: number, until: number): number {
  let [low, high] = [from, until];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offset(middle) === offset(until)) high = middle;
    else low = middle;
  }
  return high;
}
