/**
 * How the gateway is, as one JSON object: a line of `--status-json` and the body of a report to the coordinator. Pure:
 * facts in, status out.
 */
import {
  type AgentStatus,
  type Config,
  type DoorStatus,
  type EngineReport,
  fromCore,
  type Ledger,
  type RivuletError,
  type SourceStatus,
  type TaskStatus,
} from '@rivulet/host';

/** Announced entities that are not read: how many are told, and how much of the reason, which is mostly a template. */
const EXAMPLES_MAX = 20;
const WHY_CHARACTERS = 300;

/** What the status is made of. */
export interface StatusFacts {
  config: Config;
  report: EngineReport;
  core: { build: 'scalar' | 'simd'; kernelHash: Uint8Array };
  wallMs: number;
  uptimeMs: number;
  /** CPU time of the process since it was ready, user and system, and the messages it took since it started. */
  cpuUs: number;
  messagesTaken: number;
  /** Packets taken and published since the start. */
  bandwidth: { inBytes: number; outBytes: number };
  rssBytes: number;
  featuresVerified: AgentStatus['features_verified'];
  sync: AgentStatus['sync'];
  doors: DoorStatus[];
  lastError: RivuletError | null;
}

export function agentStatus(facts: StatusFacts): AgentStatus {
  const { config, report } = facts;
  const tasks = report.tasks.map(taskStatus);
  return {
    event: 'status',
    gateway: config.gateway,
    about: config.about,
    simulated: config.simulated,
    at: facts.wallMs,
    uptime_s: round(facts.uptimeMs / 1000, 1),
    messages: report.messages,
    ...notRead(config.notRead),
    ledger: sumLedgers(report.sources),
    sources: report.sources.map((source) => ({ ...source, ...reasons(source), ...guarantee(source, config) })),
    tasks,
    releases_accepted: tasks.reduce((sum, task) => sum + task.releases, 0),
    cpu_us_per_message: facts.messagesTaken === 0 ? 0 : round(facts.cpuUs / facts.messagesTaken, 2),
    bandwidth: bandwidth(facts.bandwidth),
    rss_mib: round(facts.rssBytes / 2 ** 20, 1),
    ...(facts.featuresVerified === undefined ? {} : { features_verified: facts.featuresVerified }),
    core: { build: facts.core.build, kernel: Buffer.from(facts.core.kernelHash).toString('hex') },
    ...(facts.sync === undefined ? {} : { sync: facts.sync }),
    connected: facts.doors.every(({ connected }) => connected),
    doors: facts.doors,
    ...(facts.lastError === null
      ? {}
      : { last_error: { code: facts.lastError.code, message: facts.lastError.message } }),
  };
}

/** What was announced and is not read, as far as it is told. */
function notRead(all: Config['notRead']): Pick<AgentStatus, 'not_read'> {
  if (all.length === 0) return {};
  const examples = all
    .slice(0, EXAMPLES_MAX)
    .map(({ topic, why }) => ({ topic, why: why.length > WHY_CHARACTERS ? `${why.slice(0, WHY_CHARACTERS)}…` : why }));
  return { not_read: { entities: all.length, examples } };
}

/** Why messages are in quarantine, by the names of the codes. */
function reasons({
  quarantined_by,
  violations,
}: EngineReport['sources'][number]): Pick<SourceStatus, 'quarantined_by' | 'violations'> {
  const named = Object.entries(quarantined_by ?? {}).map(([value, count]) => [fromCore(Number(value)).code, count]);
  return { quarantined_by: Object.fromEntries(named), violations: violations ?? {} };
}

function bandwidth({ inBytes, outBytes }: StatusFacts['bandwidth']): AgentStatus['bandwidth'] {
  return { in_bytes: inBytes, out_bytes: outBytes, saved: inBytes === 0 ? 0 : round(1 - outBytes / inBytes, 4) };
}

function taskStatus(report: EngineReport['tasks'][number]): TaskStatus {
  const mean = (sum: number): number | null => (report.matured === 0 ? null : sum / report.matured);
  return { ...report, error: mean(report.error_sum), error_last_value: mean(report.baseline_sum) };
}

function sumLedgers(ledgers: readonly Ledger[]): Ledger {
  const sum: Ledger = { received: 0, used: 0, late: 0, duplicate: 0, retained: 0, filtered: 0, quarantined: 0 };
  for (const ledger of ledgers) {
    for (const name of Object.keys(sum) as (keyof Ledger)[]) {
      sum[name] += ledger[name];
    }
  }
  return sum;
}

/**
 * What can be promised for an account of the ledger. Redelivery by a broker is recognised in any case; a repeat by
 * whoever sends only by a number of its own, and not beyond what is remembered of it.
 */
function guarantee(
  account: EngineReport['sources'][number],
  config: Config,
): Pick<SourceStatus, 'guarantee' | 'guarantee_why'> {
  const bestEffort = (why: string) => ({ guarantee: 'best effort', guarantee_why: why }) as const;
  const source = config.sources.find(({ name }) => name === account.name);
  const label = config.tasks.find(({ name }) => `labels:${name}` === account.name)?.label ?? null;
  const of = source ?? label;
  if (of === null) {
    return bestEffort('nothing here enters the state');
  }
  if (source !== undefined && source.share !== null) {
    return bestEffort(
      `what another gateway of the shared subscription "${source.share}" took and did not acknowledge comes again, here`,
    );
  }
  if (source?.repeats === 'event_time') {
    return bestEffort(
      'a repeat is recognised by its event time and content, among the last 32 messages of its topic; honest ones that are the same count once',
    );
  }
  if (of.seq === null) {
    const embedded = config.doors.every(({ kind }) => kind === 'broker');
    return bestEffort(
      embedded
        ? 'the configuration names no `seq`: a repeat is recognised by DUP and packet id, one that the device does not mark looks new'
        : 'the configuration names no `seq`: a repeat by the device itself looks new',
    );
  }
  if (account.unknown > 0) {
    return bestEffort(`${account.unknown} messages had numbers too old to tell whether they had been here`);
  }
  const timeless =
    of.time === null ? '; without event times one that counts anew is recognised only beyond the last 256 numbers' : '';
  return { guarantee: 'exactly once', guarantee_why: `the device numbers its messages in \`${of.seq}\`${timeless}` };
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
