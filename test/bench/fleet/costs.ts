/**
 * What the coordinator costs: taking in signed deltas, and keeping the merge of a large fleet. CPU time is that of the
 * process, user and system; the machine and its disk stand beside the figures.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Core, encodeEnvelope, openIdentity, publicKeyBytes, systemClock } from '@rivulet/host';
import { openCoordinator } from '../../../cloud-sync/src/coordinator.ts';
import { openSqlite } from '../../../cloud-sync/src/drivers/sqlite.ts';
import { mergesBy } from '../../../cloud-sync/src/merge.ts';
import { coMoments } from '../../support/statistics.ts';

/** 28 features and a target are 3.8 kB of statistics; with the envelope about 4 kB and a half. */
const DELTA_FEATURES = 28;
const GATEWAYS = 500;
const DELTAS = 6_000;
/** Deltas that are not measured. */
const WARM = 1_000;
/** Calls under way at a time. */
const IN_FLIGHT = 256;
/** The large merge. */
const FLEET = 100_000;
const FLEET_FEATURES = 20;
const CHANGES = 2_000;
/** Different statistics in it: what they are does not change what adding them costs. */
const DIFFERENT = 64;

export async function costs(core: Core) {
  return { intake: await intakeCosts(core), merge: await mergeCosts(core) };
}

async function intakeCosts(core: Core) {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-costs-'));
  const store = openSqlite(join(directory, 'coordinator.sqlite'));
  const coordinator = openCoordinator({
    store,
    openMerge: mergesBy(core),
    kernelHash: core.kernelHash,
    identity: await openIdentity(join(directory, 'identity')),
    clock: systemClock(),
    after: () => () => {}, // no release is made meanwhile: this is the price of the intake alone
    releaseEveryMs: 1_000,
    version: 'bench',
  });
  try {
    const schema = schemaOf(DELTA_FEATURES);
    const gateways = Array.from({ length: GATEWAYS }, (_, at) => {
      const keys = generateKeyPairSync('ed25519');
      const id = `gateway-${at}`;
      const incarnation = Buffer.alloc(16, `gateway-${at}`);
      coordinator.enrol({
        gateway: id,
        public_key: publicKeyBytes(keys.publicKey).toString('base64'),
        incarnation: incarnation.toString('hex'),
      });
      return { id, incarnation, key: keys.privateKey };
    });
    const envelopes = Array.from({ length: DELTAS }, (_, at) => {
      const { id, incarnation, key } = gateways[at % GATEWAYS] as (typeof gateways)[number];
      const content = {
        gateway: id,
        incarnation,
        seq: 1 + Math.floor(at / GATEWAYS),
        wallMs: 0,
        task: 'learned',
        baseRelease: Buffer.alloc(32),
        kernelHash: core.kernelHash,
        schema,
        payload: statistics(DELTA_FEATURES, at),
      };
      return encodeEnvelope(content, (bytes) => sign(null, bytes, key));
    });
    const { gathered } = coordinator;
    await Promise.all(envelopes.slice(0, WARM).map(gathered.delta)); // warm
    const rest = envelopes.slice(WARM);
    const spent = await measured(() => inFlight(rest, IN_FLIGHT, gathered.delta));
    return {
      bytes: envelopes[0]?.length ?? 0,
      cpu_us_per_delta: spent.cpuUs / rest.length,
      deltas_per_s_durable: rest.length / (spent.wallMs / 1000),
    };
  } finally {
    coordinator.stop();
    store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function mergeCosts(core: Core) {
  const rssBefore = process.memoryUsage.rss();
  const merge = mergesBy(core)(schemaOf(FLEET_FEATURES).toString(), 1);
  const different = Array.from({ length: DIFFERENT }, (_, at) => statistics(FLEET_FEATURES, at));
  const of = (at: number) => different[at % DIFFERENT] as Buffer;
  const filling = await measured(() => {
    for (let at = 0; at < FLEET; at++) merge.put(`gateway-${at}`, of(at));
  });
  const rebuild = await measured(() => void merge.count());
  const change = await measured(() => {
    for (let at = 0; at < CHANGES; at++) {
      merge.put(`gateway-${(at * 499) % FLEET}`, of(at + 1));
      merge.count();
    }
  });
  return {
    gateways: FLEET,
    features: FLEET_FEATURES,
    taking_in_us_per_gateway: filling.cpuUs / FLEET,
    full_rebuild_s: rebuild.cpuUs / 1e6,
    one_change_us: change.cpuUs / CHANGES,
    memory_mib: Math.round((process.memoryUsage.rss() - rssBefore) / 2 ** 20),
  };
}

async function measured(work: () => unknown): Promise<{ cpuUs: number; wallMs: number }> {
  const from = process.cpuUsage();
  const fromMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(from);
  return { cpuUs: user + system, wallMs: performance.now() - fromMs };
}

/** Hands all in, so many at a time, as gateways do that do not know of each other. */
async function inFlight<T>(items: readonly T[], most: number, work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const one = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: most }, one));
}

function schemaOf(features: number): Buffer {
  const names = Array.from({ length: features }, (_, at) => `f${at}`);
  return Buffer.from(
    JSON.stringify({ task: 'learned', kind: 'regression', target: 'y', horizon_ms: 0, features: names }),
  );
}

/** Co-moments of as many rows as it takes, a little different for each `seed`. */
function statistics(features: number, seed: number): Buffer {
  const rows = Array.from({ length: 2 * features + 4 }, (_, row) =>
    Array.from({ length: features + 1 }, (_, column) => Math.sin(1 + seed + row * (column + 1.3))),
  );
  return coMoments(rows);
}
