/**
 * Sync with the coordinator: hand in what was learned, take releases back. One loop at a time, in this order:
 *   deltas into the outbox ─▶ enrol (once) ─▶ outbox to the coordinator ─▶ report ─▶ releases it names into the log
 * An offline gateway loses nothing: the outbox keeps the newest envelope per task, and the loop keeps trying.
 * A release is written to the log as a block, so that the fold takes it in at one place, in every replay.
 */
import { join } from 'node:path';
import {
  type AgentStatus,
  type Config,
  type Core,
  type DeltaSection,
  encodeEnvelope,
  type FleetTold,
  type Identity,
  makeDirectory,
  RivuletError,
  readTls,
  replaceFile,
  toRivuletError,
} from '@rivulet/host';
import { CallFailed, type Head, type Standing } from './answers.ts';
import { connectCoordinator } from './coordinator.ts';
import { onDisk } from './disk.ts';
import { enrol, readPin } from './enrol.ts';
import { collect, handIn } from './hand_in.ts';
import { openOutbox } from './outbox.ts';
import { checkRelease, forgetOldReleases } from './releases.ts';
import { nextAttemptMs } from './retry.ts';
import { disagreement, openAllowance, type Reason, type Told } from './talk.ts';

/** A report goes out at least this often, so that the fleet's picture is a live one; deltas keep their own interval. */
const REPORT_MS = 2000;
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
  /** What goes with a report for the readings of the fleet; null: none are asked for. */
  told(): FleetTold | null;
  /** Writes the readings of the fleet that an answer holds into the log. */
  heard(answer: unknown): Promise<void>;
  notice(error: RivuletError): void;
  /** The last call went well: whatever was noticed about sync before is over. */
  well(): void;
  /** A delta was taken in: this gateway is not one of two. */
  accepted(): void;
  /** The coordinator counts this gateway to its fleet. */
  member(): void;
}

export interface Sync {
  /** Drift was found: what was learned goes out with the next report, and what the coordinator has comes back. */
  ask(): void;
  status(): NonNullable<AgentStatus['sync']>;
  stop(): Promise<void>;
}

export async function startSync(target: NonNullable<Config['sync']>, context: SyncContext): Promise<Sync> {
  const { identity, directory } = context;
  const incarnation = (): string => identity.incarnation.toString('hex');
  const { tls } = target;
  const readFiles =
    tls === null ? null : () => readTls(tls, (file) => `sync.${file}`, 'RIV_SYNC_TLS', context.wallMs());
  const atBroker = { gateway: context.config.gateway, protocol: target.protocol };
  const pin = join(directory, 'identity', PIN_FILE);
  const coordinator = connectCoordinator(target.url, target.token, readFiles, {
    ...atBroker,
    pinned: () => readPin(pin),
    spent: (bytes) => allowance.spend(bytes),
  });
  const outbox = await openOutbox(join(directory, 'outbox'), incarnation, (content) =>
    encodeEnvelope(content, identity.sign),
  );
  const releases = join(directory, 'releases');
  await makeDirectory(releases);
  /** Release hashes that were refused: not fetched again. */
  const refused = new Set<string>();

  /** Per task the release in our panel that the coordinator does not know: no delta goes on from it. */
  const basesGone = new Map<string, string>();

  let coordinatorKey: string | null = null;
  let failures = 0;
  /** Of the last report. The clock gives the first, so that it need not be kept over a restart. */
  let reportNumber = 0;
  let deltasDueMs = 0;
  /** Why what was learned goes out before its time; null: it does not. */
  let asked: Reason | null = 'time';
  const allowance = openAllowance(target.bytesPerDay, context.monoMs);
  const told = new Map<string, Told>();
  /** Per task the release that we disagreed with. */
  const disagreed = new Map<string, string>();
  const counts = {
    told: { time: 0, drift: 0, disagreement: 0, coordinator: 0 },
    unchanged: 0,
    little: 0,
    held_back: 0,
  };
  /** Bytes of the last report and its answer. */
  let reportBytes = 0;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  let running = Promise.resolve();

  /** Answers whether all went well; a disk that takes no deltas is told, and does not keep the rest from going on. */
  async function round(): Promise<boolean> {
    if (disagreesAnew()) asked ??= 'disagreement';
    const collected = (asked === null && context.monoMs() < deltasDueMs) || (await collectDue(asked ?? 'time'));
    coordinatorKey ??= await enrol(coordinator, context, incarnation(), pin);
    await handIn(outbox, coordinator, coordinatorKey, context, { takeReleases, baseGone, beginAnew, mayTalk });
    if (!mayTalk()) {
      return collected;
    }
    const { heads, held, forgotten, kernelTaken, fleet } = await report();
    await context.heard(fleet);
    if (forgotten === false) {
      context.member();
      if ((await outbox.offerAgain('forgotten')) > 0) {
        asked = 'coordinator';
      }
    }
    if (kernelTaken === true && (await outbox.offerAgain('kernel')) > 0) {
      asked = 'coordinator';
    }
    if (held?.some((entry) => entry.incarnation === incarnation() && entry.seq > outbox.seq())) {
      await beginAnew();
    } else if (held !== null && (await outbox.compare(held)) > 0) {
      asked = 'coordinator';
    }
    await takeReleases(heads);
    return collected;
  }

  /** What was learned goes into the outbox; false when the disk does not take it, and the next round tries again. */
  async function collectDue(why: Reason): Promise<boolean> {
    asked = null;
    try {
      await collect(outbox, context, { basesGone, told, counts, why });
    } catch (error) {
      if (!(error instanceof RivuletError) || error.code !== 'RIV_SYNC_DISK') throw error;
      asked ??= why;
      context.notice(error);
      return false;
    }
    const interval = { failures: 0, everyMs: target.everyMs, window: null, random: context.random() };
    deltasDueMs = context.monoMs() + nextAttemptMs(interval);
    return true;
  }

  /** Whether the budget of bytes allows one more call; what may not go now waits. */
  function mayTalk(): boolean {
    const left = allowance.left();
    if (left === null || left > 0) return true;
    counts.held_back += 1;
    return false;
  }

  /** A release that does worse here than what was learned here: the coordinator should know soon what we have seen. */
  function disagreesAnew(): boolean {
    let news = false;
    for (const task of context.status().tasks) {
      const release = disagreement(task);
      if (release === null || disagreed.get(task.name) === release) continue;
      disagreed.set(task.name, release);
      news = true;
    }
    return news;
  }

  /** A status report under the next number; once more when another process with our key has given that one. */
  async function report(again = true): Promise<Standing> {
    reportNumber = Math.max(reportNumber + 1, context.wallMs());
    try {
      const fleet = context.told();
      const status = {
        ...{ ...context.status(), incarnation: incarnation(), number: reportNumber },
        ...(fleet === null ? {} : { fleet }),
      };
      const before = coordinator.traffic();
      const answer = await coordinator.sendReport(status, identity.sign);
      const after = coordinator.traffic();
      reportBytes = after.outBytes - before.outBytes + after.inBytes - before.inBytes;
      return answer;
    } catch (error) {
      if (!again || !(error instanceof CallFailed) || error.newestReport === null) throw error;
      reportNumber = error.newestReport;
      return report(false);
    }
  }

  /** Our own state is from a backup, or runs a second time elsewhere: numbers we give were given before. */
  async function beginAnew(): Promise<void> {
    const found = 'the coordinator knows later deltas of this state: it was restored from a backup, or runs twice';
    await onDisk(join(directory, 'identity'), identity.renew());
    await outbox.clear();
    asked = 'coordinator';
    context.notice(new RivuletError('RIV_NUMBER_REUSED', { found, todo: 'Sync goes on as a new incarnation.' }));
  }

  /** The coordinator lost the release we go on from: take the one it names, and say all once more. */
  async function baseGone({ task, release, schema }: Head): Promise<void> {
    const base = context.status().tasks.find((candidate) => candidate.name === task)?.release ?? null;
    if (base !== null) {
      basesGone.set(task, base);
    }
    asked = 'coordinator';
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
        stopped ||
        !mayTalk()
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
      const file = join(releases, `${head.release}.rvrl`);
      await onDisk(file, replaceFile(file, bytes));
      await onDisk(releases, forgetOldReleases(releases));
      await context.accept(bytes);
    }
  }

  async function attempt(): Promise<void> {
    try {
      const wholly = !mayTalk() || (await round());
      failures = 0;
      if (wholly) context.well();
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
      const everyMs = Math.max(Math.min(REPORT_MS, target.everyMs), allowance.intervalMs(reportBytes));
      const window = coordinator.retryWindow();
      const waitMs = Math.max(
        allowance.waitMs(),
        nextAttemptMs({ failures, everyMs, window, random: context.random() }),
      );
      timer = setTimeout(() => {
        running = attempt();
      }, waitMs);
    }
  }

  running = attempt();
  return {
    ask() {
      asked = 'drift';
    },
    status() {
      const { outBytes, inBytes } = coordinator.traffic();
      return { ...counts, out_bytes: outBytes, in_bytes: inBytes, left_bytes: allowance.left() };
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
