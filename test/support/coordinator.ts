/** A coordinator for a test: the real store in a directory of its own, the real core, real HTTP on a free port. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, loadCore, openIdentity, systemClock } from '@rivulet/host';
import { answerAtBroker, type BrokerOptions } from '../../cloud-sync/src/api/broker.ts';
import type { EventTimes } from '../../cloud-sync/src/api/events.ts';
import { startServer } from '../../cloud-sync/src/api/server.ts';
import { type Coordinator, openCoordinator } from '../../cloud-sync/src/coordinator.ts';
import { openSqlite } from '../../cloud-sync/src/drivers/sqlite.ts';
import type { Store } from '../../cloud-sync/src/drivers/store.ts';
import { mergesBy } from '../../cloud-sync/src/merge.ts';

export interface CoordinatorUnderTest {
  readonly url: string;
  readonly coordinator: Coordinator;
  readonly store: Store;
  readonly publicKey: Uint8Array;
  stop(): Promise<void>;
}

export interface CoordinatorOptions {
  /** Kept after the stop when given; else a temporary one that is removed. */
  readonly state?: string;
  readonly releaseEveryMs?: number;
  /** Default: any free one. */
  readonly port?: number;
  readonly token?: string;
  readonly tasks?: ReadonlySet<string>;
  readonly clock?: Clock;
  /** How far its file may grow, in pages of 4 KiB. */
  readonly pagesMax?: number;
  readonly consoleDirectory?: string;
  readonly eventTimes?: EventTimes;
  /** Gateways are answered at this broker too. */
  readonly broker?: Pick<BrokerOptions, 'url' | 'protocol'>;
}

export async function startCoordinator(options: CoordinatorOptions = {}): Promise<CoordinatorUnderTest> {
  const state = options.state ?? mkdtempSync(join(tmpdir(), 'rivulet-coordinator-'));
  const core = await loadCore();
  const identity = await openIdentity(join(state, 'identity'));
  const store = openSqlite(
    join(state, 'coordinator.sqlite'),
    options.pagesMax === undefined ? {} : { pagesMax: options.pagesMax },
  );
  const coordinator = openCoordinator({
    store,
    openMerge: mergesBy(core),
    kernelHash: core.kernelHash,
    identity,
    clock: options.clock ?? systemClock(),
    releaseEveryMs: options.releaseEveryMs ?? 0,
    ...(options.tasks ? { tasks: options.tasks } : {}),
    version: '0.0.0',
  });
  const server = await startServer({
    coordinator,
    version: '0.0.0',
    host: '127.0.0.1',
    port: options.port ?? 0,
    token: options.token ?? null,
    consoleDirectory: options.consoleDirectory ?? join(state, 'no-console'),
    ...(options.eventTimes ? { eventTimes: options.eventTimes } : {}),
  });
  const broker =
    options.broker === undefined
      ? null
      : answerAtBroker({
          ...{ ...options.broker, tls: null, server, sign: identity.signAhead, retryWindow: coordinator.retryWindow },
          failed: () => {},
        });
  return {
    url: server.url,
    coordinator,
    store,
    publicKey: identity.publicKey,
    async stop() {
      await broker?.stop();
      await server.stop();
      coordinator.stop();
      store.close();
      if (options.state === undefined) rmSync(state, { recursive: true });
    },
  };
}

/** Waits until `probe` gives something, asking every few milliseconds. */
export async function until<T>(
  probe: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  what: string,
): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`waited 30 s for ${what}`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}
