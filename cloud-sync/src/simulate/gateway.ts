/**
 * A gateway of the simulator: the real core over a real plan and real MQTT packets, and around it what an agent does, in
 * simulated time: an outbox of the newest envelope per task, receipts by the pinned key, releases through the log,
 * signed reports. What is lost, late, twice or out of order is the network's business.
 */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import {
  BLOCK_KIND,
  type Core,
  compilePlan,
  decodeOutputs,
  decodeRelease,
  type Engine,
  encodeEnvelope,
  encodePlanPayload,
  openFleetReadings,
  parseConfig,
  publicKeyBytes,
  publicKeyFromBytes,
  publishPacket,
  releaseHash,
  sha256,
  signatureVerifies,
} from '@rivulet/host';
import type { DeltaAnswerView, HeadView } from '../api/views.ts';
import type { Lie } from './attackers.ts';
import { block, type LogEnd } from './packets.ts';
import { randomFrom } from './random.ts';
import type { Row, Scenario, SiteRows } from './scenario.ts';

/** PKCS #8 of an Ed25519 key up to its 32 bytes (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const NO_RELEASE = Buffer.alloc(32);
/** Name of the one task. */
export const TASK = 'learned';
/** Rows in one call into the core. */
const ROWS_PER_BLOCK = 512;

/** The ledger of a report that is about readings of the fleet alone. */
const NOTHING = { received: 0, used: 0, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };

/** How many rows were predicted, and how well. */
export interface Score {
  rows: number;
  /** Right classes, or the sum of absolute errors. */
  sum: number;
}

export interface SimulatedGateway {
  readonly id: string;
  readonly publicKey: Buffer;
  readonly site: SiteRows;
  incarnation(): Buffer;
  /** Predicts and learns rows as they come; answers the sums over those whose label came. */
  learn(rows: readonly Row[], timeMs: number): void;
  /** Says one field of a row that is to come, for the fleet. */
  tell(row: Row, timeMs: number): void;
  /** A report of nothing but that. */
  tellReport(wallMs: number): { body: Buffer; signature: string };
  /** The readings of the fleet that came back go into the log. */
  heard(answer: unknown, wallMs: number): void;
  /** Scores rows on a frozen copy; nothing is learned of them. */
  probe(rows: readonly Row[], timeMs: number): Score;
  /** Puts what was learned into the outbox when it is news. */
  collect(wallMs: number): void;
  /** The envelopes that wait for a receipt. */
  outbox(): readonly Buffer[];
  /** Takes an answer to a delta: true when its receipt was good. */
  answered(answer: DeltaAnswerView, coordinatorKey: Buffer): boolean;
  /** Hashes of the releases among the heads that are not installed. */
  wanted(heads: readonly HeadView[]): string[];
  install(bytes: Buffer, wallMs: number): void;
  report(wallMs: number): { body: Buffer; signature: string };
  /** Sums over all labels that came so far, as the task reports them. */
  account(): { matured: number; errorSum: number; baselineSum: number; release: string | null };
  statistics(): Buffer | null;
  /** The state, as a backup would hold it. */
  backup(): Backup;
  /** Goes on from a backup, as a gateway that lost what came after: a new incarnation. */
  restore(backup: Backup): void;
  /** Dies and comes back: the state is restored from its own checkpoint. */
  restart(): void;
  panel(): readonly { expert: string; weight: number; error: number | null }[];
}

interface Backup {
  readonly state: Buffer;
  readonly end: LogEnd;
}

export interface GatewayParts {
  readonly core: Core;
  readonly scenario: Scenario;
  readonly site: SiteRows;
  readonly seed: number;
  /** What an attacker changes. */
  readonly lie?: Lie;
}

export function openGateway({ core, scenario, site, seed, lie = {} }: GatewayParts): SimulatedGateway {
  const { id } = site;
  const secret = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, sha256(Buffer.from(`${seed}\n${id}\nkey`))]),
    format: 'der',
    type: 'pkcs8',
  });
  const config = parseConfig(yamlOf(scenario, id), `${id}.yaml`);
  const plan = compilePlan(config);
  const readings = openFleetReadings(config);
  let engine = core.newEngine();
  let end: LogEnd = { offset: 0, sequence: 0 };
  let incarnations = 0;
  let incarnation: Buffer = Buffer.alloc(0);
  let seq = 0;
  let reports = 0;
  let signedFor = '';
  let waiting: { seq: number; payloadHash: string; contents: string; bytes: Buffer } | null = null;
  begin();

  function begin(): void {
    incarnation = randomFrom(seed, id, 'incarnation', incarnations++).bytes(16);
    [seq, signedFor, waiting] = [0, '', null];
  }

  engine.open(plan);
  engine.ingest(block(BLOCK_KIND.plan, encodePlanPayload(core.kernelHash, plan), 0, 0, end));

  /** Rows as blocks; `labelled`: with their labels. */
  function* blocks(rows: readonly Row[], timeMs: number, labelled: boolean, at: LogEnd): Generator<Buffer> {
    for (let from = 0; from < rows.length; from += ROWS_PER_BLOCK) {
      const part = rows.slice(from, from + ROWS_PER_BLOCK);
      const packets: Buffer[] = [];
      for (const [place, row] of part.entries()) {
        packets.push(publishPacket('rows', payloadOf(scenario, row, timeMs + (from + place) * scenario.rowMs)));
        if (labelled && row.label !== null)
          packets.push(publishPacket('labels', Buffer.from(JSON.stringify(row.label))));
      }
      const lastMs = timeMs + (from + part.length - 1) * scenario.rowMs;
      yield block(BLOCK_KIND.messagesV4, Buffer.concat(packets), packets.length, lastMs, at);
    }
  }

  function signedReport(content: object): { body: Buffer; signature: string } {
    reports += 1;
    const numbered = { incarnation: incarnation.toString('hex'), number: reports };
    const told = readings.told();
    const body = Buffer.from(
      JSON.stringify({ gateway: id, ...numbered, ...content, ...(told === null ? {} : { fleet: told }) }),
    );
    return { body, signature: sign(null, body, secret).toString('base64') };
  }

  return {
    id,
    site,
    publicKey: publicKeyBytes(createPublicKey(secret)),
    incarnation: () => incarnation,
    learn(rows, timeMs) {
      const told = lie.row === undefined ? rows : rows.map(lie.row);
      for (const bytes of blocks(told, timeMs, true, end)) engine.ingest(bytes);
    },
    tell(row, timeMs) {
      const field = scenario.readings?.field ?? '';
      const value = row.x[scenario.fields.indexOf(field)];
      if (value === undefined || Number.isNaN(value)) return;
      const packet = publishPacket('now', Buffer.from(JSON.stringify({ ts: timeMs, [`${field}_now`]: value })));
      const outputs = engine.ingest(block(BLOCK_KIND.messagesV4, packet, 1, timeMs, end));
      for (const output of decodeOutputs(outputs)) readings.take(output);
    },
    tellReport: (wallMs) => signedReport({ about: '', simulated: true, at: wallMs, messages: 0, ledger: NOTHING }),
    heard(answer, wallMs) {
      const packets = readings.packets(answer);
      if (packets.length === 0) return;
      engine.ingest(block(BLOCK_KIND.messagesV4, Buffer.concat(packets), packets.length, wallMs, end, true));
    },
    probe(rows, timeMs) {
      const copy = core.newEngine();
      copy.restore(engine.checkpoint());
      const score: Score = { rows: 0, sum: 0 };
      for (const bytes of blocks(rows, timeMs, false, { ...end })) {
        for (const output of decodeOutputs(copy.ingest(bytes))) {
          if (output.kind !== 'prediction') continue;
          const label = rows[score.rows++]?.label;
          score.sum += Number(output.class === label);
        }
      }
      return score;
    },
    collect(wallMs) {
      const [section] = engine.delta();
      if (section === undefined) return;
      const payload = lie.statistics?.(section.statistics) ?? section.statistics;
      const contents = sha256(payload).toString('hex');
      if (contents === signedFor || waiting?.contents === contents) return;
      const base = engine.report().tasks[0]?.release ?? null;
      seq += 1;
      const bytes = encodeEnvelope(
        {
          gateway: id,
          incarnation,
          seq,
          wallMs,
          task: TASK,
          baseRelease: base === null ? NO_RELEASE : Buffer.from(base, 'hex'),
          kernelHash: core.kernelHash,
          schema: section.schema,
          payload,
        },
        (content) => sign(null, content, secret),
      );
      waiting = { seq, payloadHash: contents, contents, bytes };
    },
    outbox: () => (waiting === null ? [] : [waiting.bytes]),
    answered({ receipt, signature }, coordinatorKey) {
      const signed = signatureVerifies(
        Buffer.from(JSON.stringify(receipt)),
        Buffer.from(signature, 'base64'),
        publicKeyFromBytes(coordinatorKey),
      );
      const names =
        receipt.gateway === id &&
        receipt.incarnation === incarnation.toString('hex') &&
        receipt.seq === waiting?.seq &&
        receipt.payload_hash === waiting.payloadHash;
      if (!signed || !names || waiting === null) return false;
      signedFor = waiting.contents;
      waiting = null;
      return true;
    },
    wanted(heads) {
      const [task] = engine.report().tasks;
      return heads
        .filter(({ schema, release }) => schema === task?.schema && release !== null && release !== task.release)
        .map(({ release }) => release as string);
    },
    install(bytes, wallMs) {
      decodeRelease(bytes);
      engine.ingest(block(BLOCK_KIND.release, bytes, 0, wallMs, end));
      const installed = engine.report().tasks[0]?.release;
      const hash = releaseHash(bytes).toString('hex');
      if (installed !== hash) throw new Error(`${id} did not take release ${hash} in`);
    },
    report(wallMs) {
      const { messages, sources, tasks } = engine.report();
      const ledger = { ...NOTHING };
      for (const source of sources) {
        for (const name of Object.keys(ledger) as (keyof typeof ledger)[]) ledger[name] += source[name];
      }
      return signedReport({ about: '', simulated: true, at: wallMs, messages, ledger, tasks, connected: true });
    },
    account() {
      const [task] = engine.report().tasks;
      return {
        matured: task?.matured ?? 0,
        errorSum: task?.error_sum ?? 0,
        baselineSum: task?.baseline_sum ?? 0,
        release: task?.release ?? null,
      };
    },
    statistics: () => engine.delta()[0]?.statistics ?? null,
    backup: () => ({ state: Buffer.from(engine.checkpoint()), end: { ...end } }),
    restore(backup) {
      engine = restored(core, backup.state);
      end = { ...backup.end };
      begin();
    },
    restart() {
      engine = restored(core, Buffer.from(engine.checkpoint()));
    },
    panel: () => engine.report().tasks[0]?.panel ?? [],
  };
}

function restored(core: Core, state: Buffer): Engine {
  const engine = core.newEngine();
  engine.restore(state);
  return engine;
}

/** The configuration that a user would write for these rows. */
function yamlOf({ fields, task, readings }: Scenario, id: string): string {
  const features = JSON.stringify([...fields, ...(readings?.features ?? [])]);
  const learned =
    task.kind === 'classify'
      ? `{ name: ${TASK}, classify: { topic: labels }, every: 0s, features: ${features} }`
      : `{ name: ${TASK}, forecast: ${task.target}, horizon: 1h, every: 0s, features: ${features} }`;
  return [
    `gateway: ${id}`,
    'mqtt: { url: mqtt://localhost }',
    'sources:',
    '  - topic: rows',
    '    key: site',
    `    fields: { ${fields.map((field) => `${field}: ${field}`).join(', ')} }`,
    '    time: ts',
    ...(readings === undefined
      ? []
      : [
          `  - { topic: now, key: site, fields: { ${readings.field}_now: ${readings.field}_now }, time: ts }`,
          'sync: { url: http://localhost }',
          `fleet: ${readings.wanted}`,
        ]),
    'tasks:',
    `  - ${learned}`,
  ].join('\n');
}

function payloadOf({ fields }: Scenario, { x }: Row, timeMs: number): Buffer {
  const content: Record<string, number> = { ts: timeMs };
  for (const [at, field] of fields.entries()) {
    const value = x[at] as number;
    if (!Number.isNaN(value)) content[field] = value;
  }
  return Buffer.from(JSON.stringify(content));
}
