// The one registry of error codes of the host, the agent and the coordinator. Every failure that can reach a user carries
// one of these codes, says who can mend it and whether a retry helps, and a message that tells what was found, what was
// expected, where, and what to do. A new code is one line here; programmer errors are plain assertions, not codes.

/** Who can make the error go away: who runs the process, who sends the messages, the other end of a sync, or we. */
export type Mend = 'operator' | 'publisher' | 'peer' | 'developer';

interface ErrorEntry {
  readonly mend: Mend;
  /** True when the same call may succeed later without anybody changing anything. */
  readonly retry: boolean;
  /** What to do about it, as a sentence; the last sentence of the message unless the thrower knows better. */
  readonly todo: string;
}

const operator = (todo: string, retry = false) => ({ mend: 'operator', retry, todo }) as const;
const publisher = (todo: string) => ({ mend: 'publisher', retry: false, todo }) as const;
const peer = (todo: string, retry = false) => ({ mend: 'peer', retry, todo }) as const;
const developer = (todo: string) => ({ mend: 'developer', retry: false, todo }) as const;

/** Every code with its entry. */
export const ERRORS = {
  // Bytes that do not decode (blocks, slots, envelopes, releases, outputs).
  RIV_TRUNCATED: peer('Send or copy the whole of it again.'),
  RIV_FOREIGN: peer('Check that this is the right file or message.'),
  RIV_TOO_NEW: operator('Upgrade this Rivulet: the bytes were written by a newer one.'),
  RIV_CORRUPT: peer('Send or copy it again; if it is on disk, check the disk.'),
  RIV_TOO_LARGE: peer('Send less at once, or raise the limit named here.'),

  // Answers of the core (the numbers are in CORE_ERRORS below).
  RIV_CORE_TRUNCATED: developer('Report this with the block that caused it.'),
  RIV_CORE_FOREIGN: developer('Report this with the bytes that caused it.'),
  RIV_CORE_TOO_NEW: operator('Upgrade this Rivulet: the bytes were written by a newer core.'),
  RIV_CORE_CORRUPT: developer('Report this with the bytes that caused it.'),
  RIV_CORE_BAD_PLAN: operator('Correct the configuration.'),
  RIV_CORE_NOT_OPEN: developer('Open a plan before any other call.'),
  RIV_CORE_LIMIT: operator('Raise the limit in the configuration, or send fewer keys, labels or bytes.'),
  RIV_CORE_SCHEMA_MISMATCH: peer('Use statistics and releases of the same task and features only.'),
  RIV_CORE_BAD_NUMBERS: peer('Look for the gateway that sent numbers that do not add up.'),
  RIV_CORE_SINGULAR: peer('Wait for more rows, or drop features that are copies of each other.', true),
  RIV_CORE_TOO_FEW_ROWS: peer('Wait for more rows.', true),
  RIV_CORE_NO_READING: publisher('Send a number (or a label) where the source looks for one, or correct its paths.'),
  RIV_CORE_BAD_TIME: publisher(
    'Set the clock of the device, or correct `time` or raise `clock_skew_max` of the source.',
  ),
  RIV_CORE_OUT_OF_RANGE: publisher('Look at the sensor, or correct `range` of the field.'),
  RIV_CORE_TOO_FAST: publisher('Look at the sensor, or correct `rate_max` of the field.'),
  RIV_CORE_STUCK: publisher('Look at the sensor, or correct `stuck_after` of the field.'),
  RIV_CORE_UNKNOWN_WORD: publisher('Look at the sensor, or add the word to `values` of the field.'),
  RIV_CORE_CONFLICT: publisher(
    'Ask whoever labels which one is right; `conflicts: last` of the task takes the second.',
  ),
  RIV_CORE_UNKNOWN: developer('The core and the host are of different versions; build both from one tree.'),
  RIV_CORE_TRAPPED: developer(
    'The instance is dead: open a new engine from the last checkpoint and report what it was given.',
  ),
  RIV_ANNOUNCED_LIMIT: operator(
    'Name the topics that matter as sources of their own, or listen to fewer announcements (`base` of the preset).',
  ),
  RIV_CORE_ABSENT: operator('Run `npm run build:wasm`, or take a complete checkout.'),
  RIV_CORE_ABI: developer('Build the core and the host from one tree.'),

  // Files and directories of a process.
  RIV_STATE_UNUSABLE: operator('Make the state directory exist and writable, or name another one.'),
  RIV_STATE_LOCKED: operator('Stop the other process that uses this state directory, or name another one.'),
  RIV_STOP_CUT: operator(
    'Nothing that was acknowledged is lost; the next start folds the log since the checkpoint before. See to the disk if it is slow.',
  ),
  RIV_STATUS_NONE: operator('Start the gateway with `rivulet run`.'),
  RIV_STATUS_OLD: operator('Start the gateway with `rivulet run`; what it said last says how it was.'),
  RIV_IDENTITY: operator('Restore the identity directory from a backup, or remove it to enrol as a new gateway.'),
  RIV_LOG_FULL: operator('Free disk space or lower `log.keep`, then start again.'),
  RIV_LOG_WRITE: operator('Check the disk, then start again: nothing that was not written has been acknowledged.'),
  RIV_LOG_CORRUPT: operator('Restore the log from a backup, or move the file away and accept the loss it names.'),
  RIV_LOG_GONE: operator('Start from a later checkpoint: what was asked for is older than the log keeps.'),
  RIV_KERNEL_OTHER: operator(
    'Run the version of then, or let the gateway run with this one until its next checkpoint.',
  ),
  RIV_FEATURES_CHANGED: operator('Take the stretch before and the one from there on by itself (--from, --to).'),
  RIV_FEATURES_DIFFER: developer('Keep the state directory and report this: served vectors cannot be rebuilt from it.'),
  RIV_LOG_BACKLOG: developer('Wait for `durable` before appending more.'),
  RIV_CHECKPOINT_LOST: operator('Restore the checkpoint or the whole log from a backup.'),

  // What the operator writes.
  RIV_CONFIG_SYNTAX: operator('Correct the YAML.'),
  RIV_CONFIG_UNKNOWN: operator('Correct or remove the key.'),
  RIV_CONFIG_MISSING: operator('Add the key.'),
  RIV_CONFIG_VALUE: operator('Correct the value.'),
  RIV_CONFIG_UNREADABLE: operator('Check the path and its permissions.'),
  RIV_UNIT: operator('Write a number and a unit.'),
  RIV_USAGE: operator('See --help.'),
  RIV_NODE_TOO_OLD: operator('Use Node 24.21 or newer; `npm ci` brings it.'),
  RIV_PORT_BUSY: operator('Stop what uses the port, or choose another one.'),
  RIV_FILE_UNREADABLE: operator('Check the path and its permissions.'),
  RIV_DATA: operator('Correct the data file.'),

  // What sensors send.
  RIV_MESSAGE_TOO_LARGE: publisher('Send smaller messages, or raise `limits.payload_bytes`.'),
  RIV_CLIENT_DROPPED: publisher('Look at the device and its network if this goes on.'),
  RIV_CLIENT_REFUSED: publisher('Give the device a user and password that stand in `broker.users`.'),
  RIV_CLIENT_DENIED: publisher('Correct the topic in the device, or `publish` and `subscribe` of its user.'),
  RIV_MESSAGE_MALFORMED: publisher('Send well-formed MQTT packets.'),

  // Brokers.
  RIV_MQTT_UNREACHABLE: operator('Check the address of the broker and the network.', true),
  RIV_MQTT_REFUSED: operator('Check user, password and rights at the broker.', true),
  RIV_MQTT_TLS: operator('Check `tls` of the door, and the certificates on both sides.', true),
  RIV_MQTT_SILENT: operator('Look at the devices, the broker and the network between them.', true),
  RIV_MQTT_SUBSCRIBE: operator('Give the gateway the right to subscribe to the topic.', true),

  // Sync between gateways and coordinator.
  RIV_SYNC_UNREACHABLE: operator(
    'Check the address of the coordinator and the network; the outbox keeps what is due.',
    true,
  ),
  RIV_SYNC_DISK: operator('Check the disk; the gateway tries again, and hands in then what is due.', true),
  RIV_SYNC_TLS: operator('Check `ca`, `cert` and `key` of `sync`, and the certificates of the coordinator.', true),
  RIV_CLOUD_TLS: operator('Check the files of `--tls-cert`, `--tls-key` and `--tls-ca`.'),
  RIV_SYNC_REFUSED: peer('See the reason the coordinator gave.'),
  RIV_SYNC_ANSWER: peer('The coordinator answered something else than a receipt; check the address.', true),
  RIV_SYNC_SIGNATURE: operator(
    'Somebody else answers at the broker: see who may write `rivulet/cloud/GATEWAY/answer`. If the coordinator was really replaced, remove `identity/coordinator.key`; if it is older than its gateways, update it.',
    true,
  ),
  RIV_SIGNATURE: peer('Sign with the key that the gateway enrolled with.'),
  RIV_GATEWAY_KEY: operator(
    'Another key is enrolled under this gateway id: choose another id or restore its identity.',
  ),
  RIV_GATEWAY_UNKNOWN: peer('Enrol the gateway first.', true),
  RIV_GATEWAY_NAME: operator('Use letters, digits, dot, dash and underscore, at most 64.'),
  RIV_TOKEN: operator('Give the token that the coordinator was started with.'),
  RIV_NUMBER_REUSED: peer('Begin a new incarnation: the state of the gateway is from a backup, or runs twice.'),
  RIV_REPORT_OLD: peer('Report with a higher number than the one named here.', true),
  RIV_GATEWAY_CLONED: operator(
    'Stop one of them and give it an identity of its own (remove its state directory); then run `rivulet-cloud forget GATEWAY --allow-return`.',
  ),
  RIV_BASE_GONE: peer('Go on from the release named here, and hand in all that was learned once more.', true),
  RIV_KERNEL_UNKNOWN: operator(
    'Update the coordinator before its gateways, or take what this core makes: `rivulet-cloud kernel accept HASH`.',
  ),
  RIV_TASK_UNKNOWN: operator('Name the task in `--tasks` of the coordinator, or take it out of the gateway.'),
  RIV_SCHEMA_MISMATCH: peer('Send statistics with the schema that they were made for.'),
  RIV_RELEASE_UNKNOWN: peer('Ask for the list of releases.'),
  RIV_CONTROL: operator('Stop the coordinator and give the command again: it is then carried out on the state itself.'),
  RIV_GATEWAY_FORGOTTEN: operator(
    'To let it back in, run `rivulet-cloud forget GATEWAY --allow-return` where the coordinator runs.',
  ),
  RIV_REQUEST: peer('Correct the request.'),
  RIV_METHOD: peer('Use a method that the `Allow` header names.'),
  RIV_MEDIA_TYPE: peer('Set the content type named here.'),
  RIV_NOT_FOUND: peer('Check the address.'),
  RIV_STORE: operator('Check the disk of the coordinator.', true),
  RIV_OVERLOADED: peer('Try again later.', true),
  RIV_INTERNAL: developer('Report this with the log around it.'),
} as const satisfies Record<`RIV_${string}`, ErrorEntry>;

/** A registered code. */
export type ErrorCode = keyof typeof ERRORS;

/** What a message is built from. */
export interface ErrorDetail {
  /** What was met, as a clause without a full stop. */
  readonly found: string;
  /** What should have been there instead. */
  readonly expected?: string;
  /** Where: `file:line:column`, a path, a topic, a URL. */
  readonly where?: string;
  /** What to do, as a sentence; the registry's advice when absent. */
  readonly todo?: string;
  readonly cause?: unknown;
}

/** A failure with a registered code. `message` is one line for people: `where: found; expected …. What to do.` */
export class RivuletError extends Error {
  override readonly name = 'RivuletError';
  readonly code: ErrorCode;
  readonly mend: Mend;
  readonly retry: boolean;

  constructor(code: ErrorCode, detail: string | ErrorDetail) {
    const given: ErrorDetail = typeof detail === 'string' ? { found: detail } : detail;
    super(messageOf(given, ERRORS[code].todo), given.cause === undefined ? undefined : { cause: given.cause });
    this.code = code;
    this.mend = ERRORS[code].mend;
    this.retry = ERRORS[code].retry;
  }
}

function messageOf(detail: ErrorDetail, advice: string): string {
  const where = detail.where === undefined ? '' : `${detail.where}: `;
  const expected = detail.expected === undefined ? '' : `; expected ${detail.expected}`;
  return `${where}${detail.found}${expected}. ${detail.todo ?? advice}`;
}

/** The core's integer codes (`wasm-core/engine/src/error.rs`), by the name of the variant there. */
export const CORE_ERRORS = {
  Truncated: { value: -1, code: 'RIV_CORE_TRUNCATED', found: 'the bytes ended before the value they announced' },
  Foreign: { value: -2, code: 'RIV_CORE_FOREIGN', found: 'a magic number, kind or tag that the core does not know' },
  TooNew: { value: -3, code: 'RIV_CORE_TOO_NEW', found: 'a newer format version than the core reads' },
  Corrupt: { value: -4, code: 'RIV_CORE_CORRUPT', found: 'bytes that contradict themselves' },
  BadPlan: { value: -5, code: 'RIV_CORE_BAD_PLAN', found: 'a plan that the core cannot follow' },
  NotOpen: { value: -6, code: 'RIV_CORE_NOT_OPEN', found: 'a call before a plan was open' },
  Limit: { value: -7, code: 'RIV_CORE_LIMIT', found: 'a declared limit was reached' },
  SchemaMismatch: { value: -8, code: 'RIV_CORE_SCHEMA_MISMATCH', found: 'numbers made for another schema' },
  BadNumbers: { value: -9, code: 'RIV_CORE_BAD_NUMBERS', found: 'numbers that are not finite or do not add up' },
  Singular: { value: -10, code: 'RIV_CORE_SINGULAR', found: 'a matrix that is not positive definite' },
  TooFewRows: { value: -11, code: 'RIV_CORE_TOO_FEW_ROWS', found: 'too few rows' },
  NoReading: { value: -12, code: 'RIV_CORE_NO_READING', found: 'no number where the source looks for one' },
  BadTime: {
    value: -13,
    code: 'RIV_CORE_BAD_TIME',
    found: 'an event time that is missing, unreadable or too far ahead',
  },
  OutOfRange: { value: -14, code: 'RIV_CORE_OUT_OF_RANGE', found: 'a reading that its field cannot have' },
  TooFast: { value: -15, code: 'RIV_CORE_TOO_FAST', found: 'a reading that changed faster than its field can' },
  Stuck: { value: -16, code: 'RIV_CORE_STUCK', found: 'a reading that has been the same for too long' },
  UnknownWord: { value: -17, code: 'RIV_CORE_UNKNOWN_WORD', found: 'a word that is none of the values of its field' },
  Conflict: { value: -18, code: 'RIV_CORE_CONFLICT', found: 'a second label that contradicts the first' },
} as const satisfies Record<string, { value: number; code: ErrorCode; found: string }>;

const coreByValue = new Map(Object.values(CORE_ERRORS).map((entry) => [entry.value as number, entry]));

/** The error for a negative result of the core; `where` names the call. */
export function fromCore(value: number, where?: string): RivuletError {
  const entry = coreByValue.get(value);
  const place = where === undefined ? {} : { where };
  if (entry === undefined)
    return new RivuletError('RIV_CORE_UNKNOWN', { found: `the core answered ${value}`, ...place });
  return new RivuletError(entry.code, { found: entry.found, ...place });
}

const WRONG_FORMAT = 'Look at what sends it, or correct `format` of the source.';
/** What a code means of a message that came in: it is whoever sends it who can mend that, not a developer. */
const OF_A_MESSAGE: Readonly<Record<number, { found: string; todo: string }>> = {
  [CORE_ERRORS.Truncated.value]: { found: 'a payload that ends in the middle', todo: WRONG_FORMAT },
  [CORE_ERRORS.Foreign.value]: { found: 'a payload of another format than its source has', todo: WRONG_FORMAT },
  [CORE_ERRORS.Corrupt.value]: { found: 'a payload that its format does not allow', todo: WRONG_FORMAT },
  [CORE_ERRORS.BadNumbers.value]: {
    found: 'a number that is not finite, or larger than anything measures',
    todo: 'Look at the sensor.',
  },
};

/** The error for a message that the core could not take; the code is that of `fromCore`. */
export function fromCoreOfMessage(value: number): RivuletError {
  const error = fromCore(value);
  const words = OF_A_MESSAGE[value];
  return words === undefined ? error : new RivuletError(error.code, words);
}

/** Any thrown value as a coded error, for the places where a process reports what stopped it. */
export function toRivuletError(thrown: unknown): RivuletError {
  if (thrown instanceof RivuletError) return thrown;
  const found = thrown instanceof Error ? thrown.message : String(thrown);
  return new RivuletError('RIV_INTERNAL', { found, cause: thrown });
}
