/**
 * Readings of the fleet at a gateway: what it tells of its own measurements with each report, and what the coordinator made of
 * everybody's, as messages for its log (FORMATS.md section 12). From the log on they are a series like any other, so that a
 * replay has them too.
 */
import type { Config } from './config.ts';
import { FLEET_KEY, fleetTopic } from './config_fleet.ts';
import type { Output } from './outputs.ts';
import { publishPacket } from './publish_packet.ts';

/** Keys of a field that are remembered, and get what the fleet says; the one heard of the longest ago makes way. */
const KEYS_MAX = 256;
/** Names in an answer that are looked at. */
const ANSWERS_MAX = 64;

/** What a report says of fleet readings. */
export interface FleetTold {
  /** By field: the mean of the newest readings of this gateway's keys, when the newest of them was, and of how many keys. */
  readings: Record<string, { at: number; value: number; keys: number }>;
  wants: { name: string; statistic: string; field: string; of: string | readonly string[]; max_age_ms: number }[];
}

export interface FleetReadings {
  /** Looks at an output of the core; only its own rule's matter. */
  take(output: Output): void;
  /** For the next report; null: no fleet readings are configured. */
  told(): FleetTold | null;
  /** What an answer to a report holds, as PUBLISH packets for the log; what is not well-formed, or not new, is none. */
  packets(answer: unknown): Buffer[];
}

interface Measured {
  readonly at: number;
  readonly value: number;
}

export function openFleetReadings({ fleet, forward }: Pick<Config, 'fleet' | 'forward'>): FleetReadings {
  const measured = new Map<string, Map<string, Measured>>(fleet.map(({ field }) => [field, new Map()]));
  /** Of each name what was written down last. */
  const written = new Map<string, string>();

  /** Keys of a field that have spoken within `maxAgeMs` of the newest. */
  function fresh(field: string, maxAgeMs: number): [string, Measured][] {
    const keys = [...(measured.get(field) ?? [])];
    const newest = keys.reduce((most, [, { at }]) => Math.max(most, at), Number.NEGATIVE_INFINITY);
    return keys.filter(([, { at }]) => at >= newest - maxAgeMs);
  }

  return {
    take(output) {
      if (output.kind !== 'forward' || output.subject !== forward.length) return;
      const keys = measured.get(output.field);
      if (keys === undefined) return;
      keys.delete(output.key);
      keys.set(output.key, { at: output.time, value: output.value });
      const [oldest] = keys.keys();
      if (keys.size > KEYS_MAX && oldest !== undefined) keys.delete(oldest);
    },
    told() {
      if (fleet.length === 0) return null;
      const readings: FleetTold['readings'] = {};
      for (const { field, maxAgeMs } of fleet) {
        const keys = fresh(field, maxAgeMs);
        if (keys.length === 0) continue;
        const value = keys.reduce((sum, [, { value }]) => sum + value / keys.length, 0);
        readings[field] = { at: Math.max(...keys.map(([, { at }]) => at)), value, keys: keys.length };
      }
      const wants = fleet.map(({ name, statistic, field, of, maxAgeMs }) => ({
        ...{ name, statistic, field, of },
        max_age_ms: maxAgeMs,
      }));
      return { readings, wants };
    },
    packets(answer) {
      const list: unknown[] = Array.isArray(answer) ? answer.slice(0, ANSWERS_MAX) : [];
      return list.flatMap((entry) => {
        const { name, at, age_ms, gateways, value } = (entry ?? {}) as Record<string, unknown>;
        const reading = fleet.find((candidate) => candidate.name === name);
        const numbers = [at, age_ms, gateways, value].every((number) => Number.isFinite(number));
        if (reading === undefined || !numbers || !Number.isSafeInteger(at)) return [];
        const content = `${at} ${value}`;
        if (written.get(reading.name) === content) return [];
        written.set(reading.name, content);
        // No later than what the key itself has measured: else a clock that is ahead elsewhere would make our own readings late.
        const keys = fresh(reading.field, reading.maxAgeMs);
        const own = keys.map(([key, measured]) => ({ key, at: Math.min(at as number, measured.at), value }));
        const rows = own.length > 0 ? own : [{ key: FLEET_KEY, at, value }];
        return [publishPacket(fleetTopic(reading.name), Buffer.from(JSON.stringify({ at, age_ms, gateways, rows })))];
      });
    },
  };
}
