// How a number is written. One function per quantity; each gives a text of steady width for steady magnitudes, so that
// live values do not make the page move. Absent figures are an en dash.

export const ABSENT = '–';

const INTEGER = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

export function figureOfCount(value: number | null): string {
  return value === null ? ABSENT : INTEGER.format(value);
}

/** 1,234 · 56.7 k · 8.90 M: at most five characters and a suffix, for narrow places. */
export function figureOfCountShort(value: number | null): string {
  if (value === null) return ABSENT;
  if (value < 10_000) return INTEGER.format(value);
  if (value < 1_000_000) return `${(value / 1e3).toFixed(value < 100_000 ? 1 : 0)} k`;
  if (value < 1_000_000_000) return `${(value / 1e6).toFixed(value < 100_000_000 ? 2 : 0)} M`;
  return `${(value / 1e9).toFixed(2)} G`;
}

/** Per second: one decimal under 100, none above. */
export function figureOfRate(value: number | null): string {
  if (value === null) return ABSENT;
  return value < 99.95 ? value.toFixed(1) : INTEGER.format(value);
}

/** An error in the target's own unit: three significant digits; of a classification: percent that were wrong. */
export function figureOfError(value: number | null, kind: string): string {
  if (value === null) return ABSENT;
  if (kind === 'classification') return `${(value * 100).toFixed(value < 0.0995 ? 2 : 1)} %`;
  return threeDigits(value);
}

export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 99.95) return INTEGER.format(value);
  if (size >= 9.995) return value.toFixed(1);
  if (size >= 0.9995) return value.toFixed(2);
  if (size >= 0.000_995) return value.toFixed(size >= 0.0995 ? 3 : size >= 0.00995 ? 4 : 5);
  return value.toExponential(1);
}

export function figureOfShare(share: number | null): string {
  if (share === null) return ABSENT;
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return '<0.1 %';
  return `${percent.toFixed(1)} %`;
}

/** In whole percent, with a true minus sign: better is plain, worse is negative. */
export function figureOfImprovement(share: number | null): string {
  if (share === null) return ABSENT;
  const percent = Math.round(share * 100);
  return `${percent < 0 ? '−' : ''}${Math.abs(percent)} %`;
}

/** CPU time given in microseconds: 18.3 µs · 4.3 ms. */
export function figureOfMicroseconds(value: number | null): string {
  if (value === null) return ABSENT;
  if (value >= 999.5) return `${(value / 1000).toFixed(value < 99_950 ? 1 : 0)} ms`;
  return `${value < 99.95 ? value.toFixed(1) : INTEGER.format(value)} µs`;
}

export function figureOfMebibytes(value: number | null): string {
  return value === null ? ABSENT : `${INTEGER.format(value)} MiB`;
}

/** A length of time in its two largest units: 42 s · 3 min 10 s · 5 h 2 min · 3 d 4 h. */
export function figureOfDuration(seconds: number | null): string {
  if (seconds === null) return ABSENT;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** How long ago in its largest unit: "now" under two seconds. */
export function figureOfAge(at: number | null, now: number): string {
  if (at === null) return ABSENT;
  const seconds = Math.max(0, Math.floor((now - at) / 1000));
  if (seconds < 2) return 'now';
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Time of day of the viewer's zone, 24 hours. */
export function figureOfTime(at: number | null, seconds = true): string {
  if (at === null) return ABSENT;
  const date = new Date(at);
  const two = (part: number): string => String(part).padStart(2, '0');
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return seconds ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

/** Date and time for titles and tables, ISO order, viewer's zone. */
export function figureOfMoment(at: number | null): string {
  if (at === null) return ABSENT;
  const date = new Date(at);
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${figureOfTime(at)}`;
}

/** The first ten hex digits name a release well enough for a person. */
export function shortHash(hash: string | null): string {
  return hash === null ? ABSENT : hash.slice(0, 10);
}
