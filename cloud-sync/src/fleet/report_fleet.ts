/** What a report says of fleet readings, parsed at the door (FORMATS.md section 12). */
import { FLEET_READINGS_MAX, FLEET_STATISTICS, RivuletError } from '@rivulet/host';

/** Gateways that one reading may name. */
const GATEWAYS_MAX = 1_000;
const NAME_MAX = 256;

/** An aggregate that a gateway asks for. */
export interface FleetWant {
  readonly name: string;
  readonly statistic: (typeof FLEET_STATISTICS)[number];
  readonly field: string;
  readonly of: 'neighbours' | 'fleet' | readonly string[];
  readonly maxAgeMs: number;
}

export interface FleetReport {
  /** By field: the newest reading, the mean of the gateway's keys. */
  readonly readings: ReadonlyMap<string, { readonly at: number; readonly value: number }>;
  readonly wants: readonly FleetWant[];
}

const NOTHING: FleetReport = { readings: new Map(), wants: [] };

/** Throws `RIV_REQUEST`. An agent that has none, or is of before, says nothing. */
export function parseFleetReport(value: unknown): FleetReport {
  if (value === undefined || value === null) return NOTHING;
  const { readings = {}, wants = [] } = objectOf(value, 'fleet');
  const entries = Object.entries(objectOf(readings, 'fleet.readings'));
  const list = Array.isArray(wants) ? (wants as unknown[]) : refuse('`fleet.wants` is no list');
  if (entries.length > FLEET_READINGS_MAX || list.length > FLEET_READINGS_MAX)
    refuse(`more than ${FLEET_READINGS_MAX} fleet readings`);
  return {
    readings: new Map(
      entries.map(([field, reading]) => {
        const { at, value } = objectOf(reading, 'a reading');
        return [nameOf(field), { at: timeOf(at), value: finite(value) }];
      }),
    ),
    wants: list.map(wantOf),
  };
}

function wantOf(value: unknown): FleetWant {
  const { name, statistic, field, of, max_age_ms } = objectOf(value, 'a wanted reading');
  const known = FLEET_STATISTICS.find((candidate) => candidate === statistic);
  return {
    name: nameOf(name),
    statistic: known ?? refuse(`a fleet reading by ${JSON.stringify(statistic)}`),
    field: nameOf(field),
    of: ofWhom(of),
    maxAgeMs: Math.max(0, finite(max_age_ms)),
  };
}

function ofWhom(value: unknown): FleetWant['of'] {
  if (value === 'neighbours' || value === 'fleet') return value;
  if (!Array.isArray(value) || value.length > GATEWAYS_MAX) return refuse('a fleet reading of nobody that is known');
  return value.map(nameOf);
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  return refuse(`${what} that is no object`);
}

function nameOf(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= NAME_MAX) return value;
  return refuse('a fleet reading without a name');
}

function finite(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return refuse('a number of a fleet reading that is none');
}

function timeOf(value: unknown): number {
  const time = finite(value);
  return Number.isSafeInteger(time) ? time : refuse('a time of a fleet reading that is none');
}

function refuse(found: string): never {
  throw new RivuletError('RIV_REQUEST', { found, expected: 'the form of FORMATS.md section 12' });
}
