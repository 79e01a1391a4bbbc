/**
 * What a network does to messages on their way: some are lost, some come twice, some late and so out of order. All from
 * the seed. Works in steps of the feed; what is under way is plain data, part of the feed's position.
 */
import { happens, integerBetween, type RandomState } from './random.ts';

/** How often what happens. Probabilities per message; delays in steps. */
export interface Disorder {
  lost: number;
  repeated: number;
  delayed: number;
  delayStepsMax: number;
  /** Delayed by so much that windows have closed. */
  stranded: number;
  strandedSteps: number;
}

/** A message that arrives in a later step. */
interface UnderWay<M> {
  step: number;
  message: M;
  repeat: boolean;
}

/** State of the network between two steps. */
export interface DisorderState<M> {
  underWay: UnderWay<M>[];
  lost: number;
}

/** Nothing under way. */
export function calm<M>(): DisorderState<M> {
  return { underWay: [], lost: 0 };
}

/** What arrives in a step when `sent` was sent in it: due messages of earlier steps first. */
export function disturb<M>(
  state: DisorderState<M>,
  disorder: Disorder,
  random: RandomState,
  step: number,
  sent: readonly M[],
): { message: M; repeat: boolean }[] {
  for (const message of sent) {
    const fate = delayOf(disorder, random);
    if (fate === null) {
      state.lost++;
      continue;
    }
    state.underWay.push({ step: step + fate, message, repeat: false });
    if (happens(random, disorder.repeated)) {
      state.underWay.push({ step: step + fate + integerBetween(random, 0, 2), message, repeat: true });
    }
  }
  const arriving = state.underWay.filter((one) => one.step <= step);
  state.underWay = state.underWay.filter((one) => one.step > step);
  return arriving.map(({ message, repeat }) => ({ message, repeat }));
}

/** Steps of delay, or null for a message that never arrives. */
function delayOf(disorder: Disorder, random: RandomState): number | null {
  if (happens(random, disorder.lost)) return null;
  if (happens(random, disorder.stranded)) return disorder.strandedSteps;
  if (happens(random, disorder.delayed)) return integerBetween(random, 1, disorder.delayStepsMax);
  return 0;
}
