/**
 * Sync with the coordinator: hand in what was learned, take releases back. One loop at a time, in this order:
 *   deltas into the outbox ─▶ enrol (once) ─▶ outbox to the coordinator ─▶ report ─▶ releases it names into the log
 * An offline gateway loses nothing: the outbox keeps the newest envelope per task, and the loop keeps trying.
 * A release is written to the log as a block, so that the fold takes it in at one place, in every replay.
 */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type AgentStatus,
  type Config,
  type Core,
  type DeltaSection,
  decodeRelease,
  encodeEnvelope,
  type Identity,
  makeDirectory,
  RivuletError,
  readTls,
  releaseHash,
  replaceFile,
  toRivuletError,
} from '@rivulet/host';
import { CallFailed, type Coordinator, connectCoordinator, type Head, type Standing } from './coordinator.ts';
import { type Outbox, openOutbox } from './outbox.ts';
import { nextAttemptMs } from './retry.ts';

const NO_RELEASE = Buffer.alloc(32);
/** A report goes out at least this often, so that the fleet's picture is a live one; deltas keep their own interval. */
const REPORT_MS = 2000;
/** Release files kept for a look. */
const RELEASE_FILES_MAX = 32;
/** What the coordinator's key is pinned in, beside our own. */
const PIN_FILE = 'coordinator.key';

/** What sync needs of the agent. */
export interface SyncContext {
  config: Config;
  directory: string;
  identity: Identity;
  core: Pick<Core, 'kernelHash'>;
  wallMs(): number;
  /** Monotonic milliseconds: what is due does not wait for a wall clock that was set back. */
  monoMs(): number;
  random(): number;
  /** What was learned, at a moment when all of it is durable. */
  deltas(): Promise<DeltaSection[]>;
  status(): AgentStatus;
  /** Writes a release into the log; resolves when it is durable and folded in. */
  accept(release: Buffer): Promise<void>;
  notice(error: RivuletError): void;
  /** The last call went well: whatever was noticed about sync before is over. */
  well(): void;
  /** A delta was taken in: this gateway is not one of two. */
  accepted(): void;
  /** The coordinator counts this gateway to its fleet. */
  member(): void;
}

export interface Sync {
  /** What was learned goes out with the next report, and what the coordinator has comes back. */
  ask(): void;
  stop(): Promise<void>;
}

export async function startSync(target: NonNullable<Config['sync']>, context: SyncContext): Promise<Sync> {
  const { identity, directory } = context;
  const incarnation = (): string => identity.incarnation.toString('hex');
  const { tls } = target;
  const readFiles =
    tls === null ? null : () => readTls(tls, (file) => `sync.${file}`, 'RIV_SYNC_TLS', context.wallMs());
  const atBroker = { gateway: context.config.gateway, protocol: target.protocol };
  const coordinator = connectCoordinator(target.url, target.token, readFiles, atBroker);
  const outbox = await openOutbox(join(directory, 'outbox'), incarnation, (content) =>
    encodeEnvelope(content, identity.sign),
  );
  const releases = join(directory, 'releases');
  await makeDirectory(releases);
  const pin = join(directory, 'identity', PIN_FILE);
  /** Release hashes that were refused: not fetched again. */
  const refused = new Set<string>();

  /** Per task the release in our panel that the coordinator does not know: no delta goes on from it. */
  const basesGone = new Map<string, string>();

  let coordinatorKey: string | null = null;
  let failures = 0;
  /** Of the last report. The clock gives the first, so that it need not be kept over a restart. */
  let reportNumber = 0;
  let deltasDueMs = 0;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let running = Promise.resolve();

  async function round(): Promise<void> {
    if (context.monoMs() >= deltasDueMs) {
      await collect(outbox, basesGone, context);
      const interval = { failures: 0, everyMs: target.everyMs, window: null, random: context.random() };
      deltasDueMs = context.monoMs() + nextAttemptMs(interval);
    }
    coordinatorKey ??= await enrol(coordinator, context, incarnation(), pin);
    await handIn(outbox, coordinator, coordinatorKey, context, { takeReleases, baseGone, beginAnew });
    const { heads, held, forgotten } = await report();
    if (forgotten === false) {
      context.member();
      if ((await outbox.returned()) > 0) {
        deltasDueMs = 0;
      }
    }
    if (held?.some((entry) => entry.incarnation === incarnation() && entry.seq > outbox.seq())) {
      await beginAnew();
    } else if (held !== null && (await outbox.compare(held)) > 0) {
      deltasDueMs = 0;
    }
    await takeReleases(heads);
  }

  /** A status report under the next number; once more when another process with our key has given that one. */
  async function report(again = true): Promise<Standing> {
    reportNumber = Math.max(reportNumber + 1, context.wallMs());
    try {
      const status = { ...context.status(), incarnation: incarnation(), number: reportNumber };
      return await coordinator.sendReport(status, identity.sign);
    } catch (error) {
      if (!again || !(error instanceof CallFailed) || error.newestReport === null) throw error;
      reportNumber = error.newestReport;
      return report(false);
    }
  }

  /** Our own state is from a backup, or runs a second time elsewhere: numbers we give were given before. */
  async function beginAnew(): Promise<void> {
    const found = 'the coordinator knows later deltas of this state: it was restored from a backup, or runs twice';
    await identity.renew();
    await outbox.clear();
    deltasDueMs = 0;
    context.notice(new RivuletError('RIV_NUMBER_REUSED', { found, todo: 'Sync goes on as a new incarnation.' }));
  }

  /** The coordinator lost the release we go on from: take the one it names, and say all once more. */
  async function baseGone({ task, release, schema }: Head): Promise<void> {
    const base = context.status().tasks.find((candidate) => candidate.name === task)?.release ?? null;
    if (base !== null) {
      basesGone.set(task, base);
    }
    deltasDueMs = 0;
    await takeReleases([{ task, schema, release }]);
  }

  async function takeReleases(heads: Head[]): Promise<void> {
    for (const head of heads) {
      const task = context.status().tasks.find((candidate) => candidate.name === head.task);
      if (
        head.release === null ||
        task === undefined ||
        task.schema !== head.schema ||
        task.release === head.release ||
        refused.has(head.release) ||
        stopped
      ) {
        continue;
      }
      const bytes = await coordinator.fetchRelease(head.release);
      try {
        checkRelease(bytes, head);
      } catch (error) {
        refused.add(head.release);
        context.notice(toRivuletError(error));
        continue;
      }
      await replaceFile(join(releases, `${head.release}.rvrl`), bytes);
      await forgetOldReleases(releases);
      await context.accept(bytes);
    }
  }

  async function attempt(): Promise<void> {
    try {
      await round();
      failures = 0;
      context.well();
    } catch (error) {
      failures += 1;
      if (error instanceof RivuletError && error.code === 'RIV_GATEWAY_UNKNOWN') {
        coordinatorKey = null; // The coordinator lost its state, or is a new one: enrol again.
      }
      if (!stopped) {
        context.notice(toRivuletError(error));
      }
    }
    if (!stopped) {
      const everyMs = Math.min(REPORT_MS, target.everyMs);
      const window = coordinator.retryWindow();
      const waitMs = nextAttemptMs({ failures, everyMs, window, random: context.random() });
      timer = setTimeout(() => {
        running = attempt();
      }, waitMs);
    }
  }

  running = attempt();
  return {
    ask() {
      deltasDueMs = 0;
    },
    async stop() {
      stopped = true;
      if (timer !== null) {
        clearTimeout(timer);
      }
      await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 300).unref())]);
      await coordinator.close();
    },
  };
}

/** Keeps the newest files; the log holds every release that was taken in anyway. */
async function forgetOldReleases(directory: string): Promise<void> {
  const files = await Promise.all(
    (await readdir(directory)).map(async (name) => {
      const path = join(directory, name);
      return { path, atMs: (await stat(path)).mtimeMs };
    }),
  );
  for (const { path } of files.sort((a, b) => b.atMs - a.atMs).slice(RELEASE_FILES_MAX)) {
    await rm(path, { force: true });
  }
}

/** Enrols and pins the coordinator's key: receipts by another key are refused from then on. */
async function enrol(
  coordinator: Coordinator,
  context: SyncContext,
  incarnation: string,
  pin: string,
): Promise<string> {
  const { config, identity } = context;
  const key = await coordinator.enrol({
    gateway: config.gateway,
    public_key: identity.publicKey.toString('base64'),
    incarnation,
    about: config.about,
    simulated: config.simulated,
  });
  const pinned = await readFile(pin, 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
  if (pinned === null) {
    await replaceFile(pin, Buffer.from(`${key}\n`), 0o600);
  } else if (pinned !== key) {
    throw new RivuletError('RIV_SYNC_ANSWER', {
      found: 'the coordinator has another key than the one this gateway enrolled at',
      where: pin,
      todo: 'If the coordinator was really replaced, remove this file; else somebody stands in between.',
    });
  }
  return key;
}

/** Statistics of every task that has enough rows become envelopes. */
async function collect(outbox: Outbox, basesGone: ReadonlyMap<string, string>, context: SyncContext): Promise<void> {
  const status = context.status();
  for (const section of await context.deltas()) {
    const task = context.config.tasks[section.task];
    if (task === undefined) {
      continue;
    }
    const base = status.tasks[section.task]?.release ?? null;
    await outbox.put({
      gateway: context.config.gateway,
      incarnation: context.identity.incarnation,
      wallMs: context.wallMs(),
      task: task.name,
      baseRelease: base === null || base === basesGone.get(task.name) ? NO_RELEASE : Buffer.from(base, 'hex'),
      kernelHash: context.core.kernelHash,
      schema: section.schema,
      payload: section.statistics,
    });
  }
}

/** Sends what waits; an envelope goes only when a signed receipt names it. */
async function handIn(
  outbox: Outbox,
  coordinator: Coordinator,
  key: string,
  context: SyncContext,
  act: { takeReleases(heads: Head[]): Promise<void>; baseGone(from: Head): Promise<void>; beginAnew(): Promise<void> },
): Promise<void> {
  for (const envelope of outbox.waiting()) {
    let answer: Awaited<ReturnType<Coordinator['sendDelta']>>;
    try {
      answer = await coordinator.sendDelta(envelope.bytes, key, {
        gateway: context.config.gateway,
        sign: context.identity.sign,
      });
    } catch (error) {
      const refusal = toRivuletError(error);
      if (refusal.code === 'RIV_GATEWAY_FORGOTTEN') {
        // Its operator took this gateway out of the fleet: the delta is not wanted, but its reports and releases are.
        await outbox.refused(envelope.seq);
        context.notice(refusal);
        continue;
      }
      if (!(error instanceof CallFailed) || error.code !== 'RIV_BASE_GONE') {
        throw error;
      }
      await outbox.drop(envelope);
      await act.baseGone(error.resync ?? { task: envelope.task, schema: envelope.schema, release: null });
      continue;
    }
    if (answer.receipt.gateway !== context.config.gateway || !(await outbox.signedFor(answer.receipt))) {
      throw new RivuletError('RIV_SYNC_ANSWER', {
        found: `a receipt for another delta (number ${answer.receipt.seq})`,
      });
    }
    if (answer.receipt.code === 'RIV_NUMBER_REUSED') {
      await act.beginAnew();
      return;
    }
    if (answer.receipt.outcome === 'quarantined') {
      const found = `the coordinator quarantined a delta of "${envelope.task}": ${answer.receipt.reason ?? 'no reason given'}`;
      const cloned = answer.receipt.code === 'RIV_GATEWAY_CLONED';
      context.notice(new RivuletError(cloned ? 'RIV_GATEWAY_CLONED' : 'RIV_SYNC_REFUSED', { found }));
    }
    if (answer.receipt.outcome === 'accepted') {
      context.accepted();
    }
    await act.takeReleases(answer.heads);
  }
}

function checkRelease(bytes: Buffer, head: Head): void {
  const hash = releaseHash(bytes).toString('hex');
  if (hash !== head.release) {
    throw new RivuletError('RIV_CORRUPT', { found: `a release with the hash ${hash}`, expected: String(head.release) });
  }
  const release = decodeRelease(bytes);
  if (release.task !== head.task || Buffer.from(release.schemaHash).toString('hex') !== head.schema) {
    throw new RivuletError('RIV_SCHEMA_MISMATCH', { found: `release ${hash} is for another task or schema` });
  }
}
