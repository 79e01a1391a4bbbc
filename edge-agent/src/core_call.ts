/** One call into the core: blocks in, outputs (those that are `wanted`) out, decoded before the next call overwrites them. */
import { decodeOutputs, type Engine, type Output, type Wanted } from '@rivulet/host';

export function ingest(engine: Engine, blocks: Uint8Array, wanted?: Wanted): Output[] {
  const bytes = engine.ingest(blocks);
  return bytes.length === 0 ? [] : [...decodeOutputs(bytes, wanted)];
}
