// The configuration of a gateway as the rest of the program sees it: checked, and with every default filled in. How it is
// written as YAML, and what the defaults are, is in config_parse.ts.

import type { ExpertName } from './config_experts.ts';
import type { FLEET_STATISTICS } from './config_fleet.ts';
import type { NotRead } from './home_assistant.ts';
import type { PasswordHash } from './passwords.ts';
import type { TaskKind } from './status.ts';

/** A name or password: itself, or the file it stands in (one line), read at each connection. */
export type Secret = { text: string } | { file: string };

/** A connection to a broker elsewhere. */
export interface MqttDoor {
  kind: 'mqtt';
  /** Its number in block headers: its place in the config, from 1. */
  door: number;
  /** What sources and the status call it. */
  name: string;
  url: string;
  /** MQTT client id; null: `rivulet-GATEWAY`, with `-DOOR` behind it for all but the first door. */
  clientId: string | null;
  user: Secret | null;
  password: Secret | null;
  /** Files in PEM, read at each connection; null for an unencrypted connection. */
  tls: { ca: string | null; cert: string | null; key: string | null; serverName: string | null } | null;
  /** Quality of service asked for when subscribing. */
  qos: 0 | 1 | 2;
  /** MQTT version; null: 5 is tried, then 4 (3.1.1). */
  protocol: 4 | 5 | null;
  /** Messages that the broker may have unacknowledged on their way to us (MQTT 5); null: as many as it likes. */
  receiveMaximum: number | null;
  /** Topic of the retained birth message and last will; null: none. */
  presence: string | null;
  /** Silence after which the connection is taken for dead; null: learned from how messages came; 0: never. */
  staleAfterMs: number | null;
}

/** The embedded broker. */
export interface BrokerDoor {
  kind: 'broker';
  door: number;
  name: string;
  /** TCP port; 0: any free one. */
  listen: number;
  host: string;
  /** Files in PEM, read at the start; with `ca`, clients must show a certificate signed by it. Null: unencrypted. */
  tls: { cert: string; key: string; ca: string | null } | null;
  users: BrokerUser[];
  /** Clients without a user name may connect, and may do all. */
  anonymous: boolean;
  limits: {
    /** Connections at a time. */
    clients: number;
    /** Of them with one user name. */
    clientsPerUser: number;
    /** Messages a second of one client, above which they are slowed down; null: any. */
    messagesPerSecond: number | null;
    /** Messages kept for one subscriber that is away or slow; further ones are dropped for it and counted. */
    queue: number;
  };
}

/** Someone who may connect to the embedded broker. */
export interface BrokerUser {
  name: string;
  hash: PasswordHash;
  /** Topic filters of what it may publish and subscribe to, with `{user}` and `{client}`. */
  publish: string[];
  subscribe: string[];
}

/** Where messages come in. */
export type Door = MqttDoor | BrokerDoor;

/** Comma-separated lines. */
export interface CsvFormat {
  separator: string;
  /** Names of the columns; each line then has as many cells. */
  columns: string[];
  /** True when each payload's first line names the columns. */
  header: boolean;
}

/** One value of a fixed binary layout. */
export interface LayoutValue {
  name: string;
  /** Bytes before it. */
  at: number;
  /** `u`, `i` or `f` and its bits: `i16`. */
  type: string;
  endian: 'big' | 'little';
  /** The lowest bit that counts and how many do; empty: all. */
  bits: number[];
  scale: number;
  add: number;
}

/** How payloads are laid out, as the plan writes it. */
export type FormatConfig =
  | 'auto'
  | 'json'
  | 'number'
  | 'cbor'
  | 'msgpack'
  | 'senml'
  | 'sparkplug'
  | { influx: { precision: 'ns' | 'us' | 'ms' | 's' } }
  | { csv: CsvFormat }
  /** Bytes of a payload (0: up to the end of the last value, or more) and what stands in it. */
  | { binary: { length: number; values: LayoutValue[] } };

/** Compression of payloads; `auto`: gzip, zlib, zstd or none by the first bytes. */
export const COMPRESSIONS = ['auto', 'gzip', 'zlib', 'deflate', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** What a field's readings mean, and what they can be. */
export interface SenseConfig {
  /** Words, truth values or numbers that stand for a number. */
  words: { is: string; means: number }[];
  /** Other numbers become ((number + before) × times) ÷ by + after; empty: they stay. */
  linear: number[];
  /** The least and the largest that can be measured, after all that; empty: any. */
  range: number[];
  /** The greatest change, and the milliseconds that it takes. */
  rateMax: { change: number; perMs: number } | null;
  /** How long a reading may stay the same: event time, or readings that equal the first. */
  stuckAfter: { ms: number } | { readings: number } | null;
  /** What is done about a reading that breaks this; null: its message is quarantined, a word that is none is no reading. */
  onViolation: 'quarantine' | 'flag' | 'drop' | null;
}

/** A number that is read. */
export interface FieldConfig {
  /** Template over the captures of the topic and the payload. */
  name: string;
  path: string;
  /** What is read where nothing stands, in a row with something else; null: nothing. */
  absent: number | null;
  /** What the wildcards of the path pass over. */
  except: string[];
  /** Its contract; null: any number is as good as another. */
  sense: SenseConfig | null;
}

/** A value of the payload that keys and field names are made of. */
export interface CaptureConfig {
  name: string;
  path: string;
  /** What it is where it does not stand; without, rows that need it are none. */
  absent?: string;
}

/** A field as an expression over others (wasm-core/engine/src/expression.rs). */
export interface DerivedConfig {
  name: string;
  expression: string;
}

/** Numbers by key that do not come from devices. */
export interface LookupConfig {
  name: string;
  columns: string[];
  /** In the byte order of their keys; a value per column. */
  rows: { key: string; values: (number | null)[] }[];
}

/** Features under a name, with who answers for them. */
export interface FeatureSetConfig {
  name: string;
  owner: string;
  description: string;
  features: { name: string; unit: string; description: string }[];
}

/** Which messages are read, and how. */
export interface SourceConfig {
  name: string;
  /** MQTT topic filter in which `{name}` captures one level and `{name#}`, at the end, all that are left. */
  topic: string;
  /** Group of a shared subscription (`$share/GROUP/…`); null: every message comes here. */
  share: string | null;
  /** Topics among them that are not read. */
  except: string[];
  /** Only messages of this door; null: of any. */
  door: number | null;
  format: FormatConfig;
  /** How payloads may be compressed; null: not at all. */
  compression: Compression | null;
  /** Template over the captures of the topic and the payload. */
  key: string;
  fields: FieldConfig[];
  /** Values of the payload that keys and field names are made of. */
  captures: CaptureConfig[];
  /** An expression over the readings of a row and the last ones of its key: only where it is true a row is taken; null: all. */
  where: string | null;
  /** Fields that are made of others of the same key. */
  derived: DerivedConfig[];
  time: string | null;
  /** What holds where no time stands, or one of a clock that was not set; null: the format says so, mostly that it is wrong. */
  timeAbsent: 'arrival' | null;
  /** Times that name no zone: since when (epoch milliseconds) which offset (minutes) holds; empty: UTC. */
  zone: [number, number][];
  seq: string | null;
  /** The counter where it does not stand. */
  seqAbsent: number | null;
  /** How a device that counts nothing is known to repeat itself: only by DUP and packet id, or by event time and content as well. */
  repeats: 'marked' | 'event_time';
  /** What becomes of a message in which nothing is found to read. */
  nothing: 'quarantine' | 'filter';
  /** Its messages are no readings but say what other topics hold, as this does: sources are made of them; null: they are readings. */
  announces: 'home_assistant' | null;
  latenessMs: number;
  /** Wait as long as this share of the readings takes, at most `maxMs`; null: `latenessMs`. */
  adaptive: { quantile: number; maxMs: number } | null;
  /** What is done about event times further off than `clockSkewMaxMs`; null: those ahead are refused. */
  clock: 'quarantine' | 'correct' | null;
  /** How far event time may be off arrival; 0: any. */
  clockSkewMaxMs: number;
  idleMs: number;
}

/** How readings are put into windows. */
export type WindowShape =
  | { kind: 'tumbling'; everyMs: number }
  | { kind: 'sliding'; sizeMs: number; everyMs: number }
  | { kind: 'session'; gapMs: number }
  /** Readings of a window, and after how many the next begins. */
  | { kind: 'count'; count: number; step: number }
  | { kind: 'global' };

/** What puts a window out before its end. */
export interface TriggerConfig {
  /** New readings; 0: it does not count. */
  count: number;
  /** Event time; 0: it does not look at the time. */
  everyMs: number;
  /** A reading of a field of the same key with this value. */
  on: { field: string; value: number } | null;
  /** True for a global window that begins anew with each result. */
  reset: boolean;
}

/** A window over some fields. */
export interface WindowConfig {
  name: string;
  shape: WindowShape;
  /** Fields; empty: all. */
  of: string[];
  /** Pattern over keys: those with the same captures share windows; null: each key has its own. */
  over: string | null;
  /** Names of statistics. */
  stats: string[];
  latenessMs: number;
  /** How much longer late readings correct a result that is out. */
  allowedLatenessMs: number;
  trigger: TriggerConfig | null;
}

/** Where the truth of a classification or regression comes from. */
export interface LabelConfig {
  topic: string;
  key: string;
  /** In a format of records each is a label. */
  format: FormatConfig;
  path: string;
  time: string | null;
  /** Where whoever labels puts a number that counts up, for each topic by itself. */
  seq: string | null;
  /** Where a label names the prediction it is for; one that names none is for its time, or for the latest. */
  id: string | null;
  conflicts: (typeof LABEL_CONFLICTS)[number];
  breaker: (typeof LABEL_BREAKERS)[number];
}

/** What becomes of a second label that contradicts the first: the first stays, the second corrects it, it is quarantined. */
export const LABEL_CONFLICTS = ['first', 'last', 'quarantine'] as const;
/** What becomes of labels when they, or the time they take, are suddenly others than they were. */
export const LABEL_BREAKERS = ['off', 'ignore', 'hold'] as const;

/** One thing to predict. */
export interface TaskConfig {
  name: string;
  kind: TaskKind;
  /** The field of a forecast or anomaly task; null otherwise. */
  target: string | null;
  horizonMs: number;
  label: LabelConfig | null;
  /** Names of features; empty: the automatic set. */
  features: string[];
  /** The named sets among which they were named. */
  featureSets: string[];
  /** Shortest event time between two predictions of a key; 0: none. */
  everyMs: number;
  /** How long a prediction waits for its label. */
  waitMs: number;
  toleranceMs: number;
  /** Alarm score of an anomaly task; 0 otherwise. */
  threshold: number;
  /** What its panel of experts may cost; absent: the core's default. */
  budget?: BudgetConfig;
  /** The experts its panel begins with; absent: the core's default. */
  experts?: ExpertName[];
  /** What is watched for drift; absent: the core's default. */
  drift?: DriftConfig;
}

/** What a task watches for drift, and what it does then. */
export interface DriftConfig {
  detector: (typeof DRIFT_DETECTORS)[number];
  /** Values between two false alarms. */
  runLength: number;
  /** Empty: nothing is watched. */
  on: (typeof DRIFT_ON)[number][];
  do: (typeof DRIFT_DO)[number][];
}

/** Detectors of change (LEARNING.md). */
export const DRIFT_DETECTORS = ['adwin', 'page_hinkley', 'cusum', 'ddm', 'eddm', 'hddm_a', 'hddm_w', 'kswin'] as const;
/** What can be watched: the error as scored, what is served, each feature, all features at once, labels and their delay. */
export const DRIFT_ON = ['error', 'prediction', 'features', 'multivariate', 'labels'] as const;
/**
 * What can be done: tell people, ask the coordinator, let the panel trust its past less; and when the error has risen, of a
 * classification: an expert begins anew, what it knew is frozen and returns with its world, it is taught the newest rows.
 */
export const DRIFT_DO = ['alert', 'sync', 'adapt', 'reset', 'anchor', 'replay', 'hold', 'columns'] as const;
/** Of these, what a classification alone can do. */
export const DRIFT_MEMORY: readonly string[] = ['reset', 'anchor', 'replay', 'hold', 'columns'];
/** Of these, what a network alone can do. */
export const DRIFT_NETWORK: readonly string[] = ['hold', 'columns'];

/** What a panel of experts may cost: nominal CPU per example to serve and learn, and memory. */
export interface BudgetConfig {
  perExampleNs: number;
  memoryBytes: number;
}

/** How a message is published. */
export interface DeliveryConfig {
  qos: 0 | 1;
  retain: boolean;
}

/** What is published, and where. */
export interface OutputConfig extends DeliveryConfig {
  what: 'predictions' | 'windows' | 'alarms' | 'drift' | 'late';
  /** Name of a task or window; `*`: all. */
  of: string;
  /** Template over gateway, task, window, key, field. */
  topic: string;
}

/** Readings that go on as they are, thinned out. */
export interface ForwardConfig extends DeliveryConfig {
  /** Fields; empty: all. */
  of: string[];
  /** An expression over the key's fields and `value`; null: always. */
  where: string | null;
  /** Least event time between two of a series. */
  everyMs: number;
  /** Only what differs by more from what was sent last; 0: any. */
  deadband: number;
  /** The deadband is a share of that. */
  relative: boolean;
  /** Sent within the deadband too when it was this long ago; 0: never. */
  atLeastMs: number;
  /** One of so many. */
  oneIn: number;
  /** Template over gateway, key and field. */
  topic: string;
  /** What Home Assistant is told; empty: nothing. */
  unit: string;
  deviceClass: string;
}

/** A reading of the fleet: an aggregate over what gateways measure, each gateway counting once. */
export interface FleetReadingConfig {
  /** The field that it is here. */
  name: string;
  statistic: (typeof FLEET_STATISTICS)[number];
  /** What is measured, there and here. */
  field: string;
  /** All other gateways, all with this one, or those named. */
  of: 'neighbours' | 'fleet' | string[];
  /** What is older than the newest by more does not count. */
  maxAgeMs: number;
}

/** The bounds of the core's state. */
export interface LimitsConfig {
  keys: number;
  fields: number;
  pendingPerKey: number;
  payloadBytes: number;
  classes: number;
}

/** How long a beat is, in milliseconds; `fewMs`: where it brings few messages. The same where the user has said how long. */
export interface CommitConfig {
  beatMs: number;
  fewMs: number;
}

/** Where the coordinator is, and how it is spoken to. */
export interface SyncConfig {
  /** The coordinator's address, or with `mqtt:` or `mqtts:` that of a broker where it answers. */
  url: string;
  /** Version of MQTT at that broker: 4 is 3.1.1. */
  protocol: 4 | 5;
  everyMs: number;
  /** What sync may send and receive in a day; null: what it needs. */
  bytesPerDay: number | null;
  token: string | null;
  /** Files for https and mqtts; null: the authorities that Node knows, and no certificate of our own. */
  tls: { ca: string | null; cert: string | null; key: string | null } | null;
}

/** A gateway's configuration with every default filled in. */
export interface Config {
  gateway: string;
  about: string;
  simulated: boolean;
  state: string;
  doors: Door[];
  sources: SourceConfig[];
  /** What publishers announced and no source can read. */
  notRead: NotRead[];
  lookups: LookupConfig[];
  windows: WindowConfig[];
  featureSets: FeatureSetConfig[];
  tasks: TaskConfig[];
  outputs: OutputConfig[];
  forward: ForwardConfig[];
  /** Their sources are the last ones. */
  fleet: FleetReadingConfig[];
  /** Topic prefix under which forwarded and predicted values are announced to Home Assistant; null: they are not. */
  homeAssistant: { prefix: string } | null;
  limits: LimitsConfig;
  /** What is kept for replay: null is no limit of that kind. */
  log: { commit: CommitConfig; keepBytes: number | null; keepMs: number | null };
  checkpoint: { everyMs: number };
  /** How often served features are proved to be what the log gives, and for how many keys of a task; null: not by itself. */
  verify: { everyMs: number; keys: number } | null;
  sync: SyncConfig | null;
}
