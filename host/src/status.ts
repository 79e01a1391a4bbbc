// The shapes in which a gateway tells how it is: lines of `rivulet run --status-json` and bodies of
// `POST /api/v1/reports`. Snake case, since they are JSON that people and other programs read.

/** What became of every message; `received` is always the sum of the other six. */
export interface Ledger {
  received: number;
  used: number;
  late: number;
  duplicate: number;
  retained: number;
  filtered: number;
  quarantined: number;
}

/** How a reading broke its contract. */
export type Violation = 'range' | 'rate' | 'stuck' | 'word';

/** The ledger of one source, with what its device numbers allow to promise. */
export interface SourceStatus extends Ledger {
  name: string;
  /** Device numbers that are missing. */
  gaps: number;
  /** Messages whose device number is older than what is remembered: used, though they may have been here. */
  unknown: number;
  /** Times that a device began to count anew. */
  restarts: number;
  /** Messages in quarantine, by the code of the reason. */
  quarantined_by: Record<string, number>;
  /** Readings that broke the contract of their field, whatever was done about them. */
  violations: Partial<Record<Violation, number>>;
  guarantee: 'exactly once' | 'best effort';
  guarantee_why: string;
}

/** One expert of a panel. */
export interface ExpertStatus {
  expert: string;
  weight: number;
  /** Labels of rows that it was asked about; null for the stack, which has no score of its own. */
  labels: number | null;
  /** Running mean loss; null before the first label. */
  error: number | null;
}

/** Who weighs most in a panel, since which label, of how many. */
export interface LeaderStatus {
  expert: string;
  since: number;
  labels: number;
}

/** The core's account of one task. The error sums are over matured predictions. */
export interface TaskReport {
  name: string;
  kind: TaskKind;
  predictions: number;
  matured: number;
  expired: number;
  pending: number;
  unmatched: number;
  alarms: number;
  /** Second labels for an example: that say the same, that contradict, and of these those that corrected the first. */
  repeated: number;
  conflicting: number;
  corrected: number;
  error_sum: number;
  baseline_sum: number;
  /** Schema hash in hex; null until the features are known. */
  schema: string | null;
  features: string[];
  /** Per feature the predictions that were served without it. */
  missing: number[];
  rows: number;
  /** Hash in hex of the release in the panel. */
  release: string | null;
  releases: number;
  panel: ExpertStatus[];
  /** Null until the features are known. */
  leader: LeaderStatus | null;
  /** What is watched for drift, and the newest findings; null until the features are known. */
  drift: DriftStatus | null;
  /** Of the label source; `open` is 1 while its labels are not learned. Null until the features are known. */
  breaker: { open: number; opened: number; held: number; dropped: number } | null;
}

/** The watch of a task. */
export interface DriftStatus {
  detector: string;
  run_length: number;
  /** Findings since the beginning of the log. */
  alarms: number;
  /** The newest of them, the oldest first. */
  evidence: DriftEvidence[];
}

/** What was found: means before the change and since. */
export interface DriftEvidence {
  of: string;
  feature: string;
  key: string;
  at: number;
  before: number;
  after: number;
  rows: number;
  batch: number;
  offset: number;
}

/** What a task predicts. */
export type TaskKind = 'forecast' | 'regression' | 'classification' | 'anomaly';

/** `report()` of an engine that was opened with a gateway's plan. */
export interface EngineReport {
  offset: number;
  messages: number;
  keys: number;
  series: number;
  /** Event times of devices whose clock was wrong. */
  times_corrected: number;
  windows: { name: string; results: number; late: number }[];
  /** `quarantined_by` has the core's integer codes here. Cores of version 0.1.0 tell neither reasons nor violations. */
  sources: (Ledger &
    Pick<SourceStatus, 'name' | 'gaps' | 'unknown' | 'restarts'> &
    Partial<Pick<SourceStatus, 'quarantined_by' | 'violations'>>)[];
  tasks: TaskReport[];
}

/** `report()` of an engine that was opened with an evaluation plan. */
export interface EvaluationReport {
  rows: number;
  matured: number;
  metrics: Record<string, number | null>;
  /** Classes only: per tenth of probability in which an answer was served, its mean and how often the answer was right. */
  reliability?: { rows: number; probability: number; accuracy: number }[];
  /** Microseconds to serve and learn a row by the panel's own account, which its budget is held against. */
  nominal_us: number;
  classes: number;
  /** Row = truth; present for at most 64 classes. */
  confusion?: number[][];
  panel: ExpertStatus[];
  /** Alarms of the drift detector, and after how many scored rows (of the first thousand); only when there is one. */
  drift?: { alarms: number; rows: number[] };
  leader: LeaderStatus;
}

/** A task with its mean errors; null until a prediction has matured. */
export interface TaskStatus extends TaskReport {
  error: number | null;
  error_last_value: number | null;
}

/** How a front door is. */
export interface DoorStatus {
  name: string;
  connected: boolean;
  /** Connections made since the start: to the broker, or by clients of the embedded one. */
  connections: number;
  /** Silent for many times the usual gap, or longer than `stale_after`. */
  stale: boolean;
  /** Since the last message or the connection, in seconds; null without one. */
  silent_s: number | null;
  /** Of the embedded broker: clients of now, and what was turned away since the start. */
  broker?: {
    clients: number;
    /** Connections: version, login, certificate, limits. */
    refused: number;
    /** Publishes and subscriptions without the right to. */
    denied: number;
    /** Messages too long to be kept. */
    oversized: number;
    /** Messages of QoS 0 that were not taken, since the disk was too slow. */
    shed: number;
    /** Messages that a subscriber did not get since its queue was full. */
    dropped: number;
    /** Retained messages that were not kept. */
    unretained: number;
  };
}

/** How a gateway is, at one moment. */
export interface AgentStatus {
  event: 'status' | 'stopped';
  gateway: string;
  /** Of its state, in hex; only in reports to the coordinator. */
  incarnation?: string;
  /** Grows from report to report of an incarnation, so that none can be handed in again; only there too. */
  number?: number;
  about: string;
  simulated: boolean;
  /** Epoch milliseconds. */
  at: number;
  uptime_s: number;
  messages: number;
  /** Entities that publishers announced and that are not read, some of them with the reason; absent when there are none. */
  not_read?: { entities: number; examples: { topic: string; why: string }[] };
  ledger: Ledger;
  sources: SourceStatus[];
  tasks: TaskStatus[];
  releases_accepted: number;
  /** SHA-256 of the state in hex; only in the event `stopped`. */
  digest?: string;
  cpu_us_per_message: number;
  /** Bytes of MQTT packets since the start: taken, published, and the share of what was taken that did not go on. */
  bandwidth: { in_bytes: number; out_bytes: number; saved: number };
  /** Rounds of proof that served features are what the log gives; absent when it is not switched on. */
  features_verified?: { at: number | null; rounds: number; vectors: number; different: number };
  rss_mib: number;
  core: { build: 'scalar' | 'simd'; kernel: string };
  /** True when every door is connected. */
  connected: boolean;
  doors: DoorStatus[];
  /** Sync with the coordinator since the start; absent when none is configured. */
  sync?: {
    /** Envelopes of news, by why they were made. */
    told: Record<'time' | 'drift' | 'disagreement' | 'coordinator', number>;
    /** Times that a task had nothing new, or too little for an envelope. */
    unchanged: number;
    little: number;
    /** Calls that waited for the budget of bytes. */
    held_back: number;
    out_bytes: number;
    in_bytes: number;
    /** Of the budget; below 0 when a call overdrew it; null: there is none. */
    left_bytes: number | null;
  };
  last_error?: { code: string; message: string };
}

/** Every line of `--status-json`. */
export type AgentEvent =
  | AgentStatus
  /** `recovery`: where the state came from, for people. */
  | { event: 'ready'; gateway: string; broker_port: number | null; state: string; recovery: string }
  | { event: 'error'; code: string; message: string };
