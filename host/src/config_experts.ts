/** Which experts a task's panel begins with: `experts` in a task, `--experts` of `rivulet evaluate`. */
import type { TaskConfig } from './config.ts';
import type { ConfigNode } from './config_node.ts';
import { RivuletError } from './errors.ts';

/** What can be named, and whether it is for classes, for numbers or for both; the core has the same. */
const EXPERTS = {
  default: ['classes', 'numbers'],
  naive_bayes: ['classes'],
  ftrl: ['classes', 'numbers'],
  adagrad: ['classes', 'numbers'],
  adam: ['classes', 'numbers'],
  factorisation: ['classes', 'numbers'],
  key_offset: ['numbers'],
  seasonal: ['numbers'],
  holt_winters: ['numbers'],
  snarimax: ['numbers'],
  network: ['classes', 'numbers'],
  forest: ['classes', 'numbers'],
} as const satisfies Record<string, readonly Predicted[]>;

/** What a task predicts. */
export type Predicted = 'classes' | 'numbers';
/** A family of experts by its name. */
export type ExpertName = keyof typeof EXPERTS;

/** The names that fit, the default ones first. */
export function expertsOf(predicted: Predicted): ExpertName[] {
  return (Object.keys(EXPERTS) as ExpertName[]).filter((name) =>
    (EXPERTS[name] as readonly Predicted[]).includes(predicted),
  );
}

/** `all`, or a list such as `[default, naive_bayes]`: each once, in the order in which they are known. */
export function parseExperts(node: ConfigNode | null, predicted: Predicted): Pick<TaskConfig, 'experts'> {
  if (node === null) return {};
  const known = expertsOf(predicted);
  if (!node.isList) {
    node.word(['all']);
    return { experts: known };
  }
  const named = node.list().map((item) => item.word(known));
  if (named.length === 0)
    node.fail('RIV_CONFIG_VALUE', `\`${node.path}\` names no expert`, `all, or some of ${known.join(', ')}`);
  return { experts: known.filter((name) => named.includes(name)) };
}

/**
 * The same in words separated by commas, as on a command line.
 * @throws RIV_USAGE
 */
export function expertsNamed(text: string, predicted: Predicted): ExpertName[] {
  const known = expertsOf(predicted);
  const named = text === 'all' ? known : text.split(',').map((word) => word.trim());
  const wrong = named.find((name) => !(known as string[]).includes(name));
  if (wrong !== undefined)
    throw new RivuletError('RIV_USAGE', {
      found: `--experts ${text}`,
      expected: `all, or some of ${known.join(', ')} for ${predicted}`,
    });
  return known.filter((name) => named.includes(name));
}
