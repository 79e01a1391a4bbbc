/**
 * The way up from a site's coordinator: enrolments, envelopes and reports of its gateways go to the coordinator above as
 * they were signed, its releases come down. Envelopes wait on disk until that one has signed for them, so the way up may be
 * gone for weeks. Leaves go up, not their sum: the merge above depends on the set of gateways alone, not on who brought
 * them, and a gateway that is forgotten there is out of it exactly.
 */
import { readFileSync } from 'node:fs';
import {
  compressBody,
  type HttpAnswer,
  httpCall,
  type KeyObject,
  publicKeyFromBytes,
  RivuletError,
  replaceFile,
  signatureVerifies,
  type TlsMaterial,
  toRivuletError,
} from '@rivulet/host';
import type { DeltaAnswerView, ErrorView, HeadView, ReportAnswerView, RetryWindowView } from '../api/views.ts';
import type { Coordinator } from '../coordinator.ts';
import type { Relayed, Store } from '../drivers/store.ts';

const CALL_MS_MAX = 30_000;
/** Longest answer: a release of a wide task. */
const ANSWER_BYTES_MAX = 20 * 1024 * 1024;
/** Calls under way at a time. */
const LANES = 8;
/** Envelopes that are looked at together. */
const BATCH = 64;
/** Reports that wait, newest per gateway; beyond it the oldest is left out: the next one comes soon. */
const REPORTS_MAX = 10_000;
/** The one above cannot silence a site for longer than this. */
const ASKED_S_MAX = 3_600;
/** A stop waits this long for calls that are under way; what they came to is asked for again. */
const STOP_MS_MAX = 300;
const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 5 * 60_000;

export interface UpstreamParts {
  /** Without a slash at its end. */
  readonly url: string;
  /** Shown when gateways are enrolled above; null: none. */
  readonly token: string | null;
  readonly tls: TlsMaterial | null;
  readonly everyMs: number;
  readonly store: Store;
  readonly coordinator: Pick<Coordinator, 'mirror' | 'handBack' | 'failed'>;
  /** Where the key of the coordinator above is kept, once it is known. */
  readonly keyFile: string;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface Upstream {
  /** A report was taken in: the newest of each gateway goes up with the next round. */
  reported(gateway: string, body: Uint8Array, signature: string): void;
  stop(): Promise<void>;
}

export function startUpstream(parts: UpstreamParts): Upstream {
  const { store, coordinator } = parts;
  /** Gateways that the coordinator above knows, as far as this process has heard. */
  const enrolled = new Set<string>();
  /** Those that it did not enrol. */
  const turnedAway = new Set<string>();
  /** Releases that were not what they should be: not fetched again. */
  const refusedReleases = new Set<string>();
  const reports = new Map<string, { body: Uint8Array; signature: string }>();
  let key: KeyObject | null = readKey(parts.keyFile);
  let window: RetryWindowView | null = null;
  let failures = 0;
  /** What was signed for above waits again. */
  let soon = false;
  let stopped = false;
  let timer: NodeJS.Timeout | null = null;

  async function call(path: string, method: 'GET' | 'POST', headers: Record<string, string>, body?: Uint8Array) {
    const tls = parts.tls === null ? {} : { tls: parts.tls };
    const limits = { timeoutMs: CALL_MS_MAX, answerBytesMax: ANSWER_BYTES_MAX };
    const request = { method, headers, ...limits, ...tls, ...(body === undefined ? {} : { body }) };
    try {
      return await httpCall(`${parts.url}${path}`, request);
    } catch (cause) {
      throw new RivuletError('RIV_SYNC_UNREACHABLE', { found: (cause as Error).message, where: parts.url, cause });
    }
  }

  /** False: nobody here knows how the gateway enrolled, so it cannot be introduced above yet. */
  async function introduce(gateway: string): Promise<boolean> {
    if (enrolled.has(gateway)) return true;
    const enrolment = store.relay.enrolment(gateway);
    if (enrolment === null) return false;
    const token = parts.token === null ? {} : { authorization: `Bearer ${parts.token}` };
    const signature = enrolment.signature === '' ? {} : { 'x-rivulet-signature': enrolment.signature };
    const headers = { 'content-type': 'application/json', ...token, ...signature };
    const answer = await call('/api/v1/gateways', 'POST', headers, Buffer.from(enrolment.body));
    if (answer.status >= 500) throw refusal(answer);
    if (answer.status !== 200) {
      // What is the matter with one gateway is told, once, and keeps no other from going up.
      if (!turnedAway.has(gateway)) coordinator.failed(refusal(answer));
      turnedAway.add(gateway);
      return false;
    }
    turnedAway.delete(gateway);
    await pin(String(read<{ coordinator_key: string }>(answer).coordinator_key));
    enrolled.add(gateway);
    return true;
  }

  /** The first key that answers is the one above from then on. */
  async function pin(found: string): Promise<void> {
    const bytes = Buffer.from(found, 'base64');
    if (key === null) {
      key = publicKeyFromBytes(bytes);
      await replaceFile(parts.keyFile, Buffer.from(`${found}\n`));
    }
    if (key.equals(publicKeyFromBytes(bytes))) return;
    throw new RivuletError('RIV_SYNC_ANSWER', {
      found: 'the coordinator above has another key than the one this site began with',
      where: parts.keyFile,
      todo: 'If it was really replaced, remove this file; else somebody stands in between.',
    });
  }

  async function handOn(relayed: Relayed): Promise<void> {
    const { ordinal, gateway, envelope } = relayed;
    if (!(await introduce(gateway))) return;
    const { body, encoding } = compressBody(envelope);
    const packed = encoding === 'identity' ? {} : { 'content-encoding': encoding };
    const headers = { 'content-type': 'application/octet-stream', ...packed };
    const answer = await call('/api/v1/deltas', 'POST', headers, body);
    if (answer.status !== 200) return refused(answer, relayed);
    const view = read<DeltaAnswerView>(answer);
    const { receipt } = view;
    checkReceipt(view, relayed);
    // superseded: the gateway has said something newer above, by another way
    const held = receipt.outcome === 'accepted' || (receipt.outcome === 'duplicate' && receipt.reason === undefined);
    if (held) store.relay.held(ordinal);
    else store.relay.drop(ordinal);
    if (receipt.outcome === 'quarantined') {
      const found = `the coordinator above quarantined a delta of ${gateway}: ${receipt.reason ?? 'no reason given'}`;
      coordinator.failed(new RivuletError('RIV_SYNC_REFUSED', { found }));
    }
    window = view.retry_window_s;
    await takeHeads(view.heads);
  }

  /** Only a receipt that the one above signed for this very envelope ends its waiting. */
  function checkReceipt({ receipt, signature }: DeltaAnswerView, { gateway, incarnation, seq }: Relayed): void {
    const signed = Buffer.from(String(JSON.stringify(receipt)));
    const good = key !== null && signatureVerifies(signed, Buffer.from(String(signature), 'base64'), key);
    const its = receipt?.gateway === gateway && receipt.incarnation === incarnation && receipt.seq === seq;
    if (good && its) return;
    throw new RivuletError('RIV_SYNC_ANSWER', {
      found: `a receipt of the coordinator above that is not ${good ? 'for what was handed on' : 'signed with its key'}`,
    });
  }

  /** What no second attempt would mend goes; the rest waits. */
  async function refused(answer: HttpAnswer, { ordinal, gateway, envelope }: Relayed): Promise<void> {
    const { error, resync } = read<ErrorView>(answer);
    if (error?.code === 'RIV_GATEWAY_UNKNOWN') enrolled.delete(gateway); // it lost its state: introduced anew
    // without a code it was not the coordinator that answered, but something in between
    const known = typeof error?.code === 'string' && error.code.startsWith('RIV_');
    if (!known || answer.status >= 500 || error.code === 'RIV_GATEWAY_UNKNOWN') throw refusal(answer);
    if (error.code === 'RIV_BASE_GONE' && resync !== undefined) {
      coordinator.handBack(envelope);
      store.relay.drop(ordinal); // only now: a kill in between asks again
      return takeHeads([resync]);
    }
    store.relay.drop(ordinal);
    coordinator.failed(refusal(answer));
  }

  async function takeHeads(heads: unknown): Promise<void> {
    for (const head of Array.isArray(heads) ? heads.filter(isHead) : []) {
      const { release } = head;
      const mine = store.heads.get(head.schema);
      if (mine === null || mine.release === release || refusedReleases.has(release ?? '')) continue;
      const bytes = release === null ? null : (store.blobs.get(release) ?? (await fetchRelease(release)));
      try {
        coordinator.mirror(head, bytes);
      } catch (error) {
        const refused = toRivuletError(error);
        if (refused.code === 'RIV_STORE') throw refused;
        if (release !== null) refusedReleases.add(release);
        coordinator.failed(refused);
      }
    }
  }

  async function fetchRelease(hash: string): Promise<Uint8Array> {
    const answer = await call(`/api/v1/releases/${hash}`, 'GET', {});
    if (answer.status !== 200) throw refusal(answer);
    return answer.body;
  }

  async function report(gateway: string): Promise<void> {
    const waiting = reports.get(gateway);
    if (waiting === undefined || !(await introduce(gateway))) return;
    reports.delete(gateway);
    const headers = { 'content-type': 'application/json', 'x-rivulet-signature': waiting.signature };
    const answer = await call('/api/v1/reports', 'POST', headers, waiting.body);
    if (answer.status >= 500) throw refusal(answer);
    // one that is too old, or of a gateway that is not known above, is not worth a word: the next one comes soon
    if (answer.status === 403) enrolled.delete(gateway);
    if (answer.status !== 200) return;
    const { heads, held } = read<ReportAnswerView>(answer);
    if (Array.isArray(held) && store.relay.compare(gateway, held) > 0) soon = true; // it was restored from a backup
    await takeHeads(heads);
  }

  async function round(): Promise<void> {
    soon = false;
    for (let after = 0; !stopped; ) {
      const batch = store.relay.waiting(after, BATCH);
      if (batch.length === 0) break;
      await inLanes(batch, handOn);
      after = batch.at(-1)?.ordinal ?? after;
    }
    await inLanes([...reports.keys()], report);
    if (soon && !stopped) await round();
  }

  async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const queue = items.values();
    const lane = async () => {
      for (const item of queue) if (!stopped) await work(item);
    };
    const ends = await Promise.allSettled(Array.from({ length: Math.min(LANES, items.length) }, lane));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  async function attempt(): Promise<void> {
    try {
      await round();
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!stopped) coordinator.failed(toRivuletError(error));
    }
    if (!stopped) timer = setTimeout(again, waitMs());
  }

  /** Half of a backoff is chance, so that sites that lost the one above do not come back as one. */
  function waitMs(): number {
    const chance = parts.random();
    if (failures > 0) {
      const full = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.min(failures - 1, 20));
      return full / 2 + (full / 2) * chance;
    }
    const { from, to } = window ?? { from: 0, to: 0 };
    const askedS = Number(from) + (Number(to) - Number(from)) * chance;
    const asked = askedS > 0 ? 1_000 * Math.min(askedS, ASKED_S_MAX) : 0;
    return Math.max(parts.everyMs * (0.95 + 0.1 * chance), asked);
  }

  let running = attempt();
  function again(): void {
    running = attempt();
  }

  return {
    reported(gateway, body, signature) {
      reports.delete(gateway);
      reports.set(gateway, { body, signature });
      const [oldest] = reports.keys();
      if (reports.size > REPORTS_MAX && oldest !== undefined) reports.delete(oldest);
    },
    async stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, STOP_MS_MAX).unref())]);
    },
  };
}

function isHead(value: unknown): value is HeadView {
  const { task, schema, release } = (value ?? {}) as Partial<HeadView>;
  const hashes = [schema, ...(release === null ? [] : [release])];
  return typeof task === 'string' && hashes.every((hash) => /^[0-9a-f]{64}$/.test(String(hash)));
}

function readKey(file: string): KeyObject | null {
  try {
    return publicKeyFromBytes(Buffer.from(readFileSync(file, 'utf8'), 'base64'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function read<T>(answer: HttpAnswer): T {
  try {
    const value: unknown = JSON.parse(answer.body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {
    // falls through to the refusal
  }
  throw new RivuletError('RIV_SYNC_ANSWER', `an answer of status ${answer.status} that is not a JSON object`);
}

function refusal(answer: HttpAnswer): RivuletError {
  const { error } = read<Partial<ErrorView>>(answer);
  const code = answer.status >= 500 ? 'RIV_SYNC_UNREACHABLE' : 'RIV_SYNC_REFUSED';
  return new RivuletError(code, {
    found: `the coordinator above answered ${answer.status}, ${error?.code ?? 'no code'}: ${error?.message ?? ''}`,
  });
}
