/**
 * The simulated fleet: real coordinator, real cores, simulated time and network. In each tick gateways learn their rows,
 * hand in what they learned, and later ask for releases; in between messages are lost, doubled and overtaken, and
 * processes die. At the end the network heals, and everything must add up (checks.ts).
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Core, compressBody, publicKeyBytes, toRivuletError } from '@rivulet/host';
import type { DeltaAnswerView, HeadView } from '../api/views.ts';
import { type Coordinator, openCoordinator } from '../coordinator.ts';
import { openSqlite } from '../drivers/sqlite.ts';
import type { Store } from '../drivers/store.ts';
import { mergesBy } from '../merge.ts';
import { VERSION } from '../version.ts';
import { type Attack, lieOf } from './attackers.ts';
import { checkFleet } from './checks.ts';
import type { Faults } from './faults.ts';
import { openGateway, type Score, type SimulatedGateway } from './gateway.ts';
import { randomFrom } from './random.ts';
import type { Scenario } from './scenario.ts';
import { openTimeline } from './timeline.ts';

/** Where simulated time begins: 2026-01-01. */
const START_MS = Date.UTC(2026, 0, 1);
/** In a tick: learn, then hand in, then ask for releases. The rest is for whatever is under way. */
const HAND_IN = 0.3;
const ASK = 0.7;
/** Of the time of a row, where there are readings of the fleet: when they are told, when the answer comes, when the row is there. */
const [TOLD, ANSWERED, LEARNED] = [0.02, 0.04, 0.1];
/** Rounds without faults at the end. */
const HEAL_ROUNDS = 3;

export interface FleetOptions {
  readonly core: Core;
  readonly scenario: Scenario;
  readonly seed: number;
  readonly faults: Faults;
  /** False: nobody talks to anybody. */
  readonly together: boolean;
  /** Releases hold only what depends on no release. */
  readonly removable?: boolean;
  readonly attack: { readonly kind: Attack; readonly share: number } | null;
  /** Told when a tick is over. */
  readonly progress?: (tick: number) => void;
}

/** What one gateway came to. */
export interface GatewayResult {
  readonly id: string;
  readonly attacker: boolean;
  /** As each row was served, in its turn. */
  readonly prequential: Score & { readonly baseline: number };
  /** On rows that were never learned, the panel frozen. */
  readonly frozen: Score;
  /** Row by row in each tick: what its labels came to. */
  readonly ticks: readonly Score[];
}

export interface FleetResult {
  readonly gateways: readonly GatewayResult[];
  /** Digest of what was learned without releases: the same rows give the same, whatever happens on the way. */
  readonly digest: string | null;
  readonly releases: number;
  readonly deltas: number;
  readonly duplicates: number;
  readonly quarantined: readonly string[];
  /** Mean bytes of an envelope as it travels. */
  readonly bytesPerDelta: number;
  /** The same of a release that a gateway fetched. */
  readonly bytesPerRelease: number;
  readonly restarts: { readonly coordinator: number; readonly gateways: number };
}

export function runFleet(options: FleetOptions): FleetResult {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-simulate-'));
  try {
    return simulate(options, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function simulate(options: FleetOptions, directory: string): FleetResult {
  const { core, scenario, seed, attack } = options;
  const timeline = openTimeline(START_MS);
  const liars = new Set(
    attack === null
      ? []
      : scenario.sites.slice(0, Math.round(attack.share * scenario.sites.length)).map(({ id }) => id),
  );
  const labels = scenario.task.kind === 'classify' ? scenario.task.labels : [];
  const gateways = scenario.sites.map((site) =>
    openGateway({
      core,
      scenario,
      site,
      seed,
      ...(attack !== null && liars.has(site.id) ? { lie: lieOf(attack.kind, labels) } : {}),
    }),
  );
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const key = publicKeyBytes(publicKey);
  const clock = timeline.clock();
  const file = join(directory, 'coordinator.sqlite');
  const suspects = new Set<string>();
  const random = randomFrom(seed, 'network');
  let faults: Faults = options.faults;
  const restarts = { coordinator: 0, gateways: 0 };
  const sent = { envelopes: 0, bytes: 0 };
  /** Bytes of the releases that gateways fetched, as they travel, by hash. */
  const fetched = new Map<string, number>();

  function start(): { store: Store; coordinator: Coordinator } {
    // Processes die here, machines do not: with a sync for each of 2,000 enrolments a fleet took minutes to start.
    const store = openSqlite(file, { unsynced: true });
    const coordinator = openCoordinator({
      store,
      openMerge: mergesBy(core),
      kernelHash: core.kernelHash,
      identity: { publicKey: key, sign: (bytes) => sign(null, bytes, privateKey) },
      clock,
      after: timeline.after,
      releaseEveryMs: scenario.tickMs / 10,
      removable: options.removable ?? false,
      version: VERSION,
    });
    coordinator.subscribe((event) => {
      if (event.kind === 'gateway' && event.change.change === 'quarantined') suspects.add(event.change.id);
    });
    return { store, coordinator };
  }
  let cloud = start();

  function stop(): void {
    cloud.coordinator.stop();
    cloud.store.close();
  }

  function restart(): void {
    stop();
    restarts.coordinator += 1;
    cloud = start();
  }

  /** One message over the network: it may be lost, come twice, and take its time. */
  function post(work: () => void): void {
    const copies = random.chance(faults.twice) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (!random.chance(faults.loss)) timeline.after(faults.delayMs * random.uniform(), work);
    }
  }

  /** What a gateway asks of the coordinator: the question and its answer are a message each. */
  function call<T>(ask: () => T, answered: (answer: T) => void): void {
    post(() => {
      let answer: T;
      try {
        answer = ask();
      } catch (error) {
        const { code } = toRivuletError(error);
        if (code === 'RIV_GATEWAY_FORGOTTEN' || code === 'RIV_REPORT_OLD') return;
        throw error;
      }
      post(() => answered(answer));
    });
  }

  const clocks = new Map(
    gateways.map(({ id }) => [id, faults.skewMs * (2 * randomFrom(seed, id, 'clock').uniform() - 1)] as const),
  );
  const wallOf = ({ id }: SimulatedGateway) => Math.round(timeline.nowMs() + (clocks.get(id) ?? 0));

  function takeHeads(gateway: SimulatedGateway, heads: readonly HeadView[]): void {
    for (const hash of gateway.wanted(heads)) {
      call(
        () => cloud.coordinator.release(hash),
        (bytes) => {
          if (!fetched.has(hash)) fetched.set(hash, compressBody(bytes).body.length);
          if (gateway.wanted(heads).includes(hash)) gateway.install(Buffer.from(bytes), wallOf(gateway));
        },
      );
    }
  }

  function handIn(gateway: SimulatedGateway): void {
    gateway.collect(wallOf(gateway));
    for (const envelope of gateway.outbox()) {
      sent.envelopes += 1;
      sent.bytes += compressBody(envelope).body.length;
      call(
        () => cloud.coordinator.receiveDelta(envelope),
        (answer: DeltaAnswerView) => void gateway.answered(answer, key),
      );
    }
  }

  function ask(gateway: SimulatedGateway): void {
    const { body, signature } = gateway.report(wallOf(gateway));
    call(
      () => cloud.coordinator.receiveReport(body, signature).heads,
      (heads) => takeHeads(gateway, heads),
    );
  }

  /** Row by row: what is measured now goes up, what the others measure comes down, and a little later the row is there. */
  function learnWithReadings(gateway: SimulatedGateway, tick: number, startMs: number): void {
    for (const [at, row] of gateway.site.train(tick).entries()) {
      const rowMs = startMs + at * scenario.rowMs;
      timeline.at(rowMs, () => gateway.tell(row, rowMs));
      if (options.together && !trouble.silent(gateway, tick)) {
        // Once everybody has been heard, an answer holds them all.
        for (const share of [TOLD, ANSWERED]) {
          timeline.at(rowMs + share * scenario.rowMs, () => {
            const { body, signature } = gateway.tellReport(wallOf(gateway));
            call(
              () => cloud.coordinator.receiveReport(body, signature).fleet,
              (answer) => gateway.heard(answer, wallOf(gateway)),
            );
          });
        }
      }
      timeline.at(rowMs + LEARNED * scenario.rowMs, () => gateway.learn([row], rowMs));
    }
  }

  const trouble = troubleOf(options, gateways);
  const frozen = new Map<string, Score>(gateways.map(({ id }) => [id, { rows: 0, sum: 0 }]));
  for (const gateway of gateways) {
    cloud.coordinator.enrol({
      gateway: gateway.id,
      public_key: gateway.publicKey.toString('base64'),
      incarnation: gateway.incarnation().toString('hex'),
      simulated: true,
    });
  }
  const accounts = new Map(gateways.map(({ id }) => [id, [] as Score[]]));
  const rounds = scenario.ticks + (options.together ? HEAL_ROUNDS : 0);
  for (let tick = 0; tick < rounds; tick++) {
    const learning = tick < scenario.ticks;
    if (!learning) faults = { ...faults, loss: 0, twice: 0, delayMs: 0, coordinatorDies: 0, gatewayDies: 0 };
    const startMs = START_MS + tick * scenario.tickMs;
    timeline.runUntil(startMs);
    if (random.chance(faults.coordinatorDies)) restart();
    for (const gateway of gateways) {
      if (!learning || tick < gateway.site.from) continue;
      trouble.before(gateway, tick);
      if (options.together && tick > 0 && tick === gateway.site.from) {
        // An agent reports as it starts: what the fleet knows is there before its first row.
        ask(gateway);
        timeline.runUntil(startMs);
      }
      if (scenario.readings === undefined) gateway.learn(gateway.site.train(tick), startMs);
      else learnWithReadings(gateway, tick, startMs);
      if (random.chance(faults.gatewayDies)) {
        gateway.restart();
        restarts.gateways += 1;
      }
      if (!options.together) continue;
      if (!trouble.silent(gateway, tick)) timeline.at(startMs + HAND_IN * scenario.tickMs, () => handIn(gateway));
      if (!trouble.silent(gateway, tick)) timeline.at(startMs + ASK * scenario.tickMs, () => ask(gateway));
    }
    if (!learning) {
      for (const gateway of gateways) {
        timeline.at(startMs + HAND_IN * scenario.tickMs, () => handIn(gateway));
        timeline.at(startMs + ASK * scenario.tickMs, () => ask(gateway));
      }
    }
    timeline.runUntil(startMs + scenario.tickMs - 1);
    if (!learning) continue;
    for (const gateway of gateways) {
      const rows = tick < gateway.site.from ? [] : gateway.site.test(tick);
      if (rows.length === 0) continue;
      const score = frozen.get(gateway.id) as Score;
      const { rows: seen, sum } = gateway.probe(rows, startMs + scenario.tickMs);
      score.rows += seen;
      score.sum += sum;
    }
    for (const gateway of gateways) {
      const { matured, errorSum } = gateway.account();
      accounts.get(gateway.id)?.push({ rows: matured, sum: errorSum });
    }
    options.progress?.(tick);
  }
  const digest = options.together ? checkFleet({ core, store: cloud.store, gateways, suspects, liars }) : null;
  const result: FleetResult = {
    gateways: gateways.map((gateway) =>
      resultOf(gateway, {
        attacker: liars.has(gateway.id),
        frozen: frozen.get(gateway.id) as Score,
        accounts: accounts.get(gateway.id) ?? [],
        scenario,
      }),
    ),
    digest,
    releases: cloud.store.counter('releases'),
    deltas: cloud.store.counter('deltas'),
    duplicates: cloud.store.counter('duplicates'),
    quarantined: [...suspects].sort(),
    bytesPerDelta: sent.envelopes === 0 ? 0 : sent.bytes / sent.envelopes,
    bytesPerRelease: fetched.size === 0 ? 0 : [...fetched.values()].reduce((a, b) => a + b, 0) / fetched.size,
    restarts,
  };
  stop();
  return result;
}

interface Observed {
  readonly attacker: boolean;
  readonly frozen: Score;
  /** Sums up to the end of each tick. */
  readonly accounts: readonly Score[];
  readonly scenario: Scenario;
}

function resultOf(gateway: SimulatedGateway, { attacker, frozen, accounts, scenario }: Observed): GatewayResult {
  const { matured, errorSum, baselineSum } = gateway.account();
  const classes = scenario.task.kind === 'classify';
  const good = (rows: number, error: number) => (classes ? rows - error : error);
  return {
    id: gateway.id,
    attacker,
    frozen,
    prequential: { rows: matured, sum: good(matured, errorSum), baseline: good(matured, baselineSum) },
    ticks: accounts.map(({ rows, sum }, tick) => {
      const before = accounts[tick - 1] ?? { rows: 0, sum: 0 };
      return { rows: rows - before.rows, sum: good(rows - before.rows, sum - before.sum) };
    }),
  };
}

/** Who is silent when, and who goes back to a backup. */
function troubleOf({ scenario, seed, faults }: FleetOptions, gateways: readonly SimulatedGateway[]) {
  const { ticks } = scenario;
  const fate = new Map(
    gateways.map(({ id }) => {
      const random = randomFrom(seed, id, 'fate');
      const offlineFrom = random.chance(faults.offline) ? random.below(Math.max(1, ticks - (ticks >> 2))) : ticks;
      const straggler = random.chance(faults.stragglers);
      const backupAt = random.chance(faults.backups) ? random.below(Math.max(1, ticks - 1)) : ticks;
      const lost = 1 + random.below(3);
      return [id, { offlineFrom, straggler, backupAt, lost }] as const;
    }),
  );
  const kept = new Map<string, ReturnType<SimulatedGateway['backup']>>();
  return {
    before(gateway: SimulatedGateway, tick: number): void {
      const { backupAt, lost } = fate.get(gateway.id) ?? { backupAt: ticks, lost: 0 };
      if (tick === backupAt) kept.set(gateway.id, gateway.backup());
      const backup = kept.get(gateway.id);
      if (tick === backupAt + lost && backup !== undefined) {
        gateway.restore(backup);
        kept.delete(gateway.id);
      }
    },
    silent({ id }: SimulatedGateway, tick: number): boolean {
      const { offlineFrom, straggler } = fate.get(id) ?? { offlineFrom: ticks, straggler: false };
      return (tick >= offlineFrom && tick < offlineFrom + (ticks >> 2)) || (straggler && tick % 4 !== 3);
    },
  };
}
