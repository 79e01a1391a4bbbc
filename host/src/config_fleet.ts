// The part of a configuration that asks for readings of the fleet: an aggregate over what other gateways measure, which
// comes from the coordinator and is a series here like any other (FORMATS.md section 12).

import type { FleetReadingConfig, ForwardConfig, SourceConfig } from './config.ts';
import { FORWARD_MAX } from './config_forward.ts';
import { refuseRepeats } from './config_language.ts';
import { fieldName, NAME_EXPECTED, NAME_PATTERN } from './config_names.ts';
import type { ConfigNode } from './config_node.ts';

/** What a fleet's readings can be made into. */
export const FLEET_STATISTICS = ['mean', 'median', 'min', 'max', 'sum', 'count'] as const;

/** Readings of the fleet of one gateway: each goes up with every report, and comes down with its answer. */
export const FLEET_READINGS_MAX = 32;
/** Gateways that one reading names. */
const GATEWAYS_MAX = 1_000;
/** A reading of another gateway that is so much older than the newest one does not count. */
const MAX_AGE_MS = 3 * 3_600_000;
/** Readings of a field are told at most this often, in event time. */
const TELL_EVERY_MS = 1_000;

/** The key of a fleet reading at a gateway of which no key has the field. */
export const FLEET_KEY = 'fleet';

/** One reading, or a list of them. */
export function parseFleet(
  node: ConfigNode | null,
  scope: { fields: string[] | null; forward: readonly unknown[]; synced: boolean },
): FleetReadingConfig[] {
  if (node === null) return [];
  if (!scope.synced)
    node.fail('RIV_CONFIG_VALUE', '`fleet` without `sync`', 'a coordinator: it is what makes readings of the fleet');
  if (scope.forward.length >= FORWARD_MAX)
    node.fail('RIV_CONFIG_VALUE', `\`fleet\` beside ${FORWARD_MAX} rules of \`forward\``, `at most ${FORWARD_MAX - 1}`);
  const items = node.isList ? node.list(FLEET_READINGS_MAX) : [node];
  const readings = items.map((item) => parseReading(item, scope));
  refuseRepeats(items, readings, 'fleet reading');
  return readings;
}

function parseReading(item: ConfigNode, scope: { fields: string[] | null }): FleetReadingConfig {
  const map = item.map([...FLEET_STATISTICS, 'name', 'of', 'max_age']);
  const given = FLEET_STATISTICS.filter((statistic) => map.get(statistic) !== null);
  const [statistic] = given;
  if (statistic === undefined || given.length > 1)
    return item.fail(
      'RIV_CONFIG_VALUE',
      `\`${item.path}\` asks for ${given.join(' and ') || 'nothing'}`,
      `one of ${FLEET_STATISTICS.join(', ')}, with a field`,
    );
  const field = fieldName(map.need(statistic), scope.fields);
  const of = parseOf(map.need('of'));
  const named = map.get('name');
  const name =
    named?.text(NAME_PATTERN, NAME_EXPECTED) ??
    `${field}_${typeof of === 'string' ? of : FLEET_KEY}`.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(-64);
  if (scope.fields?.includes(name) === true)
    (named ?? item).fail('RIV_CONFIG_VALUE', `a fleet reading named ${name}, as a field is`, '`name` with another one');
  return { name, statistic, field, of, maxAgeMs: map.get('max_age')?.durationMs(1_000) ?? MAX_AGE_MS };
}

function parseOf(node: ConfigNode): FleetReadingConfig['of'] {
  if (node.isList)
    return node.list(GATEWAYS_MAX).map((gateway) => gateway.text(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a gateway'));
  return node.word(['neighbours', 'fleet']) as 'neighbours' | 'fleet';
}

/**
 * How the log has them: messages that the agent itself writes down (door 0), so that nobody else can. They are as late as they may
 * be old: neither is one that is behind its key's own readings lost, nor do they tell what is complete.
 */
export function fleetSources(readings: readonly FleetReadingConfig[]): SourceConfig[] {
  return readings.map(({ name, maxAgeMs }) => ({
    name: `fleet-${name}`,
    topic: fleetTopic(name),
    ...{ share: null, except: [], door: 0, format: 'json', compression: null },
    key: '{key}',
    captures: [{ name: 'key', path: 'rows.*.key' }],
    fields: [{ name, path: 'rows.*.value', absent: null, except: [], sense: null }],
    ...{ where: null, derived: [], time: 'rows.*.at', timeAbsent: null, zone: [], seq: null, seqAbsent: null },
    ...{ repeats: 'marked', nothing: 'quarantine', announces: null, latenessMs: maxAgeMs, adaptive: null, clock: null },
    ...{ clockSkewMaxMs: 0, idleMs: 60_000 },
  }));
}

/** The topic of a fleet reading in the log; nothing is published there. */
export function fleetTopic(name: string): string {
  return `rivulet/fleet/${name}`;
}

/** The rule by which the core tells what this gateway measures of the fields that the fleet is asked for; behind those of the user. */
export function fleetRule(
  readings: readonly FleetReadingConfig[],
): Omit<ForwardConfig, 'topic' | 'qos' | 'retain' | 'unit' | 'deviceClass'>[] {
  if (readings.length === 0) return [];
  const of = [...new Set(readings.map(({ field }) => field))];
  return [{ of, where: null, everyMs: TELL_EVERY_MS, deadband: 0, relative: false, atLeastMs: 0, oneIn: 1 }];
}
