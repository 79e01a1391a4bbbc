/** What a task watches for drift and does then: `drift` in a task. */
import {
  DRIFT_DETECTORS,
  DRIFT_DO,
  DRIFT_MEMORY,
  DRIFT_NETWORK,
  DRIFT_ON,
  type DriftConfig,
  type TaskConfig,
} from './config.ts';
import type { ConfigNode } from './config_node.ts';

/** The core has the same where a task says nothing. */
const DEFAULT: DriftConfig = { detector: 'adwin', runLength: 100_000, on: ['error', 'prediction'], do: ['alert'] };
const RUN_LENGTH_MIN = 1000;
const RUN_LENGTH_MAX = 10_000_000;

/** `off`, a detector, or `{ detector: adwin, run_length: 100000, on: [error, prediction], do: [alert] }`. */
export function parseDrift(
  node: ConfigNode | null,
  classifies: boolean,
  hasNetwork: boolean,
): Pick<TaskConfig, 'drift'> {
  if (node === null) return {};
  if (!node.isMap) {
    const word = node.word(['off', ...DRIFT_DETECTORS]);
    return { drift: word === 'off' ? { ...DEFAULT, on: [] } : { ...DEFAULT, detector: word } };
  }
  const map = node.map(['detector', 'run_length', 'on', 'do']);
  return {
    drift: {
      detector: map.get('detector')?.word(DRIFT_DETECTORS) ?? DEFAULT.detector,
      runLength: map.get('run_length')?.integer(RUN_LENGTH_MIN, RUN_LENGTH_MAX) ?? DEFAULT.runLength,
      on: words(map.get('on'), DRIFT_ON) ?? DEFAULT.on,
      do: policies(map.get('do'), classifies, hasNetwork) ?? DEFAULT.do,
    },
  };
}

function policies(node: ConfigNode | null, classifies: boolean, hasNetwork: boolean): DriftConfig['do'] | null {
  const named = words(node, DRIFT_DO);
  const memory = named?.find((word) => DRIFT_MEMORY.includes(word));
  if (memory !== undefined && !classifies)
    node?.fail(
      'RIV_CONFIG_VALUE',
      `\`${memory}\` has no meaning here`,
      'none: only a classification has concepts that return',
    );
  const network = named?.find((word) => DRIFT_NETWORK.includes(word));
  if (network !== undefined && !hasNetwork)
    node?.fail(
      'RIV_CONFIG_VALUE',
      `\`${network}\` has no meaning here`,
      'none: `experts` of the task names no network',
    );
  return named;
}

/** Words of a list, each once, in the order in which they are known. */
function words<T extends string>(node: ConfigNode | null, known: readonly T[]): T[] | null {
  if (node === null) return null;
  const named = node.list(known.length).map((item) => item.word(known));
  return known.filter((word) => named.includes(word));
}
