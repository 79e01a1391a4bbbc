/**
 * What a federated model costs on the wire: averaging of 610 parameters whose updates travel in each of the inexact forms,
 * against single precision. The codec is chosen as the one of the fewest bytes that loses at most so much, on the release where
 * gateways see one world, and as it is served where each has its own.
 */
import { randomFrom } from '../../../cloud-sync/src/simulate/random.ts';
import { scenarioOf } from '../../../cloud-sync/src/simulate/scenarios.ts';
import { type Federated, federate, type Uplink } from './fedavg.ts';
import { rotatedSigns, sparseTernary, stochastic, type UpdateCodec } from './updates/codecs.ts';
import { openFeedback } from './updates/feedback.ts';

const ROUNDS = 50;
const EPOCHS = 5;
const FLEET = { gateways: 30, ticks: 20, data: null };
/** What may be lost, as a share of rows. */
const LOSS_MAX = 0.003;

const CODECS: readonly UpdateCodec[] = [
  stochastic('int8', 127),
  stochastic('int4', 7),
  stochastic('ternary', 1),
  sparseTernary('sparse 10 %', 0.1),
  sparseTernary('sparse 5 %', 0.05),
  rotatedSigns('rotated signs', 1),
];

const SINGLE: Uplink = (_, update) => ({ read: Float64Array.from(update, Math.fround), bytes: 4 * update.length });

/** Contractive codecs with error feedback, one memory per gateway; unbiased ones without. */
function uplinkOf(codec: UpdateCodec, seed: number): Uplink {
  const random = randomFrom(seed, 'codec', codec.name).uniform;
  const memories = new Map<number, ReturnType<typeof openFeedback>>();
  return (gateway, update) => {
    if (codec.kind === 'unbiased') {
      const bytes = codec.encode(update, random);
      return { read: codec.decode(bytes, update.length), bytes: bytes.length };
    }
    const memory = memories.get(gateway) ?? openFeedback(codec);
    memories.set(gateway, memory);
    const bytes = memory.encode(update, 'one line', random);
    return { read: codec.decode(bytes, update.length), bytes: bytes.length };
  };
}

interface Tried extends Federated {
  readonly codec: string;
  /** Points of accuracy, as shares of rows, that single precision has more. */
  readonly lost: number;
  readonly lost_served: number;
}

export function bytesPerUpdate(seeds: readonly number[]) {
  const iid = tried('synthetic-iid', seeds);
  const own = tried('synthetic(1,1)', seeds);
  const fitting = iid.filter(({ lost }, at) => lost <= LOSS_MAX && (own[at]?.lost_served ?? 1) <= LOSS_MAX);
  const chosen = fitting.toSorted((a, b) => a.bytes - b.bytes)[0];
  const served = own.find(({ codec }) => codec === chosen?.codec);
  return {
    codec: chosen?.codec ?? 'none',
    payload: chosen?.bytes ?? Number.POSITIVE_INFINITY,
    payload_own_worlds: served?.bytes ?? Number.POSITIVE_INFINITY,
    lost: chosen?.lost ?? 1,
    lost_served: served?.lost_served ?? 1,
    'synthetic-iid': iid,
    'synthetic(1,1)': own,
  };
}

function tried(name: string, seeds: readonly number[]): Tried[] {
  const run = (uplink: (seed: number) => Uplink) =>
    meanOf(
      seeds.map((seed) => {
        const scenario = scenarioOf(name, { ...FLEET, seed });
        return federate(scenario, seed, { rounds: ROUNDS, epochs: EPOCHS, uplink: uplink(seed) }) as Federated;
      }),
    );
  const single = run(() => SINGLE);
  const forms = CODECS.map((codec) => ({ codec: codec.name, ...run((seed) => uplinkOf(codec, seed)) }));
  return [{ codec: 'single precision', ...single }, ...forms].map((one) => ({
    ...one,
    lost: single.accuracy - one.accuracy,
    lost_served: single.served - one.served,
  }));
}

function meanOf(runs: readonly Federated[]): Federated {
  const mean = (pick: (run: Federated) => number) => runs.reduce((sum, run) => sum + pick(run), 0) / runs.length;
  const at = (point: number, name: 'bytes' | 'accuracy') => mean(({ curve }) => curve[point]?.[name] ?? Number.NaN);
  return {
    accuracy: mean(({ accuracy }) => accuracy),
    served: mean(({ served }) => served),
    bytes: mean(({ bytes }) => bytes),
    curve: (runs[0]?.curve ?? []).map((_, point) => ({ bytes: at(point, 'bytes'), accuracy: at(point, 'accuracy') })),
  };
}
