// From a YAML file to a checked configuration with every default filled in. Each default stands beside its reason; what is
// not written here cannot be configured. The order of the functions is the order of the file in design.md section 10.

import { hostname } from 'node:os';
import type {
  CommitConfig,
  Config,
  FeatureSetConfig,
  LimitsConfig,
  OutputConfig,
  SourceConfig,
  TaskConfig,
  WindowConfig,
} from './config.ts';
import { parseBudget } from './config_budget.ts';
import { type Environment, parseDoors, parseUrl } from './config_doors.ts';
import { parseDrift } from './config_drift.ts';
import { parseExperts } from './config_experts.ts';
import { parseFeatureSets, parseLookups, parseTaskFeatures } from './config_features.ts';
import { fleetSources, parseFleet } from './config_fleet.ts';
import { parseDelivery, parseForward, parseHomeAssistant, publishTopic } from './config_forward.ts';
import { parseLabel } from './config_labels.ts';
import { refuseRepeats } from './config_language.ts';
import { fieldName, NAME_EXPECTED, NAME_PATTERN } from './config_names.ts';
import { type ConfigMap, type ConfigNode, readConfigFile } from './config_node.ts';
import { parseSources } from './config_source.ts';
import { parseWindows } from './config_windows.ts';
import { type FeatureScope, writtenFields } from './features.ts';
import type { Announcing } from './home_assistant.ts';
import { formatDuration } from './units.ts';

/** Predictions of a forecast at most this many per horizon and key, so that few are pending. */
const FORECASTS_PER_HORIZON = 60;
/** Classifications and regressions at most this often per key. */
const PREDICT_EVERY_MS = 60_000;
/** How long a prediction waits for a label from a topic: people and batch jobs label within a day. */
const LABEL_WAIT_MS = 24 * 3_600_000;
/** A label names a time; the prediction it is for may be this much older. */
const LABEL_TOLERANCE_MS = 10 * 60_000;
/** How long an anomaly task waits for the next reading. */
const NEXT_READING_WAIT_MS = 3_600_000;
/** Alarm above this many robust deviations: about one in a million for well-behaved errors. */
const ALARM_THRESHOLD = 6;

/** Defaults of the bounds on the core's state: thousands of devices within some tens of megabytes. */
const LIMITS: LimitsConfig = { keys: 10_000, fields: 256, pendingPerKey: 4096, payloadBytes: 256 * 1024, classes: 64 };

/**
 * A beat of 18 ms costs little latency and keeps syncs rare (per second at most 56). It costs much the same whatever it brings,
 * so where that is little it is longer; PERFORMANCE.md says what each costs.
 */
const COMMIT: CommitConfig = { beatMs: 18, fewMs: 36 };
const LOG_KEEP_BYTES = 2e9;
/** A restart folds at most about this much log again. */
const CHECKPOINT_EVERY_MS = 5000;
/** The stretch between two checkpoints folded again each ten minutes costs about a hundredth of the fold. */
const VERIFY_EVERY_MS = 10 * 60_000;
const VERIFY_KEYS = 16;
const SYNC_BYTES_PER_DAY_MIN = 10_000;
const SYNC_EVERY_MS = 5 * 60_000;

const GATEWAY_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

// What the core follows at most (wasm-core/engine/src: plan, decode): what is accepted here opens there.
const TASKS_MAX = 64;

const TOP_KEYS = [
  'gateway',
  'about',
  'simulated',
  'state',
  'mqtt',
  'broker',
  'sources',
  'lookups',
  'windows',
  'features',
  'tasks',
  'outputs',
  'forward',
  'home_assistant',
  'limits',
  'log',
  'checkpoint',
  'verify',
  'sync',
  'fleet',
] as const;

/**
 * Reads a configuration.
 * @param environment where `{ env: NAME }` is looked up; null when nothing is to be connected: secrets are then left out
 * @throws RIV_CONFIG_SYNTAX, RIV_CONFIG_UNKNOWN, RIV_CONFIG_MISSING, RIV_CONFIG_VALUE, each at file:line:column
 */
export function parseConfig(
  yaml: string,
  fileName: string,
  environment: Environment = null,
  announced: readonly Announcing[] = [],
): Config {
  const root = readConfigFile(yaml, fileName);
  const top = root.map(TOP_KEYS);
  const gateway =
    top.get('gateway')?.text(GATEWAY_PATTERN, 'letters, digits, dot, dash and underscore, at most 64') ?? hostId();
  const doors = parseDoors(root, top, gateway, environment);
  const limits = parseLimits(top.get('limits'));
  const { sources: written, notRead } = parseSources(top.need('sources'), doors, announced);
  const sync = parseSync(top.get('sync'));
  const fleet = parseFleet(top.get('fleet'), {
    ...{ fields: knownFields(written), synced: sync !== null },
    forward: top.get('forward')?.list() ?? [],
  });
  const sources = [...written, ...fleetSources(fleet)];
  const fields = knownFields(sources);
  const windows = parseWindows(top.get('windows'), sources, fields);
  const lookups = parseLookups(top.get('lookups'), fileName);
  const scope = { sources, windows, lookups };
  const featureSets = parseFeatureSets(top.get('features'), scope);
  const tasks = parseTasks(top.get('tasks'), { ...scope, featureSets, fields }, limits);
  const forwarded = parseForward(top.get('forward'), { sources, fields, windows });
  return {
    gateway,
    about: top.get('about')?.text() ?? '',
    simulated: top.get('simulated')?.flag() ?? false,
    state: top.get('state')?.text(/./, 'a directory') ?? 'rivulet-state',
    doors,
    sources,
    notRead,
    lookups,
    windows,
    featureSets,
    tasks,
    outputs: [...parseOutputs(top.get('outputs'), gateway, windows, tasks), ...forwarded.windows],
    forward: forwarded.forward,
    fleet,
    homeAssistant: parseHomeAssistant(top.get('home_assistant')),
    limits,
    log: parseLog(top.get('log')),
    checkpoint: {
      everyMs: top.get('checkpoint')?.map(['every']).get('every')?.durationMs(100) ?? CHECKPOINT_EVERY_MS,
    },
    verify: parseVerify(top.get('verify')),
    sync,
  };
}

/** The host's name with whatever a gateway id cannot hold replaced. */
function hostId(): string {
  const id = hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
  return id === '' ? 'gateway' : id;
}

/** Field names that are written out; null when a source takes names from its topics, so that any may come. */
function knownFields(sources: readonly SourceConfig[]): string[] | null {
  const { fields, open } = writtenFields(sources);
  return open ? null : fields;
}

const TASK_KEYS = [
  'name',
  'forecast',
  'anomaly',
  'classify',
  'regress',
  'horizon',
  'features',
  'every',
  'wait',
  'tolerance',
  'threshold',
  'budget',
  'experts',
  'drift',
] as const;
type TaskMap = ConfigMap<(typeof TASK_KEYS)[number]>;

/** What a task can name. */
interface TaskScope extends FeatureScope {
  featureSets: readonly FeatureSetConfig[];
  fields: string[] | null;
}

function parseTasks(node: ConfigNode | null, scope: TaskScope, limits: LimitsConfig): TaskConfig[] {
  const items = node?.list(TASKS_MAX) ?? [];
  const tasks = items.map((item) => parseTask(item.map(TASK_KEYS), scope, limits));
  refuseRepeats(items, tasks, 'task');
  return tasks;
}

function parseTask(map: TaskMap, scope: TaskScope, limits: LimitsConfig): TaskConfig {
  const { sources, fields } = scope;
  const kinds = (['forecast', 'anomaly', 'classify', 'regress'] as const).filter((kind) => map.get(kind) !== null);
  const kind = kinds[0];
  if (kind === undefined || kinds.length > 1)
    return map.node.fail(
      'RIV_CONFIG_VALUE',
      `\`${map.node.path}\` has ${kinds.length === 0 ? 'nothing to predict' : kinds.join(' and ')}`,
      'exactly one of forecast, anomaly, classify, regress',
    );
  const experts = parseExperts(map.get('experts'), kind === 'classify' ? 'classes' : 'numbers');
  const base = {
    name: map.need('name').text(NAME_PATTERN, NAME_EXPECTED),
    ...parseTaskFeatures(map.get('features'), scope.featureSets, scope),
    ...parseBudget(map.get('budget')),
    ...experts,
    ...parseDrift(map.get('drift'), kind === 'classify', experts.experts?.includes('network') ?? false),
  };
  switch (kind) {
    case 'forecast':
      return parseForecast(map, base, fields, limits);
    case 'anomaly':
      refuseKeys(map, ['horizon', 'tolerance'], 'an anomaly task looks one reading ahead');
      return {
        ...base,
        kind: 'anomaly',
        target: fieldName(map.need('anomaly'), fields),
        horizonMs: 0,
        label: null,
        everyMs: map.get('every')?.durationMs(0) ?? 0,
        waitMs: map.get('wait')?.durationMs(1) ?? NEXT_READING_WAIT_MS,
        toleranceMs: 0,
        threshold: map.get('threshold')?.number(0.1, 1e6) ?? ALARM_THRESHOLD,
      };
    case 'classify':
    case 'regress':
      return parseLabelled(map, base, kind, sources, limits);
  }
}

type TaskBase = Pick<TaskConfig, 'name' | 'features' | 'featureSets' | 'budget' | 'experts' | 'drift'>;

function parseForecast(map: TaskMap, base: TaskBase, fields: string[] | null, limits: LimitsConfig): TaskConfig {
  refuseKeys(map, ['wait', 'threshold'], 'a forecast waits for horizon and tolerance');
  const horizonMs = map.need('horizon').durationMs(1);
  const toleranceMs = map.get('tolerance')?.durationMs(0) ?? Math.max(1000, Math.floor(horizonMs / 4));
  const everyMs = map.get('every')?.durationMs(0) ?? Math.floor(horizonMs / FORECASTS_PER_HORIZON);
  const waitMs = horizonMs + toleranceMs;
  refuseManyPending(map, everyMs, waitMs, limits);
  const target = fieldName(map.need('forecast'), fields);
  return { ...base, kind: 'forecast', target, horizonMs, label: null, everyMs, waitMs, toleranceMs, threshold: 0 };
}

function parseLabelled(
  map: TaskMap,
  base: TaskBase,
  kind: 'classify' | 'regress',
  sources: readonly SourceConfig[],
  limits: LimitsConfig,
): TaskConfig {
  refuseKeys(map, ['horizon', 'threshold'], `a task that is to ${kind} has none`);
  const waitMs = map.get('wait')?.durationMs(1) ?? LABEL_WAIT_MS;
  const everyMs =
    map.get('every')?.durationMs(0) ?? Math.max(PREDICT_EVERY_MS, Math.ceil(waitMs / limits.pendingPerKey));
  refuseManyPending(map, everyMs, waitMs, limits);
  return {
    ...base,
    kind: kind === 'classify' ? 'classification' : 'regression',
    target: null,
    horizonMs: 0,
    label: parseLabel(map.need(kind), sources),
    everyMs,
    waitMs,
    toleranceMs: map.get('tolerance')?.durationMs(0) ?? Math.max(LABEL_TOLERANCE_MS, 2 * everyMs),
    threshold: 0,
  };
}

function refuseKeys(map: TaskMap, keys: readonly (typeof TASK_KEYS)[number][], why: string): void {
  for (const key of keys) map.get(key)?.fail('RIV_CONFIG_VALUE', `\`${key}\` has no meaning here`, `none: ${why}`);
}

function refuseManyPending(map: TaskMap, everyMs: number, waitMs: number, limits: LimitsConfig): void {
  if (everyMs === 0 || waitMs / everyMs <= limits.pendingPerKey) return;
  (map.get('every') ?? map.node).fail(
    'RIV_CONFIG_VALUE',
    `predictions every ${formatDuration(everyMs)} that wait ${formatDuration(waitMs)} would be ${Math.ceil(waitMs / everyMs)} pending per key`,
    `at most ${limits.pendingPerKey} (limits.pending_per_key)`,
  );
}

const OUTPUT_KINDS = ['predictions', 'windows', 'alarms', 'drift', 'late'] as const;

function parseOutputs(
  node: ConfigNode | null,
  gateway: string,
  windows: readonly WindowConfig[],
  tasks: readonly TaskConfig[],
): OutputConfig[] {
  if (node === null)
    return [
      { what: 'predictions', of: '*', topic: `rivulet/${gateway}/{task}/{key}`, qos: 1, retain: false },
      { what: 'alarms', of: '*', topic: `rivulet/${gateway}/alarms/{task}/{key}`, qos: 1, retain: false },
      { what: 'drift', of: '*', topic: `rivulet/${gateway}/drift/{task}`, qos: 1, retain: false },
    ];
  return node.list().map((item) => {
    const map = item.map([...OUTPUT_KINDS, 'topic', 'qos', 'retain']);
    const what = OUTPUT_KINDS.filter((kind) => map.get(kind) !== null);
    const [kind] = what;
    if (kind === undefined || what.length > 1)
      return item.fail(
        'RIV_CONFIG_VALUE',
        `\`${item.path}\` names ${what.join(' and ') || 'nothing'}`,
        `one of ${OUTPUT_KINDS.join(', ')}`,
      );
    const ofWindows = kind === 'windows' || kind === 'late';
    const names = (ofWindows ? windows : tasks).map(({ name }) => name);
    const placeholders = ofWindows ? ['gateway', 'window', 'key', 'field'] : ['gateway', 'task', 'key'];
    const topic = publishTopic(map.need('topic'), placeholders);
    return { what: kind, of: map.need(kind).word(['*', ...names]), topic, ...parseDelivery(map) };
  });
}

function parseLimits(node: ConfigNode | null): LimitsConfig {
  const map = node?.map(['keys', 'fields', 'pending_per_key', 'payload_bytes', 'classes']);
  return {
    keys: map?.get('keys')?.integer(1, 1_000_000) ?? LIMITS.keys,
    fields: map?.get('fields')?.integer(1, 4096) ?? LIMITS.fields,
    pendingPerKey: map?.get('pending_per_key')?.integer(1, 65_536) ?? LIMITS.pendingPerKey,
    payloadBytes: payloadBytes(map?.get('payload_bytes') ?? null),
    classes: map?.get('classes')?.integer(2, 1024) ?? LIMITS.classes,
  };
}

/** A message must fit a block with room for its topic. */
function payloadBytes(node: ConfigNode | null): number {
  const bytes = node?.bytes() ?? LIMITS.payloadBytes;
  const maximum = 8 * 1024 * 1024;
  if (bytes < 1 || bytes > maximum)
    node?.fail('RIV_CONFIG_VALUE', `a payload limit of ${bytes} bytes`, `1 to ${maximum}`);
  return bytes;
}

function parseLog(node: ConfigNode | null): Config['log'] {
  const map = node?.map(['commit', 'keep']);
  const commit = map?.get('commit');
  const beatMs = commit?.durationMs(0);
  // Longer than this and brokers take the connection for dead.
  if (beatMs !== undefined && beatMs > 1000)
    commit?.fail('RIV_CONFIG_VALUE', `a commit interval of ${formatDuration(beatMs)}`, 'at most 1s');
  return { commit: beatMs === undefined ? COMMIT : { beatMs, fewMs: beatMs }, ...keep(map?.get('keep') ?? null) };
}

/** A size, an age, or a list of both: whichever is reached first. An age alone leaves the size without a limit. */
function keep(node: ConfigNode | null): Pick<Config['log'], 'keepBytes' | 'keepMs'> {
  if (node === null) return { keepBytes: LOG_KEEP_BYTES, keepMs: null };
  let keepBytes: number | null = null;
  let keepMs: number | null = null;
  for (const limit of node.isList ? node.list(2) : [node]) {
    const isAge = /^\s*\d.*(ms|[smhd])\s*$/.test(
      limit.text(/^/, 'a size such as 2GB, an age such as 30d, or both in a list'),
    );
    if (isAge ? keepMs !== null : keepBytes !== null)
      limit.fail('RIV_CONFIG_VALUE', `two ${isAge ? 'ages' : 'sizes'}`, 'a size and an age, such as [2GB, 30d]');
    if (isAge) keepMs = limit.durationMs(1000);
    else keepBytes = limit.bytes();
  }
  return { keepBytes, keepMs };
}

function parseVerify(node: ConfigNode | null): Config['verify'] {
  if (node === null) return null;
  const map = node.map(['every', 'keys']);
  return {
    everyMs: map.get('every')?.durationMs(1000) ?? VERIFY_EVERY_MS,
    keys: map.get('keys')?.integer(1, 10_000) ?? VERIFY_KEYS,
  };
}

function bytesPerDay(node: ConfigNode | null): number | null {
  const bytes = node?.bytes() ?? null;
  if (bytes !== null && bytes < SYNC_BYTES_PER_DAY_MIN)
    node?.fail('RIV_CONFIG_VALUE', `\`${node.path}\` is ${bytes} bytes`, 'at least 10KB: a report a day takes some');
  return bytes;
}

function parseSync(node: ConfigNode | null): Config['sync'] {
  if (node === null) return null;
  const map = node.map(['url', 'every', 'token', 'ca', 'cert', 'key', 'protocol', 'bytes_per_day']);
  const url = parseUrl(map.need('url'), ['http:', 'https:', 'mqtt:', 'mqtts:']);
  const protocol = map.get('protocol');
  if (protocol !== null && !url.startsWith('mqtt'))
    protocol.fail('RIV_CONFIG_VALUE', '`sync.protocol` beside a URL of HTTP', 'a URL with mqtt:// or mqtts://');
  const file = (key: 'ca' | 'cert' | 'key'): string | null => {
    const path = map.get(key);
    if (path !== null && !/^(https|mqtts):/.test(url))
      path.fail('RIV_CONFIG_VALUE', `\`${path.path}\` beside ${url}`, 'a URL with https:// or mqtts://');
    return path?.text(/./, 'a file') ?? null;
  };
  const tls = { ca: file('ca'), cert: file('cert'), key: file('key') };
  if ((tls.cert === null) !== (tls.key === null))
    node.fail('RIV_CONFIG_MISSING', '`sync` has only one of `cert` and `key`', 'both, or neither');
  return {
    url,
    protocol: (protocol?.integer(4, 5) ?? 4) as 4 | 5,
    tls: tls.ca === null && tls.cert === null ? null : tls,
    everyMs: map.get('every')?.durationMs(100) ?? SYNC_EVERY_MS,
    bytesPerDay: bytesPerDay(map.get('bytes_per_day')),
    token: map.get('token')?.text(/^[\x21-\x7e]+$/, 'visible characters') ?? null,
  };
}
