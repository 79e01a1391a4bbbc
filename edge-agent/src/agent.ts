/**
 * The agent: the journey of a message, from a socket to a prediction and into a delta. This file is the order of things;
 * each step lives in a file of its own.
 *
 *   door (ingest/) takes it ─▶ beat (ingest/beat.ts) ─▶ log: one durable write for all doors ─▶ acknowledgement
 *                                       └─▶ fold (fold.ts), while the write is under way ─▶ outputs, after it
 *   every few seconds: checkpoint to the older slot · every few minutes: deltas to the coordinator, releases back (sync/)
 *
 * What leaves (acknowledgements, outputs, checkpoints, deltas) leaves after the write that holds its cause. A write that
 * fails stops the agent: it never acknowledges on hope.
 */
import { join } from 'node:path';
import {
  type AgentStatus,
  type Announcing,
  BLOCK_HEADER_BYTES,
  BLOCK_KIND,
  type BlockDraft,
  type Clock,
  type Config,
  type Core,
  compilePlan,
  encodePlanPayload,
  type Log,
  makeDirectory,
  type Output,
  openFleetReadings,
  openIdentity,
  openLog,
  openSlots,
  type RivuletError,
  toRivuletError,
  type Wanted,
} from '@rivulet/host';
import { followAnnouncements } from './announced.ts';
import { createCheckpoints } from './checkpoints.ts';
import { watchFeatures } from './features/watch.ts';
import { createBeat } from './ingest/beat.ts';
import type { DoorContext, FrontDoor } from './ingest/door.ts';
import { filtersOf, openSubscriptions } from './ingest/subscriptions.ts';
import { takeLock } from './lock.ts';
import { createNotices, fullNotice } from './notices.ts';
import { createDocumenter } from './outputs/document.ts';
import { createPublisher } from './outputs/publisher.ts';
import { openQuarantine } from './quarantine/quarantine.ts';
import { type Recovered, recover } from './recovery.ts';
import { blocksOf } from './set_aside.ts';
import { agentStatus } from './status.ts';
import { writeStatus } from './status_file.ts';
import { asideNotice, createSupervisor } from './supervisor.ts';
import type { Sync } from './sync/sync.ts';
import { createTicks } from './ticks.ts';

/** A clean stop waits this long for outputs that are on their way. */
const FLUSH_MS_MAX = 500;

export interface AgentOptions {
  config: Config;
  /** The configuration with sources for what publishers announced; without, announcements make none. */
  announced?: (topics: readonly Announcing[]) => Config;
  core: Core;
  clock: Clock;
  /** In [0, 1): jitter only. */
  random(): number;
  /** Something the operator should see; the agent goes on. */
  notice(error: RivuletError): void;
  /** The agent cannot go on; nothing is acknowledged any more. */
  failed(error: RivuletError): void;
}

export interface Agent {
  /** Port of the embedded broker; null without one. */
  readonly brokerPort: number | null;
  /** Where the state came from: a checkpoint, the whole log or nothing, and why. For people. */
  readonly recovery: string;
  status(): AgentStatus;
  /** Takes no more, makes everything durable, writes a last checkpoint; answers the digest and the last status. */
  stop(): Promise<{ digest: string; status: AgentStatus }>;
  /** What a stop that is under way waits for, for people. */
  stopWaitsFor(): string;
  /** True while the log waits for disk space: a stop would wait with it. */
  full(): boolean;
}

export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { core, clock } = options;
  /** Its sources follow what is announced; all else stays. */
  let config = options.config;
  const startedMs = performance.now();
  const directory = config.state;
  await makeDirectory(directory);
  const lock = await takeLock(directory);
  const undo: (() => Promise<unknown> | unknown)[] = [() => lock.release()];
  try {
    return await start();
  } catch (error) {
    for (const step of undo.reverse()) {
      await step();
    }
    throw error;
  }

  async function start(): Promise<Agent> {
    const notices = createNotices(options.notice, () => performance.now());
    /** Set while the log waits for disk space: the beat waits with it, and with the beat every door. */
    let diskFull: RivuletError | null = null;
    const log = await openLog({
      directory: join(directory, 'log'),
      keepBytes: config.log.keepBytes ?? Number.POSITIVE_INFINITY,
      keepMs: config.log.keepMs ?? Number.POSITIVE_INFINITY,
      full(error) {
        diskFull = error === null ? null : fullNotice(error, directory);
        if (diskFull === null) {
          notices.clear('RIV_LOG_FULL');
        } else {
          notices.add(diskFull);
        }
      },
    });
    undo.push(() => log.close());
    const slots = await openSlots(join(directory, 'checkpoint'));
    const quarantine = await openQuarantine(
      join(directory, 'quarantine'),
      () => config,
      () => performance.now(),
    );
    let plan = compilePlan(config);
    const documenter = createDocumenter(config);
    const wanted: Wanted = (kind, subject) =>
      kind === 'quarantine' || kind === 'announcement' || documenter.wants(kind, subject);
    const recovery = { core, log, slots, quarantine: join(directory, 'quarantine'), wanted };
    const recovered = await recover({ ...recovery, plan });
    const setAside = (found: Recovered['setAside']): void => {
      for (const { aside, block } of found) {
        quarantine.keepAside(aside, block);
      }
      notices.add(asideNotice(found, recovery.quarantine));
    };
    const supervisor = createSupervisor({
      engine: recovered.engine,
      async rebuild(publishedTo) {
        await checkpoints.idle();
        return recover({ ...recovery, plan, publishedTo });
      },
      ...{ setAside, notice: notices.add, wanted },
    });
    const takenBefore = log.nextOffset;
    let takenBytes = 0;

    const doors: FrontDoor[] = [];
    // Outputs leave through the door that the configuration names first.
    const publisher = createPublisher({
      connected: () => doors[0]?.connected() ?? false,
      publish: (topic, payload, done, delivery) => doors[0]?.publish(topic, payload, done, delivery),
    });
    let sync: Sync | null = null;
    const fleet = openFleetReadings(config);
    const publish = (outputs: readonly Output[]): void => {
      for (const output of outputs) {
        if (output.kind === 'drift' && output.sync) sync?.ask();
        fleet.take(output);
        documenter.messages(output).forEach(publisher.send);
      }
    };

    const beat = createBeat({
      log,
      commit: config.log.commit,
      fold(blocks) {
        takenBytes += messageBytes(blocks);
        const folded = supervisor.fold(blocks);
        const leave = (outputs: readonly Output[]): void => {
          quarantine.keep(outputs, blocks);
          announcements.take(outputs);
          publish(outputs);
        };
        return () => {
          const outputs = folded();
          return outputs instanceof Promise ? outputs.then(leave) : leave(outputs);
        };
      },
      settled() {
        atSettled.splice(0).forEach((act) => {
          act();
        });
        ticks.arm();
      },
      failed: (error) => options.failed(toRivuletError(error)),
    });
    /** What waits for a moment at which everything folded is durable. */
    const atSettled: (() => void)[] = [];
    const whenSettled = (act: () => void): void => {
      if (beat.settled()) {
        act();
      } else {
        atSettled.push(act);
      }
    };
    /** A block of the agent's own, of `count` messages; resolves when it is durable and folded. `sealed` is called as it enters its beat. */
    const put = (kind: BlockDraft['kind'], payload: Uint8Array, sealed?: () => void, count = 0): Promise<void> =>
      new Promise((resolve) =>
        beat.put({
          seal() {
            sealed?.();
            const now = { wallMs: clock.wallMs(), monoUs: clock.monoUs(), boot: clock.boot };
            return { ...{ kind, door: 0, epoch: 0, count, payload }, ...now };
          },
          durable: resolve,
        }),
      );
    const ticks = createTicks(
      clock,
      () => supervisor.nextDueMs(),
      () => void put(BLOCK_KIND.tick, Buffer.alloc(0)),
    );
    const announcements = await followAnnouncements({
      directory,
      notice: notices.add,
      well: notices.clear,
      async changed(topics) {
        const next = options.announced?.(topics) ?? config;
        const nextPlan = compilePlan(next);
        if (nextPlan.equals(plan)) {
          config = next; // what cannot be read is told all the same
          return next;
        }
        // A checkpoint behind this beat, before the next line is reached, is of the new plan.
        await put(BLOCK_KIND.plan, encodePlanPayload(core.kernelHash, nextPlan), () => {
          plan = nextPlan;
        });
        config = next;
        for (const [index, door] of doors.entries()) door.follow?.(filtersOf(config, config.doors[index]?.door ?? 0));
        return next;
      },
    });
    const checkpoints = createCheckpoints({
      core,
      plan: () => plan,
      clock,
      engine: supervisor,
      log,
      slots,
      notice: notices.add,
      failed: options.failed,
      well: () => notices.clear('RIV_LOG_'),
    });

    if (recovered.setAside.length > 0) {
      setAside(recovered.setAside);
    }
    if (recovered.checkpointMs > clock.wallMs()) {
      // Set back while we were away: deadlines in the old time would be a day off until the next message.
      void put(BLOCK_KIND.tick, Buffer.alloc(0));
    }
    if (recovered.planIsNew) {
      void put(BLOCK_KIND.plan, encodePlanPayload(core.kernelHash, plan));
      await beat.drained();
    }

    undo.push(() => Promise.all(doors.map((door) => door.close())));
    const brokerPort = await openDoors(config, doors, {
      gateway: config.gateway,
      put: beat.put,
      clock,
      random: options.random,
      nextEpoch: createEpochs(log),
      payloadBytesMax: config.limits.payloadBytes,
      full: () => diskFull !== null,
      notice: notices.add,
      well: notices.clear,
      subscriptions: await openSubscriptions(join(directory, 'subscriptions.json')),
    });
    // A birth that was asked for before the crash is asked for again when it is still missing.
    announcements.take(recovered.unpublished);
    publish(recovered.unpublished.filter(({ kind }) => kind !== 'rebirth'));

    const watch =
      config.verify === null
        ? null
        : watchFeatures(config.verify, { directory, wallMs: clock.wallMs, notice: notices.add });
    undo.push(() => watch?.stop());
    // Starting costs CPU that no message caused.
    const cpuAtStart = process.cpuUsage();
    const wrong = (): RivuletError | null => diskFull ?? notices.last();
    const status = (): AgentStatus => {
      const { user, system } = process.cpuUsage(cpuAtStart);
      return agentStatus({
        ...{ config, core, report: supervisor.report(), wallMs: clock.wallMs() },
        uptimeMs: performance.now() - startedMs,
        cpuUs: user + system,
        messagesTaken: log.nextOffset - takenBefore,
        bandwidth: { inBytes: takenBytes, outBytes: publisher.counters().publishedBytes },
        featuresVerified: watch?.status(),
        sync: sync?.status(),
        rssBytes: process.memoryUsage.rss(),
        doors: doors.map((door) => door.status()),
        lastError: wrong(),
      });
    };

    if (config.sync !== null) {
      // What only some gateways use is loaded by those that do: HTTP here, each door's library below.
      const { startSync } = await import('./sync/sync.ts');
      sync = await startSync(config.sync, {
        ...{ config, directory, core, status, random: options.random },
        ...{ wallMs: clock.wallMs, monoMs: () => performance.now() },
        identity: await openIdentity(join(directory, 'identity'), { newIncarnation: recovered.stateIsNew }),
        deltas: () => new Promise((resolve) => whenSettled(() => resolve(supervisor.delta()))),
        accept: (release) => put(BLOCK_KIND.release, release),
        told: fleet.told,
        async heard(answer) {
          const packets = fleet.packets(answer);
          if (packets.length > 0) await put(BLOCK_KIND.messagesV4, Buffer.concat(packets), undefined, packets.length);
        },
        notice: notices.add,
        well: () => {
          notices.clear('RIV_SYNC_');
          notices.clear('RIV_NUMBER_');
        },
        accepted: () => notices.clear('RIV_GATEWAY_CLONED'),
        member: () => notices.clear('RIV_GATEWAY_FORGOTTEN'),
      });
    }
    const statusWriter = await writeStatus(directory, status, wrong);
    const checkpointTimer = setInterval(() => {
      // What was announced before a checkpoint would not come out of the log again.
      if (announcements.saved()) whenSettled(checkpoints.take);
    }, config.checkpoint.everyMs);
    ticks.arm();
    let stopWaitsFor = '';

    return {
      brokerPort,
      recovery: recovered.how,
      status,
      stopWaitsFor: () => stopWaitsFor,
      full: () => diskFull !== null,
      async stop() {
        stopWaitsFor = 'messages that were taken to be written and folded';
        for (const door of doors) {
          door.quiesce();
        }
        clearInterval(checkpointTimer);
        ticks.stop();
        watch?.stop();
        await sync?.stop();
        await announcements.stop();
        await beat.drained();
        await publisher.flushed(FLUSH_MS_MAX);
        publisher.stop();
        await Promise.all(doors.map((door) => door.close()));
        await beat.end();
        stopWaitsFor = 'the last checkpoint to be written';
        await quarantine.settled();
        await announcements.settled(); // the last checkpoint stands behind what was announced
        const last = { digest: await checkpoints.last(), status: status() };
        await statusWriter.stop({ ...last.status, event: 'stopped', digest: last.digest });
        await log.close();
        await lock.release();
        return last;
      },
    };
  }
}

/** Bytes of the MQTT packets in a batch of blocks. */
function messageBytes(blocks: Buffer): number {
  let bytes = 0;
  for (const { at, end } of blocksOf(blocks)) {
    const kind = blocks[at + 5];
    const isMessages = kind === BLOCK_KIND.messagesV4 || kind === BLOCK_KIND.messagesV5;
    bytes += isMessages ? end - at - BLOCK_HEADER_BYTES : 0;
  }
  return bytes;
}

/** Opens the doors in the configuration's order; answers the port of the embedded broker. */
async function openDoors(config: Config, doors: FrontDoor[], context: DoorContext): Promise<number | null> {
  let brokerPort: number | null = null;
  for (const door of config.doors) {
    if (door.kind === 'broker') {
      const { openBrokerDoor } = await import('./ingest/broker_door.ts');
      const opened = await openBrokerDoor(door, join(config.state, 'broker.jsonl'), context);
      brokerPort = opened.port;
      doors.push(opened);
    } else {
      const { openClientDoor } = await import('./ingest/client_door.ts');
      doors.push(openClientDoor(door, filtersOf(config, door.door), context));
    }
  }
  return brokerPort;
}

/**
 * Numbers connections: each epoch is larger than that of any connection in the log before. Every connection writes at
 * least one block, so the log's next sequence is always above every epoch given out.
 */
function createEpochs(log: Log): () => number {
  let last = 0;
  return () => {
    last = Math.max(last + 1, log.nextSequence);
    return last % 2 ** 32;
  };
}
