/** What a task's panel of experts may cost: `budget` in a task. */
import type { TaskConfig } from './config.ts';
import type { ConfigNode } from './config_node.ts';

/** A panel's budget where only one of its two bounds is given; the core has the same. */
const PANEL_BUDGET = { perExampleNs: 8000, memoryBytes: 16 * 2 ** 20 };
const PANEL_MEMORY_MIN = 16_000;
const PANEL_MEMORY_MAX = 1e9;

/** `1us`, or `{ per_example: 1us, memory: 4MB }`. */
export function parseBudget(node: ConfigNode | null): Pick<TaskConfig, 'budget'> {
  if (node === null) return {};
  const map = node.isMap ? node.map(['per_example', 'memory']) : null;
  const time = map === null ? node : map.get('per_example');
  const memory = map?.get('memory') ?? null;
  const memoryBytes = memory?.bytes() ?? PANEL_BUDGET.memoryBytes;
  if (memory !== null && (memoryBytes < PANEL_MEMORY_MIN || memoryBytes > PANEL_MEMORY_MAX)) {
    memory.fail('RIV_CONFIG_VALUE', `\`${memory.path}\` is ${memoryBytes} bytes`, 'from 16KB to 1GB');
  }
  return { budget: { perExampleNs: time?.nanoseconds() ?? PANEL_BUDGET.perExampleNs, memoryBytes } };
}
