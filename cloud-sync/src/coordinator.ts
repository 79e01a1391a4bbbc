/**
 * The coordinator: the journey of what gateways send, from the door to the next release, and what it can tell of it.
 *
 *   envelope ─▶ intake (read, signature, verdict) ─▶ merge ─▶ store (one transaction) ─▶ receipt
 *                                                                 └▶ releaser ─▶ release, head ─▶ every gateway
 *   report   ─▶ intake (signature) ─▶ roster (presence, rates, learning curves) ─▶ fleet view, events
 */
import { createHash } from 'node:crypto';
import { type Clock, type Identity, publicKeyFromBytes, RivuletError } from '@rivulet/host';
import type {
  AuditView,
  CurveView,
  DeltaAnswerView,
  EnrolmentView,
  FleetView,
  GatewayChangeView,
  GatewayDetailView,
  HeadView,
  LineageView,
  ModelView,
  PieceAnswerView,
  QuarantineView,
  ReleaseView,
  ReportAnswerView,
  RetryWindowView,
} from './api/views.ts';
import type { Store } from './drivers/store.ts';
import { curveView } from './fleet/curves.ts';
import { openRoster } from './fleet/roster.ts';
import { fleetSentence } from './fleet/sentence.ts';
import { type EnrolmentRequest, enrol } from './intake/enrolment.ts';
import { type Gathered, openIntake } from './intake/intake.ts';
import { retryWindow } from './intake/retry_window.ts';
import type { OpenMerge } from './merge.ts';
import type { OperatorCommand } from './operate/command.ts';
import { forgetGateway } from './operate/forget.ts';
import { acceptKernel, listKernels, noteOwnKernel, refuseKernel } from './operate/kernels.ts';
import { overrideJudgement } from './operate/override.ts';
import { diffReleases, listReleases, pinRelease, rollBack, showRelease } from './operate/releases.ts';
import { openModels } from './registry/models.ts';
import { openReleaser, type Releaser } from './registry/releaser.ts';
import { lineageView, modelView, releaseView } from './registry/views.ts';
import { handBack, mirrorRelease } from './upstream/mirror.ts';

/** Gateways listed in one fleet view; the sentence and the counts are over all of them. */
const GATEWAYS_LISTED_MAX = 1_000;

/** No releases are made below another coordinator: they come from there. */
const RELEASED_ABOVE: Releaser = { waitMs: () => 0, wake() {}, run() {}, renew: () => null, stop() {} };

export interface CoordinatorParts {
  readonly store: Store;
  readonly openMerge: OpenMerge;
  /** Names the arithmetic in every release. */
  readonly kernelHash: Uint8Array;
  readonly identity: Pick<Identity, 'publicKey' | 'sign'> & Partial<Pick<Identity, 'signAhead'>>;
  readonly clock: Clock;
  /** Calls `work` once, `ms` from now; returns how to take that back. Default: the process's timers. */
  readonly after?: (ms: number, work: () => void) => () => void;
  readonly releaseEveryMs: number;
  /** Releases hold only what depends on no release; default: what forks learned on top of releases too. */
  readonly removable?: boolean;
  /** There is a coordinator above: releases are its, and what gateways say is handed on to it (`upstream/`); told of each report. */
  readonly relays?: (gateway: string, body: Uint8Array, signature: string) => void;
  /** The tasks whose deltas are taken; default: all. */
  readonly tasks?: ReadonlySet<string>;
  readonly version: string;
}

export type CoordinatorEvent =
  | { readonly kind: 'release'; readonly release: ReleaseView }
  | { readonly kind: 'gateway'; readonly change: GatewayChangeView }
  /** A model could not be solved, or a store write failed behind the scenes. */
  | { readonly kind: 'failure'; readonly error: RivuletError };

export interface Coordinator {
  /** `signature`: base64, by the key that enrols; empty: none. */
  enrol(request: EnrolmentRequest, signature?: string): EnrolmentView;
  receiveDelta(envelope: Uint8Array): DeltaAnswerView;
  /** Takes a piece of an envelope in; with the last one the envelope. */
  receivePiece(piece: Uint8Array): PieceAnswerView;
  receiveReport(body: Uint8Array, signature: string): ReportAnswerView;
  /** The same three for a server that many call at a time: what came together goes to disk together. */
  readonly gathered: Gathered;
  /** Takes a release of the coordinator above over; `bytes` null: that one has none of this model (any more). */
  mirror(head: HeadView, bytes: Uint8Array | null): void;
  /** The coordinator above has lost the release that an envelope goes on from: its gateway is to say all anew, from another. */
  handBack(envelope: Uint8Array): void;
  /** Tells of a failure behind the scenes. */
  failed(error: RivuletError): void;
  /** When a gateway should come again; `busy`: it is being turned away for load. */
  retryWindow(busy?: boolean): RetryWindowView;
  fleet(): FleetView;
  gateway(id: string): GatewayDetailView;
  models(): readonly ModelView[];
  /** `points` at most per gateway. */
  curve(task: string, gateway: string | null, points: number): CurveView;
  releases(filter: { task?: string; schema?: string; limit: number }): readonly ReleaseView[];
  release(hash: string): Uint8Array;
  lineage(hash: string): LineageView;
  /** What was not taken, newest first. */
  quarantine(limit: number): readonly QuarantineView[];
  /** What operators decided, newest first. */
  audit(limit: number): readonly AuditView[];
  /** Carries out what an operator asks for; the answer is JSON. */
  operate(command: OperatorCommand): object;
  /** Tells of everything that happens from now on; returns how to stop that. */
  subscribe(listener: (event: CoordinatorEvent) => void): () => void;
  /** To be called about once a second: notices gateways that fell silent. */
  tick(): void;
  stop(): void;
}

function timers(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}

export function openCoordinator(parts: CoordinatorParts): Coordinator {
  const { store, clock, identity } = parts;
  const startedMs = clock.wallMs();
  noteOwnKernel(parts);
  const listeners = new Set<(event: CoordinatorEvent) => void>();
  const emit = (event: CoordinatorEvent) => {
    for (const listener of listeners) listener(event);
  };

  const roster = openRoster(store, clock);
  const models = openModels(store, parts.openMerge, () => clock.wallMs());
  const relays = parts.relays !== undefined;
  const releaser = relays
    ? RELEASED_ABOVE
    : openReleaser({
        ...parts,
        after: parts.after ?? timers,
        removable: parts.removable ?? false,
        models,
        everyMs: parts.releaseEveryMs,
        onRelease: (release) => emit({ kind: 'release', release: releaseView(release) }),
        onSuspect: (_head, { gateway }) => changed(gateway, 'quarantined'),
        onFailure: (_head, error) => emit({ kind: 'failure', error }),
      });
  const intake = openIntake({
    ...{ store, models, roster, releaser, identity, clock, changed, relays, tasks: parts.tasks ?? null },
    failed: (error) => emit({ kind: 'failure', error }),
    reported: parts.relays ?? (() => {}),
  });
  models.rebuild();
  roster.changes(); // who was up before is no news
  releaser.wake();

  function changed(id: string, change: GatewayChangeView['change']): void {
    emit({ kind: 'gateway', change: { id, change, at: clock.wallMs() } });
  }

  return {
    retryWindow: (busy) => retryWindow(roster.size(), busy),

    enrol(request, signature = '') {
      const status = enrol(request, signature, { store, roster, clock, relays });
      if (status === 'enrolled') changed(request.gateway, 'enrolled');
      const key = publicKeyFromBytes(identity.publicKey).export({ format: 'der', type: 'spki' });
      return {
        gateway: request.gateway,
        coordinator_key: key.toString('base64'),
        status,
        retry_window_s: retryWindow(roster.size()),
      };
    },

    receiveDelta: intake.delta,
    receivePiece: intake.piece,
    receiveReport: intake.report,
    gathered: intake.gathered,

    mirror(head, bytes) {
      const release = mirrorRelease(head, bytes, { store, clock });
      if (release !== null) emit({ kind: 'release', release: releaseView(release) });
    },
    handBack: (envelope) => handBack(envelope, { store, models }),
    failed: (error) => emit({ kind: 'failure', error }),

    fleet() {
      const all = roster.views();
      return {
        sentence: fleetSentence(all),
        gateways_up: all.filter(({ up }) => up).length,
        gateways_total: all.length,
        gateways: all.slice(0, GATEWAYS_LISTED_MAX),
        coordinator: {
          deltas: store.counter('deltas'),
          duplicates: store.counter('duplicates'),
          quarantined: store.counter('quarantined'),
          releases: store.counter('releases'),
          rss_mib: Math.round(process.memoryUsage.rss() / 2 ** 20),
          started_at: startedMs,
          version: parts.version,
        },
      };
    },

    gateway(id) {
      const view = roster.view(id);
      const member = roster.get(id);
      if (view === null || member === null) throw new RivuletError('RIV_NOT_FOUND', `no gateway ${JSON.stringify(id)}`);
      return {
        ...view,
        enrolled_at: member.enrolledMs,
        uptime_s: member.report?.uptimeS ?? null,
        core: member.report?.core ?? null,
        sources: member.report?.sources ?? [],
        key_fingerprint: createHash('sha256').update(member.publicKey).digest('hex'),
        incarnations: store.directory.incarnations(id),
        contributions: store.deltas.contributionsOf(id).map(({ task, schema, incarnation, seq, receivedMs }) => ({
          task,
          schema,
          incarnation,
          seq,
          received_at: receivedMs,
        })),
      };
    },

    models: () =>
      store.heads.list().map((head) =>
        modelView(
          head,
          store.deltas.lineage(head.schema).map(({ gateway }) => gateway),
          store.suspects.of(head.schema),
        ),
      ),

    curve(task, gateway, points) {
      const ids =
        gateway === null
          ? store.directory
              .curves()
              .filter((curve) => curve.task === task)
              .map((curve) => curve.gateway)
          : [gateway];
      return { task, points: ids.flatMap((id) => curveView(id, store.directory.curve(id, task), points)) };
    },

    releases: (filter) => store.releases.list(filter).map(releaseView),

    release(hash) {
      const bytes = store.blobs.get(hash);
      if (bytes === null) throw new RivuletError('RIV_RELEASE_UNKNOWN', `no release ${hash}`);
      return bytes;
    },

    lineage(hash) {
      const release = store.releases.get(hash);
      if (release === null) throw new RivuletError('RIV_RELEASE_UNKNOWN', `no release ${hash}`);
      return lineageView(release);
    },

    quarantine: (limit) =>
      store.quarantine.list(limit).map(({ atMs, gateway, code, reason, bytes }) => ({
        at: atMs,
        gateway,
        code,
        reason,
        bytes: Buffer.from(bytes).toString('base64'),
      })),

    audit: (limit) =>
      store.audit.list(limit).map(({ atMs, action, subject, detail }) => ({ at: atMs, action, subject, detail })),

    operate(command) {
      const operator = { store, models, releaser, roster, clock, kernelHash: parts.kernelHash };
      switch (command.do) {
        case 'forget': {
          const { answer, made } = forgetGateway(command, operator);
          for (const release of made) emit({ kind: 'release', release: releaseView(release) });
          return answer;
        }
        case 'judge': {
          const { answer, made } = overrideJudgement(command.gateway, command.trusted, operator);
          for (const release of made) emit({ kind: 'release', release: releaseView(release) });
          return answer;
        }
        case 'kernels':
          return listKernels(operator);
        case 'kernel':
          return (command.accept ? acceptKernel : refuseKernel)(command.hash, operator);
        case 'releases':
          return listReleases(command.task, command.limit, operator);
        case 'show':
          return showRelease(command.ref, command.task, operator);
        case 'diff':
          return diffReleases(command.from, command.to, command.task, operator);
        case 'pin':
          return pinRelease(command.ref, command.task, operator);
        case 'rollback':
          return rollBack(command.task, operator);
      }
    },

    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },

    tick() {
      for (const { id, up } of roster.changes()) changed(id, up ? 'up' : 'down');
    },

    stop() {
      releaser.stop();
      listeners.clear();
    },
  };
}
