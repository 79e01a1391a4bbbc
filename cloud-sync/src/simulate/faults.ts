/** What goes wrong in a simulated fleet, and how often: every figure is drawn from the seed, so a run can be repeated. */
import { type Random, randomFrom } from './random.ts';

export interface Faults {
  /** A message is lost on the way. */
  readonly loss: number;
  /** A message comes twice. */
  readonly twice: number;
  /** A message takes up to this long, so that later ones overtake it. */
  readonly delayMs: number;
  /** Per tick: the coordinator is killed and starts again on its state. */
  readonly coordinatorDies: number;
  /** Per gateway and tick: the gateway is killed and starts again from its checkpoint. */
  readonly gatewayDies: number;
  /** Share of gateways that once go back to a backup, with a new incarnation. */
  readonly backups: number;
  /** Share of gateways that are offline for a quarter of the run. */
  readonly offline: number;
  /** Share of gateways that sync only every fourth tick. */
  readonly stragglers: number;
  /** Clocks are wrong by up to this much, either way. */
  readonly skewMs: number;
}

export const NO_FAULTS: Faults = {
  loss: 0,
  twice: 0,
  delayMs: 0,
  coordinatorDies: 0,
  gatewayDies: 0,
  backups: 0,
  offline: 0,
  stragglers: 0,
  skewMs: 0,
};

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

/** The kinds of trouble that can be asked for by name. */
export const TROUBLE: Readonly<Record<string, (seed: number) => Faults>> = {
  none: () => NO_FAULTS,
  stragglers: () => ({ ...NO_FAULTS, stragglers: 0.5 }),
  offline: () => ({ ...NO_FAULTS, offline: 0.5 }),
  storm: () => ({ ...NO_FAULTS, twice: 0.5, delayMs: 2 * HOUR_MS }),
  clocks: () => ({ ...NO_FAULTS, skewMs: 5 * YEAR_MS }),
  backups: () => ({ ...NO_FAULTS, backups: 0.5 }),
  random: randomFaults,
};

function randomFaults(seed: number): Faults {
  const random: Random = randomFrom(seed, 'faults');
  const upTo = (most: number) => (random.chance(0.5) ? most * random.uniform() : 0);
  return {
    loss: upTo(0.5),
    twice: upTo(0.5),
    delayMs: upTo(4 * HOUR_MS),
    coordinatorDies: upTo(0.3),
    gatewayDies: upTo(0.2),
    backups: upTo(0.3),
    offline: upTo(0.5),
    stragglers: upTo(0.5),
    skewMs: upTo(10 * YEAR_MS),
  };
}
