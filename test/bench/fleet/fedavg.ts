/**
 * Batch federated averaging as a reference, with the settings of FedProx's code: all rows are there from the start, 200 rounds,
 * 10 gateways in each, 20 epochs of SGD in batches of 10 with rate 0.01, models weighted by rows. Multinomial logistic regression
 * on raw features. The figure is the mean over the last ten rounds, over the test rows of all gateways together.
 *
 * Papers: McMahan et al., "Communication-efficient learning of deep networks from decentralized data" (2017); Li et al.,
 * "Federated optimization in heterogeneous networks" (2020).
 */
import { type Random, randomFrom } from '../../../cloud-sync/src/simulate/random.ts';
import type { Row, Scenario } from '../../../cloud-sync/src/simulate/scenario.ts';

const ROUNDS = 200;
const SCORED_ROUNDS = 10;
const PER_ROUND = 10;
const EPOCHS = 20;
const BATCH = 10;
const CURVE_ROUNDS = 10;
const RATE = 0.01;

/** A row with a 1 for the bias behind it. */
interface Example {
  readonly x: Float64Array;
  readonly class: number;
}

/** How an update travels from a gateway to the server: what the server reads of it, and in how many bytes it came. */
export type Uplink = (gateway: number, update: Float64Array) => { readonly read: Float64Array; readonly bytes: number };

export interface Federated {
  /** Of the model as it is released. */
  readonly accuracy: number;
  /** Of the model as each gateway serves it: tuned on its own rows for an epoch. */
  readonly served: number;
  /** Mean bytes of an update. */
  readonly bytes: number;
  /** After every tenth round: bytes of all updates so far, accuracy of the release. */
  readonly curve: readonly { readonly bytes: number; readonly accuracy: number }[];
}

const EXACT: Uplink = (_, update) => ({ read: update, bytes: 8 * update.length });

/** Share of right answers; null for a scenario that predicts numbers. */
export function fedavg(scenario: Scenario, seed: number, rounds = ROUNDS): number | null {
  return federate(scenario, seed, { rounds, epochs: EPOCHS, uplink: EXACT })?.accuracy ?? null;
}

/** Federated averaging whose updates travel over `uplink`; null for a scenario that predicts numbers. */
export function federate(
  { task, sites, ticks }: Scenario,
  seed: number,
  { rounds, epochs, uplink }: { rounds: number; epochs: number; uplink: Uplink },
): Federated | null {
  if (task.kind !== 'classify') return null;
  const example = ({ x, label }: Row): Example => ({
    x: Float64Array.of(...x, 1),
    class: task.labels.indexOf(label as string),
  });
  const all = (rows: (tick: number) => readonly Row[]) =>
    Array.from({ length: ticks }, (_, tick) => rows(tick).map(example)).flat();
  const gateways = sites.map(({ train, test }, at) => ({ at, trained: all(train), tested: all(test) }));
  const tested = gateways.flatMap((gateway) => gateway.tested);
  const width = (tested[0]?.x.length ?? 1) * task.labels.length;
  const random = randomFrom(seed, 'fedavg');
  const shares = new Float64Array(task.labels.length);
  const right = (weights: Float64Array, examples: readonly Example[]) =>
    examples.filter(({ x, class: truth }) => likeliest(weights, x, shares) === truth).length;
  const curve: { bytes: number; accuracy: number }[] = [];
  let weights: Float64Array = new Float64Array(width);
  let [accuracy, bytes, updates] = [0, 0, 0];
  for (let round = 0; round < rounds; round++) {
    const chosen = shuffled(gateways.slice(), random).slice(0, PER_ROUND);
    const rows = chosen.reduce((sum, { trained }) => sum + trained.length, 0);
    const next = weights.slice();
    for (const { at, trained } of chosen) {
      const own = train(weights.slice(), trained, shares, random, epochs);
      const sent = uplink(
        at,
        own.map((value, i) => value - (weights[i] as number)),
      );
      for (let i = 0; i < width; i++) {
        next[i] = (next[i] as number) + (trained.length / rows) * (sent.read[i] as number);
      }
      bytes += sent.bytes;
      updates += 1;
    }
    weights = next;
    const scored = round >= rounds - SCORED_ROUNDS;
    if (!scored && (round + 1) % CURVE_ROUNDS !== 0) continue;
    const share = right(weights, tested) / tested.length;
    if (scored) accuracy += share / Math.min(SCORED_ROUNDS, rounds);
    if ((round + 1) % CURVE_ROUNDS === 0) curve.push({ bytes, accuracy: share });
  }
  const tuned = gateways.map((gateway) =>
    right(train(weights.slice(), gateway.trained, shares, random, 1), gateway.tested),
  );
  const served = tuned.reduce((sum, one) => sum + one, 0) / tested.length;
  return { accuracy, served, bytes: bytes / updates, curve };
}

/** Changes and answers `weights`. */
function train(
  weights: Float64Array,
  examples: readonly Example[],
  shares: Float64Array,
  random: Random,
  epochs: number,
) {
  const order = examples.slice();
  const step = new Float64Array(weights.length);
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffled(order, random);
    for (let from = 0; from < order.length; from += BATCH) {
      const batch = order.slice(from, from + BATCH);
      step.fill(0);
      for (const { x, class: truth } of batch) {
        softmax(weights, x, shares);
        for (let k = 0; k < shares.length; k++) {
          const miss = (shares[k] as number) - Number(k === truth);
          for (let j = 0; j < x.length; j++) {
            step[k * x.length + j] = (step[k * x.length + j] as number) + miss * (x[j] as number);
          }
        }
      }
      for (let i = 0; i < weights.length; i++) {
        weights[i] = (weights[i] as number) - (RATE / batch.length) * (step[i] as number);
      }
    }
  }
  return weights;
}

function softmax(weights: Float64Array, x: Float64Array, shares: Float64Array): void {
  for (let k = 0; k < shares.length; k++) {
    let score = 0;
    for (let j = 0; j < x.length; j++) score += (weights[k * x.length + j] as number) * (x[j] as number);
    shares[k] = score;
  }
  const most = Math.max(...shares);
  let sum = 0;
  for (let k = 0; k < shares.length; k++) {
    shares[k] = Math.exp((shares[k] as number) - most);
    sum += shares[k] as number;
  }
  for (let k = 0; k < shares.length; k++) shares[k] = (shares[k] as number) / sum;
}

function likeliest(weights: Float64Array, x: Float64Array, shares: Float64Array): number {
  softmax(weights, x, shares);
  return shares.indexOf(Math.max(...shares));
}

/** Shuffles in place (Fisher and Yates). */
function shuffled<T>(items: T[], random: Random): T[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = random.below(at + 1);
    [items[at], items[other]] = [items[other] as T, items[at] as T];
  }
  return items;
}
