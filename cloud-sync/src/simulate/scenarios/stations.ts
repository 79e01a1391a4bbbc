/**
 * Recorded air-quality stations as a fleet: each hour every station says what it measures, and PM2.5 one hour later is
 * predicted (UCI "Beijing Multi-Site Air-Quality", test data in `--data`). A tick is a day. A missing value is left out of
 * the message, as a sensor that is silent leaves it out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { RivuletError } from '@rivulet/host';
import type { Row, Scenario, SiteRows } from '../scenario.ts';

const FOLDER = 'beijing-air-quality';
const HOURS_PER_DAY = 24;
const HOUR_MS = 3_600_000;
const WINDS = 'N NNE NE ENE E ESE SE SSE S SSW SW WSW W WNW NW NNW'.split(' ');
const MEASURED = ['PM2.5', 'PM10', 'SO2', 'NO2', 'CO', 'O3', 'TEMP', 'PRES', 'DEWP', 'RAIN', 'WSPM'] as const;
const FIELDS = ['pm25', 'pm10', 'so2', 'no2', 'co', 'o3', 'temp', 'pres', 'dewp', 'rain', 'wspm', 'wd_sin', 'wd_cos'];

/** What the other stations measure in the same hour, and how that has changed. */
const NEIGHBOURS = {
  field: 'pm25',
  wanted: '{ name: neighbours, mean: pm25_now, of: neighbours }',
  features: ['neighbours', 'neighbours.diff1'],
};

export interface StationsOptions {
  readonly data: string | null;
  readonly gateways: number;
  readonly ticks: number;
  /** This many days one station comes later than the others … */
  readonly lateDays: number;
  /** … and which. */
  readonly seed: number;
  /** Stations say what they measure at once, and the mean of the others is there before the hour's own row is. */
  readonly readings: boolean;
}

export function stations({ data, gateways, ticks, seed, lateDays, readings }: StationsOptions): Scenario {
  if (data === null) {
    throw new RivuletError('RIV_USAGE', { found: 'no --data', expected: `the folder that holds ${FOLDER}/` });
  }
  const folder = join(data, FOLDER);
  const files = filesIn(folder).slice(0, gateways);
  const sites = files.map((file, at): SiteRows => {
    let days: Row[][] | null = null;
    const all = () => {
      days ??= daysOf(join(folder, file));
      return days;
    };
    return {
      id: file.replace(/[_.].*$/, ''),
      from: lateDays > 0 && at === seed % files.length ? lateDays : 0,
      train: (tick) => all()[tick] ?? [],
      test: () => [],
    };
  });
  return {
    name: lateDays > 0 ? 'stations-late' : readings ? 'stations-readings' : 'stations',
    about: `${sites.length} air-quality stations, PM2.5 one hour ahead`,
    fields: FIELDS,
    task: { kind: 'forecast', target: 'pm25' },
    rowMs: HOUR_MS,
    ticks,
    tickMs: HOURS_PER_DAY * HOUR_MS,
    sites,
    ...(readings ? { readings: NEIGHBOURS } : {}),
  };
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.csv.gz'))
      .sort();
  } catch (error) {
    throw new RivuletError('RIV_USAGE', { where: folder, found: (error as Error).message });
  }
}

function daysOf(path: string): Row[][] {
  const [header = '', ...lines] = gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');
  const columns = header.split(',').map((name) => name.replaceAll('"', '').trim());
  const places = MEASURED.map((name) => columns.indexOf(name));
  const wind = columns.indexOf('wd');
  if (places.includes(-1) || wind === -1) {
    throw new RivuletError('RIV_USAGE', { where: path, found: header, expected: `${MEASURED.join(', ')}, wd` });
  }
  const days: Row[][] = [];
  for (const [hour, line] of lines.entries()) {
    const cells = line.split(',').map((cell) => cell.replaceAll('"', '').trim());
    const direction = WINDS.indexOf(cells[wind] as string);
    const angle = direction === -1 ? Number.NaN : (2 * Math.PI * direction) / WINDS.length;
    const x = Float64Array.from([...places.map((place) => numberIn(cells[place])), Math.sin(angle), Math.cos(angle)]);
    const day = Math.floor(hour / HOURS_PER_DAY);
    if (days[day] === undefined) days[day] = [];
    days[day].push({ x, label: null });
  }
  return days;
}

/** NaN for `NA`. */
function numberIn(cell: string | undefined): number {
  return cell === undefined || cell === '' || cell === 'NA' ? Number.NaN : Number(cell);
}
