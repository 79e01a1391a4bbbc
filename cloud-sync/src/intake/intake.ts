/**
 * All that gateways hand in, once as it comes (the simulator) and once gathered (a server): there signatures are made and
 * checked off this thread, and what came together goes to disk together. An answer always says that it is there.
 */
import { type Clock, type Identity, RivuletError } from '@rivulet/host';
import type { DeltaAnswerView, GatewayChangeView, PieceAnswerView, ReportAnswerView } from '../api/views.ts';
import type { Store } from '../drivers/store.ts';
import { fleetReadings } from '../fleet/readings.ts';
import type { Roster } from '../fleet/roster.ts';
import type { Models } from '../registry/models.ts';
import type { Releaser } from '../registry/releaser.ts';
import { headView } from '../registry/views.ts';
import { openClones } from './clones.ts';
import { checkDelta, type Received, receiveDelta, type Schemas } from './deltas.ts';
import { openGather } from './gather.ts';
import { openKeys } from './keys.ts';
import { openPieces } from './pieces.ts';
import { signReceipt, signReceiptAhead } from './receipt.ts';
import { checkReport, receiveReport } from './reports.ts';
import { retryWindow } from './retry_window.ts';

export interface IntakeParts {
  readonly store: Store;
  readonly models: Models;
  readonly roster: Roster;
  readonly releaser: Pick<Releaser, 'wake' | 'waitMs'>;
  readonly identity: Pick<Identity, 'sign'> & Partial<Pick<Identity, 'signAhead'>>;
  readonly clock: Clock;
  /** What gateways say is handed on to a coordinator above. */
  readonly relays: boolean;
  /** The tasks that are taken; null: all. */
  readonly tasks: ReadonlySet<string> | null;
  readonly changed: (gateway: string, change: GatewayChangeView['change']) => void;
  readonly failed: (error: RivuletError) => void;
  /** A report was taken in. */
  readonly reported: (gateway: string, body: Uint8Array, signature: string) => void;
}

/** What a server calls: each resolves when what came with it is on disk. */
export interface Gathered {
  delta(envelope: Uint8Array): Promise<DeltaAnswerView>;
  piece(piece: Uint8Array): Promise<PieceAnswerView>;
  report(body: Uint8Array, signature: string): Promise<ReportAnswerView>;
}

export interface Intake {
  delta(envelope: Uint8Array): DeltaAnswerView;
  /** Takes a piece of an envelope in; with the last one the envelope. */
  piece(piece: Uint8Array): PieceAnswerView;
  /** `signature` is base64 over `body`. */
  report(body: Uint8Array, signature: string): ReportAnswerView;
  readonly gathered: Gathered;
}

type Unsigned = Omit<DeltaAnswerView, 'signature'>;

export function openIntake(parts: IntakeParts): Intake {
  const { store, models, roster, releaser, identity, clock, tasks, relays, changed } = parts;
  const keys = openKeys(roster);
  const clones = openClones(store, clock);
  const pieces = openPieces(keys);
  const schemas: Schemas = new Map();
  const gather = openGather(store.together);
  /** Tells of what happened once it is on disk. */
  const tell = (news: () => void) =>
    store.whenWritten((kept) => {
      if (kept) news();
    });

  /** What every good answer to a gateway ends with: the heads it can use, what counts of it, when to come again. */
  function standingOf(gateway: string): ReportAnswerView {
    const held = store.deltas.contributionsOf(gateway);
    const report = roster.get(gateway)?.report;
    const kernel = report?.core?.kernel;
    // of the models it has a part in, and of those its tasks could take
    const schemas = new Set([
      ...held.map(({ schema }) => schema),
      ...(report?.tasks ?? []).flatMap(({ schema }) => schema ?? []),
    ]);
    return {
      heads: [...schemas].flatMap((schema) => store.heads.get(schema) ?? []).map(headView),
      held: held.map(({ schema, incarnation, seq }) => ({ schema, incarnation, seq })),
      forgotten: store.forgotten.has(gateway),
      kernel_taken: kernel === undefined ? null : store.kernels.has(kernel),
      retry_window_s: retryWindow(roster.size()),
      ...fleetOf(gateway),
    };
  }

  /** What the gateway's newest report asks of all others; a gateway that was taken out, lives twice or is distrusted is no part of it. */
  function fleetOf(gateway: string): Pick<ReportAnswerView, 'fleet'> {
    const wants = roster.get(gateway)?.report?.fleet.wants ?? [];
    if (wants.length === 0) return {};
    const [cloned, overrides] = [store.clones.all(), store.overrides.all()];
    const telling = roster
      .telling()
      .filter(({ id }) => !cloned.has(id) && overrides.get(id) !== false && !store.forgotten.has(id));
    return { fleet: fleetReadings(gateway, wants, telling, clock.wallMs()) };
  }

  function answerTo({ receipt, schema }: Received): Unsigned {
    if (receipt.outcome === 'accepted') releaser.wake();
    if (receipt.outcome === 'quarantined') tell(() => changed(receipt.gateway, 'quarantined'));
    const waitS = Math.ceil(releaser.waitMs(schema) / 100) / 10;
    return { receipt, retry_after_s: waitS, ...standingOf(receipt.gateway) };
  }

  const take = (envelope: Uint8Array, checked: Awaited<ReturnType<typeof checkDelta>> = null): Unsigned =>
    answerTo(receiveDelta(envelope, checked, { store, models, roster, keys, clock, tasks, schemas, relays }));

  const signed = ({ receipt, ...rest }: Unsigned): DeltaAnswerView => ({
    receipt,
    signature: signReceipt(receipt, identity),
    ...rest,
  });

  async function signedAhead(answer: Unsigned): Promise<DeltaAnswerView> {
    const { signAhead } = identity;
    if (signAhead === undefined) return signed(answer);
    const { receipt, ...rest } = answer;
    return { receipt, signature: await signReceiptAhead(receipt, { signAhead }), ...rest };
  }

  function takeReport(
    body: Uint8Array,
    signature: string,
    checked: Awaited<ReturnType<typeof checkReport>> = null,
  ): ReportAnswerView {
    const { gateway, cloned } = receiveReport(body, signature, checked, { store, roster, keys, clones });
    tell(() => parts.reported(gateway, body, signature));
    if (cloned) {
      tell(() => {
        changed(gateway, 'cloned');
        parts.failed(new RivuletError('RIV_GATEWAY_CLONED', `two gateways live as ${gateway}`));
      });
    }
    return standingOf(gateway);
  }

  const gathered: Gathered = {
    async delta(envelope) {
      const checked = await checkDelta(envelope, { keys });
      return signedAhead(await gather(() => take(envelope, checked)));
    },
    async piece(bytes) {
      const { received, envelope } = pieces.receive(bytes);
      const retry_window_s = retryWindow(roster.size());
      return { received, retry_window_s, ...(envelope === null ? {} : { delta: await gathered.delta(envelope) }) };
    },
    async report(body, signature) {
      const checked = await checkReport(body, signature, keys);
      return gather(() => takeReport(body, signature, checked));
    },
  };

  return {
    delta: (envelope) => signed(take(envelope)),
    piece(bytes) {
      const { received, envelope } = pieces.receive(bytes);
      const retry_window_s = retryWindow(roster.size());
      return { received, retry_window_s, ...(envelope === null ? {} : { delta: signed(take(envelope)) }) };
    },
    report: (body, signature) => takeReport(body, signature),
    gathered,
  };
}
