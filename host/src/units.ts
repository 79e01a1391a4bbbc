// Durations and sizes as people write them (`5m`, `2GB`), and back.

import { RivuletError } from './errors.ts';

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTE_UNITS = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

/** Longest duration: a hundred years, so that sums of times stay exact. */
const DURATION_MS_MAX = 100 * 366 * 86_400_000;
/** Longest CPU time of one thing. */
const NANOSECONDS_MAX = 1e9;
/** Largest size. */
const BYTES_MAX = 2 ** 50;

/**
 * Milliseconds of `250ms`, `10s`, `5m`, `1.5h`, `2d` (units may be chained: `1h30m`), or of plain `0`.
 * @throws RIV_UNIT
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  const parts = [...trimmed.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*/gy)];
  const length = parts.reduce((sum, part) => sum + part[0].length, 0);
  const total = parts.reduce(
    (sum, part) => sum + Number(part[1]) * DURATION_UNITS[part[2] as keyof typeof DURATION_UNITS],
    0,
  );
  if (parts.length === 0 || length !== trimmed.length)
    throw new RivuletError('RIV_UNIT', {
      found: `the duration ${quote(text)}`,
      expected: 'such as 250ms, 10s, 5m, 2h or 1d',
    });
  if (total > DURATION_MS_MAX)
    throw new RivuletError('RIV_UNIT', { found: `the duration ${quote(text)}`, expected: 'at most 100 years' });
  return Math.round(total);
}

/**
 * Nanoseconds of `50ns`, `1us` (or `1µs`), `0.5ms`: CPU time for one thing of many.
 * @throws RIV_UNIT
 */
export function parseNanoseconds(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms)\s*$/.exec(text);
  const factor = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6 }[match?.[2] as 'ns' | 'us' | 'µs' | 'ms'];
  const ns = Math.round(Number(match?.[1]) * factor);
  if (!(ns >= 1 && ns <= NANOSECONDS_MAX))
    throw new RivuletError('RIV_UNIT', {
      found: `the time ${quote(text)}`,
      expected: 'such as 50ns, 1us or 0.5ms, at most 1s',
    });
  return ns;
}

/**
 * Bytes of `512`, `64KB`, `16MiB`, `2GB`.
 * @throws RIV_UNIT
 */
export function parseBytes(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)?\s*$/.exec(text);
  const value =
    match === null ? Number.NaN : Number(match[1]) * BYTE_UNITS[(match[2] ?? 'B') as keyof typeof BYTE_UNITS];
  if (!(value <= BYTES_MAX))
    throw new RivuletError('RIV_UNIT', {
      found: `the size ${quote(text)}`,
      expected: 'such as 64KB, 16MiB or 2GB, at most 1024TiB',
    });
  return Math.round(value);
}

/** A duration in its largest whole unit: `90000` → `90s`, `300000` → `5m`. `parseDuration` reads it back exactly. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const [unit, factor] of Object.entries(DURATION_UNITS).reverse())
    if (ms % factor === 0) return `${ms / factor}${unit}`;
  return `${ms}ms`;
}

/** A size for people, in powers of 1024 with at most one decimal: `1536` → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : Number(value.toFixed(1))} ${units[unit]}`;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 40));
}
