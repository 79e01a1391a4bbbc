/**
 * Synthetic(α, β) and its IID variant: the logistic tasks of "Federated optimization in heterogeneous networks" (Li et al.
 * 2020), after the recipe of its code. 60 features whose variance falls as j^-1.2, ten classes, sizes by a log-normal
 * distribution: those that its code draws with this seed, so that figures for a seed are of fleets as large as elsewhere. α: how much the models of the gateways differ, β: how much their features do. IID: one model, one world.
 * Nine rows of ten are learned in the order drawn, spread evenly over the ticks; the rest is the test.
 */
import { numpyGaussians } from '../numpy_random.ts';
import { type Random, randomFrom } from '../random.ts';
import type { Row, Scenario, SiteRows } from '../scenario.ts';

const FEATURES = 60;
const CLASSES = 10;
const LEARNED_SHARE = 0.9;
/** One long row of the log-normal recipe would be most of a fleet: as many rows at most. */
const ROWS_MAX = 20_000;

export interface SyntheticOptions {
  readonly gateways: number;
  readonly ticks: number;
  readonly seed: number;
  /** Null: IID. */
  readonly spread: { readonly alpha: number; readonly beta: number } | null;
}

export function synthetic({ gateways, ticks, seed, spread }: SyntheticOptions): Scenario {
  const name = spread === null ? 'synthetic-iid' : `synthetic(${spread.alpha},${spread.beta})`;
  const world = randomFrom(seed, name, 'world');
  const shared = spread === null ? model(world, 0) : null;
  const drawn = numpyGaussians(seed);
  const sizes = Array.from({ length: gateways }, () => Math.min(ROWS_MAX, Math.floor(Math.exp(4 + 2 * drawn())) + 50));
  const sites = sizes.map((count, at): SiteRows => {
    const random = randomFrom(seed, name, at);
    const u = spread === null ? 0 : spread.alpha * random.gaussian();
    const b = spread === null ? 0 : spread.beta * random.gaussian();
    const own = shared ?? model(random, u);
    const middle = Float64Array.from({ length: FEATURES }, () => (spread === null ? 0 : b + random.gaussian()));
    let rows: Row[] | null = null;
    const all = () => {
      rows ??= draw(randomFrom(seed, name, at, 'rows'), count, own, middle);
      return rows;
    };
    const learned = Math.floor(LEARNED_SHARE * count);
    return {
      id: `gateway-${String(at).padStart(4, '0')}`,
      from: 0,
      train: (tick) => all().slice(Math.floor((learned * tick) / ticks), Math.floor((learned * (tick + 1)) / ticks)),
      test: (tick) => (tick === ticks - 1 ? all().slice(learned) : []),
    };
  });
  return {
    name,
    about: 'softmax over 60 features and 10 classes (FedProx)',
    fields: Array.from({ length: FEATURES }, (_, j) => `f${j}`),
    task: { kind: 'classify', labels: Array.from({ length: CLASSES }, (_, k) => `c${k}`) },
    rowMs: 1_000,
    ticks,
    tickMs: 3_600_000,
    sites,
  };
}

interface Model {
  readonly weights: Float64Array;
  readonly intercepts: Float64Array;
}

function model(random: Random, mean: number): Model {
  const drawn = (length: number) => Float64Array.from({ length }, () => mean + random.gaussian());
  return { weights: drawn(FEATURES * CLASSES), intercepts: drawn(CLASSES) };
}

function draw(random: Random, count: number, { weights, intercepts }: Model, middle: Float64Array): Row[] {
  return Array.from({ length: count }, () => {
    const x = middle.map((mean, j) => mean + (j + 1) ** -0.6 * random.gaussian());
    let best = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < CLASSES; k++) {
      let score = intercepts[k] as number;
      for (let j = 0; j < FEATURES; j++) score += (x[j] as number) * (weights[k * FEATURES + j] as number);
      if (score > most) [best, most] = [k, score];
    }
    return { x, label: `c${best}` };
  });
}
