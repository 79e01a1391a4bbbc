/**
 * What the HTTP API answers, as types: the contract between the coordinator and the console.
 *
 * The JSON schemas of the same answers are in `schemas.ts`; a test holds the two and the running server together.
 * Times are epoch milliseconds, hashes lower-case hex, rates per second. `null` means "not known yet", never zero.
 */
import type { DriftReport, LabelReport } from '../fleet/report.ts';

/** What became of every message of a gateway; the six below `received` add up to it. */
export interface LedgerView {
  readonly received: number;
  readonly used: number;
  readonly late: number;
  readonly duplicate: number;
  readonly retained: number;
  readonly filtered: number;
  readonly quarantined: number;
}

/** One expert of a task's panel with its present weight (0–1) and running mean loss. */
export interface ExpertView {
  readonly expert: string;
  readonly weight: number;
  readonly error: number | null;
}

/** How one task does on one gateway. */
export interface TaskView {
  readonly name: string;
  readonly kind: string;
  /** Mean error since the gateway's beginning; for classification 1 − accuracy. */
  readonly error: number | null;
  /** The same for the baseline: the last value, or the last class. */
  readonly error_last_value: number | null;
  /** Mean error over the last five minutes (or since the coordinator began to listen, if that is shorter). */
  readonly recent_error: number | null;
  readonly recent_error_last_value: number | null;
  readonly predictions: number;
  readonly matured: number;
  readonly alarms: number;
  /** Schema hash; null until the features are frozen. */
  readonly schema: string | null;
  /** The release that sits in the panel; null: none yet. */
  readonly release: string | null;
  readonly panel: readonly ExpertView[];
  /** What its watch has found: how often, and the newest, that first. */
  readonly drift: DriftReport;
  readonly labels: LabelReport;
}

/** One gateway as last heard. */
export interface GatewayView {
  readonly id: string;
  readonly about: string;
  readonly simulated: boolean;
  /** Heard from within three of its own report intervals. */
  readonly up: boolean;
  /** When the coordinator last heard from it. */
  readonly last_seen: number;
  readonly messages: number;
  readonly messages_per_s: number;
  readonly predictions_per_s: number;
  readonly ledger: LedgerView;
  readonly cpu_us_per_message: number | null;
  readonly rss_mib: number | null;
  readonly releases_accepted: number;
  /** Whether its own front door is connected (to its broker, or as one). */
  readonly connected: boolean;
  readonly last_error: { readonly code: string; readonly message: string } | null;
  /** Since when it is there twice with one key, and nothing it hands in counts; null: it is not. */
  readonly cloned_since: number | null;
  readonly tasks: readonly TaskView[];
}

/** `GET /api/v1/fleet`, and the `fleet` event. */
export interface FleetView {
  /** One honest sentence for a human. */
  readonly sentence: string;
  readonly gateways_up: number;
  /** All enrolled gateways; `gateways` lists at most the first thousand by id. */
  readonly gateways_total: number;
  readonly gateways: readonly GatewayView[];
  readonly coordinator: CoordinatorView;
}

export interface CoordinatorView {
  /** Deltas accepted since the state directory was made. */
  readonly deltas: number;
  readonly duplicates: number;
  readonly quarantined: number;
  /** Releases made since the state directory was made. */
  readonly releases: number;
  readonly rss_mib: number;
  readonly started_at: number;
  readonly version: string;
}

/** `GET /api/v1/gateways/:id`: the fleet's entry and what only the page of one gateway needs. */
export interface GatewayDetailView extends GatewayView {
  readonly enrolled_at: number;
  readonly uptime_s: number | null;
  /** The core it runs: which build, and the hash of its bytes. */
  readonly core: { readonly build: string; readonly kernel: string } | null;
  /** The ledger by source, with what is promised of each. */
  readonly sources: readonly SourceView[];
  /** SHA-256 of its public key. */
  readonly key_fingerprint: string;
  readonly incarnations: readonly string[];
  /** Its newest delta per model. */
  readonly contributions: readonly ContributionView[];
}

/** One source of a gateway, as it reported it. */
export interface SourceView extends LedgerView {
  readonly name: string;
  /** Numbers missing in the devices' own counting. */
  readonly gaps: number;
  /** `exactly once` or `best effort`. */
  readonly guarantee: string;
  readonly guarantee_why: string;
  /** Messages in quarantine, by the code of the reason. */
  readonly quarantined_by: Readonly<Record<string, number>>;
  /** Readings that broke the contract of their field, by how: `range`, `rate`, `stuck`, `word`. */
  readonly violations: Readonly<Record<string, number>>;
}

export interface ContributionView {
  readonly task: string;
  readonly schema: string;
  readonly incarnation: string;
  readonly seq: number;
  readonly received_at: number;
}

/** One entry of `GET /api/v1/releases`, and the `release` event. */
export interface ReleaseView {
  readonly hash: string;
  readonly parent: string | null;
  readonly task: string;
  readonly schema: string;
  /** How many gateways it was made of. */
  readonly gateways: number;
  /** How many examples it was made of. */
  readonly rows: number;
  readonly created_at: number;
  readonly form: 'ridge' | 'lda';
}

/** `GET /api/v1/releases/:hash/lineage`. */
export interface LineageView extends ReleaseView {
  readonly lineage: readonly { readonly gateway: string; readonly incarnation: string; readonly seq: number }[];
}

/** A gateway left out of a model's releases until it fits again, with the evidence. */
export interface SuspectView {
  readonly gateway: string;
  readonly since: number;
  /** How far its class means are from those of the others, in units of what chance gives. */
  readonly distance: number;
  /** From which distance on that is suspicious in this fleet. */
  readonly limit: number;
  /** It fitted once, so its world has changed; else its statistics are in quarantine. */
  readonly moved: boolean;
}

/** One model: a task under one schema. `GET /api/v1/tasks` lists them. */
export interface ModelView {
  readonly task: string;
  readonly schema: string;
  readonly kind: string;
  readonly target: string;
  readonly horizon_ms: number;
  readonly features: readonly string[];
  /** Gateways whose statistics are in it. */
  readonly gateways: readonly string[];
  /** Those of them that its releases leave out, because their class means stand apart. */
  readonly suspects: readonly SuspectView[];
  /** Releases made of it. */
  readonly releases: number;
  /** The release that gateways are told: the pinned one, else the newest. */
  readonly head: string | null;
  readonly newest: string | null;
  readonly pinned: boolean;
  /** What they were told before. */
  readonly previous: string | null;
}

/** One point of a learning curve: the errors over the labels since the gateway's previous point. */
export interface CurvePointView {
  readonly gateway: string;
  readonly at: number;
  /** Labels that had arrived by then, in all. */
  readonly matured: number;
  readonly error: number;
  readonly error_last_value: number;
}

/** `GET /api/v1/tasks/:task/curve`. */
export interface CurveView {
  readonly task: string;
  readonly points: readonly CurvePointView[];
}

/** The newest release of a model; null: none yet. */
export interface HeadView {
  readonly task: string;
  readonly schema: string;
  readonly release: string | null;
}

export type Outcome = 'accepted' | 'duplicate' | 'superseded' | 'quarantined';

/** What the coordinator signs for a delta: with it the gateway may forget the delta. */
export interface ReceiptView {
  readonly gateway: string;
  readonly incarnation: string;
  readonly seq: number;
  readonly payload_hash: string;
  readonly outcome: Outcome;
  readonly reason?: string;
  /** Why it is in quarantine, as a code. */
  readonly code?: string;
}

/** `POST /api/v1/deltas`. */
export interface DeltaAnswerView {
  readonly receipt: ReceiptView;
  /** Base64 Ed25519 over the receipt as it stands in this answer (`JSON.stringify(receipt)`, UTF-8). */
  readonly signature: string;
  readonly heads: readonly HeadView[];
  readonly held: readonly HeldView[];
  /** In how many seconds a release with this delta can be there; 0: now. */
  readonly retry_after_s: number;
  readonly retry_window_s: RetryWindowView;
}

/** In how many seconds to call again: a moment between the two, by chance; never sooner than one's own interval. */
export interface RetryWindowView {
  readonly from: number;
  readonly to: number;
}

/** The newest statistics of the gateway that count for a model: what is missing here must be handed in again. */
export interface HeldView {
  readonly schema: string;
  readonly incarnation: string;
  readonly seq: number;
}

/** `POST /api/v1/reports`. */
export interface ReportAnswerView {
  readonly heads: readonly HeadView[];
  readonly held: readonly HeldView[];
  /** Its operator took the gateway out of the fleet: its deltas are not wanted. */
  readonly forgotten: boolean;
  /** Whether statistics of the core that its last report names are taken; null: no report has named one. */
  readonly kernel_taken: boolean | null;
  readonly retry_window_s: RetryWindowView;
  /** The readings of the fleet that its newest report asks for; absent: it asks for none. */
  readonly fleet?: readonly FleetReadingView[];
}

/** A reading of the fleet (FORMATS.md section 12). */
export interface FleetReadingView {
  readonly name: string;
  /** Event time of the newest reading in it, and how long ago that was when it was answered. */
  readonly at: number;
  readonly age_ms: number;
  /** Whose readings are in it. */
  readonly gateways: number;
  readonly value: number;
}

/** `POST /api/v1/pieces`: how far the upload is, and with its last piece the answer to the delta. */
export interface PieceAnswerView {
  readonly received: number;
  readonly retry_window_s: RetryWindowView;
  readonly delta?: DeltaAnswerView;
}

/** `POST /api/v1/gateways`. */
export interface EnrolmentView {
  readonly gateway: string;
  /** Base64 SPKI of the coordinator's Ed25519 key. */
  readonly coordinator_key: string;
  readonly status: 'enrolled' | 'known';
  readonly retry_window_s: RetryWindowView;
}

/** The `gateway` event. */
export interface GatewayChangeView {
  readonly id: string;
  readonly change: 'enrolled' | 'up' | 'down' | 'quarantined' | 'cloned';
  readonly at: number;
}

/** One entry of `GET /api/v1/quarantine`: an input that was not taken, and why. */
export interface QuarantineView {
  readonly at: number;
  /** Who it said it was from; null: it could not be read that far. */
  readonly gateway: string | null;
  readonly code: string;
  readonly reason: string;
  /** Bytes kept of it, base64: at most 64 KiB. */
  readonly bytes: string;
}

/** One entry of `GET /api/v1/audit`: a decision of an operator. */
export interface AuditView {
  readonly at: number;
  readonly action: 'forget' | 'allow_return' | 'pin' | 'unpin' | 'rollback' | 'trust' | 'distrust' | 'judge' | 'kernel';
  /** The gateway or the task it is about. */
  readonly subject: string;
  /** What it did. */
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Every refused request. */
export interface ErrorView {
  readonly error: { readonly code: string; readonly message: string };
  readonly retry_window_s: RetryWindowView;
  /** With `RIV_BASE_GONE`: the release to go on from; null: from none. */
  readonly resync?: { readonly task: string; readonly schema: string; readonly release: string | null };
  /** With `RIV_REPORT_OLD`: the number that the next report must be above. */
  readonly newest_report?: number;
}
