/**
 * The way of a delta: read, check the signature, judge, merge, write down, answer.
 *
 * The statistics go into the live merge and to disk in one transaction: only the core can tell whether they make sense, and
 * when they do not get to disk the merge is built anew, so memory never runs ahead of the disk.
 */
import { type Clock, decodeEnvelope, type Envelope, type ErrorCode, RivuletError, toRivuletError } from '@rivulet/host';
import type { ReceiptView } from '../api/views.ts';
import type { Delta, Head, Store } from '../drivers/store.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Models } from '../registry/models.ts';
import { formOf, parseSchema } from '../registry/schema.ts';
import { checkBase } from './base.ts';
import { INCARNATIONS_MAX } from './clones.ts';
import type { Keys } from './keys.ts';
import { receiptFor } from './receipt.ts';
import { type DeltaFacts, type Verdict, verdictOn } from './verdict.ts';

/** Models that are kept: every change of a task's features makes a new one. */
const MODELS_MAX = 1_024;
/** Models of one gateway, so that no single one can use up all. */
const OWN_MODELS_MAX = 64;

const NO_RELEASE = Buffer.alloc(32);

export interface DeltaParts {
  readonly store: Store;
  readonly models: Models;
  readonly roster: Roster;
  readonly keys: Keys;
  readonly clock: Clock;
  /** The tasks that are taken; null: all. */
  readonly tasks: ReadonlySet<string> | null;
  readonly schemas: Schemas;
  /** What is accepted is handed on to a coordinator above. */
  readonly relays: boolean;
}

/** Schemas as they were read, by their hash: a fleet says the same few over and over. */
export type Schemas = Map<string, ReadSchema>;

interface ReadSchema {
  readonly text: string;
  readonly form: Delta['form'];
  /** The task that it is for; null: it cannot be read. */
  readonly task: string | null;
  readonly problem: string | null;
}

export interface Received {
  /** To be signed. */
  readonly receipt: ReceiptView;
  readonly schema: string;
}

/** Reads an envelope and checks its signature off this thread; null: `receiveDelta` will say what is wrong with it. */
export async function checkDelta(bytes: Uint8Array, { keys }: Pick<DeltaParts, 'keys'>): Promise<Envelope | null> {
  try {
    const envelope = decodeEnvelope(bytes);
    return (await keys.checkAhead(envelope.gateway, envelope.signed, envelope.signature)) ? envelope : null;
  } catch {
    return null;
  }
}

/**
 * Takes an envelope in. Throws a coded error when it is not one, or not from who it says.
 * @param checked what `checkDelta` read of the same bytes
 */
export function receiveDelta(bytes: Uint8Array, checked: Envelope | null, parts: DeltaParts): Received {
  const envelope = checked ?? readAtTheDoor(bytes, parts);
  refuseForgotten(envelope.gateway, parts);
  checkBase(envelope, parts.store);
  const { delta, problem } = deltaOf(envelope, parts);
  const verdict = verdictOn(factsAbout(envelope, delta, problem, parts));
  const receipt = carryOut(verdict, delta, envelope, bytes, parts);
  return { receipt, schema: delta.schema };
}

/** What cannot be read, or was not signed by its gateway, is refused; the newest of it are kept for a look. */
function readAtTheDoor(bytes: Uint8Array, { store, keys, clock }: DeltaParts): Envelope {
  let gateway: string | null = null;
  try {
    const envelope = decodeEnvelope(bytes);
    gateway = envelope.gateway;
    keys.check(gateway, envelope.signed, envelope.signature);
    return envelope;
  } catch (error) {
    const refusal = toRivuletError(error);
    store.atomically(() => {
      store.quarantine.add({ atMs: clock.wallMs(), gateway, code: refusal.code, reason: refusal.message, bytes });
      store.count('refused');
    });
    throw refusal;
  }
}

/** Nothing of a gateway that was taken out is kept, not even for a look. */
function refuseForgotten(gateway: string, { store, roster }: DeltaParts): void {
  if (!store.forgotten.has(gateway)) return;
  store.atomically(() => {
    store.count('refused');
    roster.heard(gateway);
  });
  throw new RivuletError('RIV_GATEWAY_FORGOTTEN', `${gateway} was taken out of the fleet by its operator`);
}

function deltaOf(envelope: Envelope, { schemas, clock }: DeltaParts): { delta: Delta; problem: string | null } {
  const schema = envelope.schemaHash.toString('hex');
  const read = schemas.get(schema) ?? readSchema(envelope.schema);
  if (schemas.size >= MODELS_MAX) schemas.clear();
  schemas.set(schema, read);
  const { task } = envelope;
  const foreign = read.task === task ? null : `the envelope is for ${task}, its schema for ${read.task}`;
  const delta: Delta = {
    gateway: envelope.gateway,
    incarnation: Buffer.from(envelope.incarnation).toString('hex'),
    seq: envelope.seq,
    task,
    schema,
    payloadHash: envelope.payloadHash.toString('hex'),
    schemaText: read.text,
    form: read.form,
    statistics: envelope.payload,
    receivedMs: clock.wallMs(),
    ...(NO_RELEASE.equals(envelope.baseRelease) ? {} : { base: Buffer.from(envelope.baseRelease).toString('hex') }),
  };
  return { delta, problem: read.problem ?? foreign };
}

function readSchema(bytes: Uint8Array): ReadSchema {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const { task, kind } = parseSchema(text);
    return { text, task, form: formOf(kind), problem: null };
  } catch (error) {
    return { text, task: null, form: 1, problem: toRivuletError(error).message };
  }
}

function factsAbout(
  { kernelHash }: Envelope,
  delta: Delta,
  schemaProblem: string | null,
  { store, tasks }: DeltaParts,
): DeltaFacts {
  const kernel = Buffer.from(kernelHash).toString('hex');
  const incarnations = store.directory.incarnations(delta.gateway);
  const own = store.deltas.contributionsOf(delta.gateway);
  return {
    standing: store.deltas.standing(delta),
    seq: delta.seq,
    cloned: store.clones.since(delta.gateway) !== null,
    kernel,
    kernelKnown: store.kernels.has(kernel),
    task: delta.task,
    taskKnown: tasks === null || tasks.has(delta.task),
    schemaProblem,
    modelKnown: store.heads.get(delta.schema) !== null,
    models: store.heads.count(),
    modelsMax: MODELS_MAX,
    ownModel: own.some(({ schema }) => schema === delta.schema),
    ownModels: own.length,
    ownModelsMax: OWN_MODELS_MAX,
    incarnationKnown: incarnations.includes(delta.incarnation),
    incarnations: incarnations.length,
    incarnationsMax: INCARNATIONS_MAX,
  };
}

function carryOut(
  verdict: Verdict,
  delta: Delta,
  envelope: Envelope,
  bytes: Uint8Array,
  parts: DeltaParts,
): ReceiptView {
  const { store } = parts;
  switch (verdict.kind) {
    case 'duplicate': {
      const earlier = store.deltas.outcome(delta.gateway, delta.incarnation, delta.seq);
      store.atomically(() => {
        store.count('duplicates');
        parts.roster.heard(delta.gateway);
      });
      return receiptFor(envelope, 'duplicate', earlier?.reason ?? null);
    }
    case 'superseded':
      store.atomically(() => {
        store.directory.seeIncarnation(delta.gateway, delta.incarnation);
        store.deltas.append(delta, 'superseded', null);
        store.count('superseded');
        parts.roster.heard(delta.gateway);
      });
      return receiptFor(envelope, 'superseded', null);
    case 'quarantine':
      return quarantine(delta, envelope, verdict.code, verdict.reason, bytes, parts);
    case 'merge':
      return merge(delta, envelope, bytes, parts);
  }
}

function merge(delta: Delta, envelope: Envelope, bytes: Uint8Array, parts: DeltaParts): ReceiptView {
  const { store, models, roster } = parts;
  return store.atomically(() => {
    let partly: boolean;
    try {
      partly = models.put(delta, delta);
    } catch (error) {
      if (!(error instanceof RivuletError)) throw error;
      return quarantine(delta, envelope, error.code, error.message, bytes, parts);
    }
    store.directory.seeIncarnation(delta.gateway, delta.incarnation);
    const offset = store.deltas.append(delta, 'accepted', null);
    moveHead(delta, offset, store);
    store.count('deltas');
    if (partly) keepEvidence(delta, bytes, parts);
    if (parts.relays) store.relay.put(delta, bytes);
    roster.heard(delta.gateway);
    return receiptFor(envelope, 'accepted', null);
  });
}

/** The rest of it is in the model; what was left out is no silent drop. */
function keepEvidence(delta: Delta, bytes: Uint8Array, { store, clock }: DeltaParts): void {
  const reason = `its logistic for ${delta.task} does not know its own class means and is left out; counts and class means are in`;
  store.quarantine.add({ atMs: clock.wallMs(), gateway: delta.gateway, code: 'RIV_SUSPECT', reason, bytes });
}

/** A model's head before its first release. */
const NOTHING_RELEASED = { release: null, pinned: null, previous: null, releaseOffset: 0, releases: 0 } as const;

function moveHead(delta: Delta, offset: number, store: Store): void {
  const head = store.heads.get(delta.schema);
  const { schema, task, schemaText, form } = delta;
  const next: Head =
    head === null
      ? { ...NOTHING_RELEASED, schema, task, schemaText, form, offset, revision: 1 }
      : { ...head, offset, revision: head.revision + 1 };
  if (!store.heads.compareAndSet(head?.revision ?? null, next)) {
    throw new RivuletError('RIV_INTERNAL', `the head of ${task} moved while a delta was written`);
  }
}

/** Keeps it for a look and says so: the gateway need not send it again. */
function quarantine(
  delta: Delta,
  envelope: Envelope,
  code: ErrorCode,
  reason: string,
  bytes: Uint8Array,
  { store, roster, clock }: DeltaParts,
): ReceiptView {
  store.atomically(() => {
    if (store.deltas.outcome(delta.gateway, delta.incarnation, delta.seq) === null) {
      store.deltas.append(delta, 'quarantined', reason);
    }
    store.quarantine.add({ atMs: clock.wallMs(), gateway: delta.gateway, code, reason, bytes });
    store.count('quarantined');
    roster.heard(delta.gateway);
  });
  return receiptFor(envelope, 'quarantined', reason, code);
}
