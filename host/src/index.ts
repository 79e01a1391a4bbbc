// What both processes share with the core: the public face of @rivulet/host, by concept.

export {
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  BLOCK_PAYLOAD_BYTES_MAX,
  type BlockHeader,
  type BlockKind,
  decodeBlockHeader,
  decodePlanPayload,
  encodeBlockHeader,
  encodePlanPayload,
  encodeSession,
  type Session,
} from './block.ts';
export {
  answerTopic,
  askingGateway,
  askTopic,
  BROKER_PART_BYTES_MAX,
  type BrokerAnswer,
  type BrokerRequest,
  decodeBrokerAnswer,
  decodeBrokerRequest,
  encodeBrokerAnswer,
  encodeBrokerRequest,
  encodeSignedAnswer,
  type ReadAnswer,
} from './broker_call.ts';
export { type ByteReader, byteReader, type Field, readMagic, writeBytes } from './bytes.ts';
export { type Clock, systemClock } from './capabilities.ts';
export type {
  BrokerDoor,
  BrokerUser,
  BudgetConfig,
  CommitConfig,
  Config,
  DeliveryConfig,
  Door,
  DriftConfig,
  FeatureSetConfig,
  FleetReadingConfig,
  ForwardConfig,
  LabelConfig,
  LimitsConfig,
  MqttDoor,
  OutputConfig,
  Secret,
  SourceConfig,
  TaskConfig,
  WindowConfig,
  WindowShape,
} from './config.ts';
export { type ExpertName, expertsNamed } from './config_experts.ts';
export { FLEET_READINGS_MAX, FLEET_STATISTICS } from './config_fleet.ts';
export { parseConfig } from './config_parse.ts';
export { SOURCES_MAX } from './config_source.ts';
export {
  type Core,
  type CoreBuild,
  type DeltaSection,
  type Engine,
  loadCore,
  type ServedByTask,
} from './core.ts';
export { crc32c } from './crc32c.ts';
export { type CsvRow, createCsvParser, separatorOf } from './csv.ts';
export { enrolmentProof, enrolmentText } from './enrolment.ts';
export {
  decodeEnvelope,
  type Envelope,
  type EnvelopeContent,
  encodeEnvelope,
  verifyEnvelope,
} from './envelope.ts';
export {
  CORE_ERRORS,
  ERRORS,
  type ErrorCode,
  type ErrorDetail,
  fromCore,
  fromCoreOfMessage,
  type Mend,
  RivuletError,
  toRivuletError,
} from './errors.ts';
export { type FeatureParts, type FeatureScope, featureParts, inWords } from './features.ts';
export { makeDirectory, reason, replaceFile, syncDirectory } from './files.ts';
export { type FleetReadings, type FleetTold, openFleetReadings } from './fleet_readings.ts';
export { type Announcing, type Entity, entities, type NotRead, OWN_ORIGIN } from './home_assistant.ts';
export { type HttpAnswer, type HttpRequest, httpCall } from './http_call.ts';
export { type Identity, type IdentityOptions, openIdentity } from './identity.ts';
export {
  type Appended,
  type BlockDraft,
  type Log,
  type LogOptions,
  openLog,
} from './log.ts';
export { type FollowOptions, followLog, sequenceBefore } from './log_follow.ts';
export { type LogReader, openLogReader } from './log_read.ts';
export { nearestName } from './nearest.ts';
export {
  type Alarm,
  type Announcement,
  type Drift,
  decodeOutputs,
  type Forwarded,
  type LateReading,
  NO_WINDOW,
  type Outcome,
  type Output,
  type Prediction,
  type Quarantined,
  type ServedVector,
  type Wanted,
  type WindowResult,
} from './outputs.ts';
export { hashPassword, type PasswordHash, parsePasswordHash, passwordFits } from './passwords.ts';
export { lastName } from './paths.ts';
export { topicFilter, topicMatches } from './patterns.ts';
export {
  compressBody,
  decodePiece,
  type Encoding,
  encodePiece,
  encodingOf,
  expandBody,
  PIECE_BYTES_MAX,
  type Piece,
  UPLOAD_BYTES_MAX,
} from './piece.ts';
export { compilePlan, DRIFT_DETECTORS, type EvaluationSpec, planForEvaluation, planHash, RUN_LENGTHS } from './plan.ts';
export { expandPreset, PRESETS, sourcesAsYaml } from './presets.ts';
export { publishPacket } from './publish_packet.ts';
export { decodeRelease, encodeRelease, type Release, releaseHash } from './release.ts';
export {
  type KeyObject,
  publicKeyBytes,
  publicKeyFromBytes,
  sha256,
  signatureVerifies,
  signatureVerifiesAhead,
} from './signing.ts';
export type { Snapshot } from './slot_parts.ts';
export { type LoadedSlot, openSlots, readSlots, type Slot, type SlotFindings, type Slots } from './slots.ts';
export type {
  AgentEvent,
  AgentStatus,
  DoorStatus,
  EngineReport,
  EvaluationReport,
  ExpertStatus,
  LeaderStatus,
  Ledger,
  SourceStatus,
  TaskKind,
  TaskReport,
  TaskStatus,
  Violation,
} from './status.ts';
export type { Storage, StorageFile } from './storage.ts';
export { readPem, readTls, type TlsFailure, type TlsFiles, type TlsMaterial, tlsFailure } from './tls.ts';
export { formatBytes, formatDuration, parseBytes, parseDuration, parseNanoseconds } from './units.ts';
export { windowStatistics } from './window_statistics.ts';
