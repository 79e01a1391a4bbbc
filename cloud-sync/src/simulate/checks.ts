/** What must hold when a simulated fleet has come to rest, whatever went wrong on the way. */
import type { Core } from '@rivulet/host';
import type { Store } from '../drivers/store.ts';
import { mergesBy } from '../merge.ts';
import type { SimulatedGateway } from './gateway.ts';

/** Something that must hold does not. */
export class SimulationFailure extends Error {}

export interface FleetAtRest {
  readonly core: Core;
  readonly store: Store;
  readonly gateways: readonly SimulatedGateway[];
  readonly suspects: ReadonlySet<string>;
  readonly liars: ReadonlySet<string>;
}

/** Throws a `SimulationFailure`; answers the digest of what the fleet learned without any release. */
export function checkFleet({ core, store, gateways, suspects, liars }: FleetAtRest): string | null {
  const [head] = store.heads.list();
  const stored = new Map(
    head === undefined ? [] : store.deltas.contributions(head.schema).map((entry) => [entry.gateway, entry] as const),
  );
  for (const gateway of gateways) {
    const own = gateway.statistics();
    const kept = stored.get(gateway.id);
    if (gateway.outbox().length > 0) fail(`${gateway.id} still has a delta that nobody signed for`);
    if (liars.has(gateway.id)) continue;
    if (own === null && kept !== undefined) fail(`the coordinator holds statistics that ${gateway.id} never had`);
    if (own !== null && !own.equals(kept?.statistics ?? Buffer.alloc(0)))
      fail(`the coordinator does not hold what ${gateway.id} learned (number ${kept?.seq ?? 'none'})`);
  }
  const accused = [...suspects].filter((id) => !liars.has(id));
  if (accused.length > 0 && liars.size === 0) fail(`${accused.join(', ')} is under suspicion, and nobody lied`);
  if (head === undefined) return null;
  const { incarnations, contributions } = { incarnations: store.directory, contributions: [...stored.values()] };
  for (const { gateway, incarnation } of contributions) {
    if (incarnations.incarnations(gateway).at(-1) !== incarnation)
      fail(`${gateway} is in the merge with an incarnation that it has left behind`);
  }
  const open = mergesBy(core);
  const measured = [contributions, contributions.toReversed(), [...contributions, ...contributions]].map((order) => {
    const merge = open(head.schemaText, head.form);
    for (const { gateway, statistics } of order) merge.put(gateway, statistics);
    return merge.measure();
  });
  if (new Set(measured.map(({ digest }) => digest.toString('hex'))).size > 1)
    fail('the merge depends on the order of arrival');
  return measured[0]?.removable.toString('hex') ?? null;
}

function fail(what: string): never {
  throw new SimulationFailure(what);
}
