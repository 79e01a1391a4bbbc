/** What was learned on its way to the coordinator: into envelopes, and out until a signed receipt names them. */
import { type AgentStatus, RivuletError, toRivuletError } from '@rivulet/host';
import { CallFailed, type Head } from './answers.ts';
import type { Coordinator } from './coordinator.ts';
import type { Outbox } from './outbox.ts';
import type { SyncContext } from './sync.ts';
import { isWorthTelling, type Reason, type Told } from './talk.ts';

const NO_RELEASE = Buffer.alloc(32);

/** Statistics of every task that has enough rows become envelopes. */
export async function collect(
  outbox: Outbox,
  context: SyncContext,
  talk: {
    basesGone: ReadonlyMap<string, string>;
    told: Map<string, Told>;
    counts: Pick<NonNullable<AgentStatus['sync']>, 'told' | 'unchanged' | 'little'>;
    why: Reason;
  },
): Promise<void> {
  const { basesGone, told, counts, why } = talk;
  const status = context.status();
  for (const section of await context.deltas()) {
    const task = context.config.tasks[section.task];
    if (task === undefined) {
      continue;
    }
    const { rows = 0, release: base = null } = status.tasks[section.task] ?? {};
    if (why === 'time' && !isWorthTelling(rows, told.get(task.name), context.monoMs())) {
      counts.little += 1;
      continue;
    }
    const isNews = await outbox.put({
      gateway: context.config.gateway,
      incarnation: context.identity.incarnation,
      wallMs: context.wallMs(),
      task: task.name,
      baseRelease: base === null || base === basesGone.get(task.name) ? NO_RELEASE : Buffer.from(base, 'hex'),
      kernelHash: context.core.kernelHash,
      schema: section.schema,
      payload: section.statistics,
    });
    told.set(task.name, { rows, monoMs: context.monoMs() });
    if (isNews) counts.told[why] += 1;
    else counts.unchanged += 1;
  }
}

/** Sends what waits; an envelope goes only when a signed receipt names it. */
export async function handIn(
  outbox: Outbox,
  coordinator: Coordinator,
  key: string,
  context: SyncContext,
  act: {
    takeReleases(heads: Head[]): Promise<void>;
    baseGone(from: Head): Promise<void>;
    beginAnew(): Promise<void>;
    mayTalk(): boolean;
  },
): Promise<void> {
  for (const envelope of outbox.waiting()) {
    if (!act.mayTalk()) {
      return;
    }
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
