/**
 * Which message of a block traps the core: found by bisection. A trap kills its instance, so every try is a new one from
 * the state before the block. The first k messages trap exactly when the guilty one is among them, so the search halves.
 */
import { BLOCK_KIND, type Core, type Engine, type Output, toRivuletError } from '@rivulet/host';
import { ingest } from './core_call.ts';
import { messagesIn, openBlock, type PlacedMessage, topicOf } from './packets.ts';
import { type Aside, masked, unmasked } from './set_aside.ts';

/** A block with more guilty messages than this is set aside as a whole. */
const GUILTY_MAX = 16;

/** A block folded around what traps the core in it. */
export interface Blamed {
  engine: Engine;
  outputs: Output[];
  /** Empty when the block can be folded after all from a fresh instance. */
  setAside: Aside[];
}

/**
 * @param before an instance of its own in the state before the block, each time it is called
 * @param block one whole block, as it stands in the log
 */
export function blame(before: () => Engine, block: Buffer): Blamed {
  const { kind, payload, sequence, firstOffset, wallMs } = openBlock(block);
  const isMessages = kind === BLOCK_KIND.messagesV4 || kind === BLOCK_KIND.messagesV5;
  const messages = isMessages ? messagesIn(payload) : [];
  const guilty = new Map<PlacedMessage, Error>();

  function fold(hidden: readonly PlacedMessage[]): { engine: Engine; outputs: Output[] } | Error {
    const engine = before();
    const positions = [...guilty.keys(), ...hidden].map(({ at }) => at);
    try {
      const outputs = ingest(engine, masked(block, positions));
      for (const output of outputs) {
        if (output.kind === 'quarantine') {
          output.at = unmasked(block, positions, output.at);
        }
      }
      return { engine, outputs };
    } catch (error) {
      return error as Error;
    }
  }

  function aside(message: PlacedMessage | null, error: Error): Aside {
    const { code, message: reason } = toRivuletError(error);
    const packet = message === null ? null : payload.subarray(message.at, message.end);
    return {
      ...{ sequence, at: message?.at ?? null, offset: firstOffset + (message?.index ?? 0) },
      ...{ topic: packet === null ? null : topicOf(packet), code, reason, wallMs },
    };
  }

  for (;;) {
    const folded = fold([]);
    if (!(folded instanceof Error)) {
      return { ...folded, setAside: [...guilty].map(([message, error]) => aside(message, error)) };
    }
    // Invariant: the first `fine` messages alone do not trap, the first `traps` do.
    let fine = 0;
    let traps = messages.length;
    const withoutAny = fold(messages);
    if (messages.length === 0 || guilty.size >= GUILTY_MAX || withoutAny instanceof Error) {
      return { engine: before(), outputs: [], setAside: [aside(null, folded)] };
    }
    while (traps - fine > 1) {
      const middle = (fine + traps) >> 1;
      if (fold(messages.slice(middle)) instanceof Error) {
        traps = middle;
      } else {
        fine = middle;
      }
    }
    guilty.set(messages[traps - 1] as PlacedMessage, folded);
  }
}

/** Instances that go on from a copy of a state. */
export function restoring(core: Core, state: Uint8Array): () => Engine {
  const copy = Buffer.from(state);
  return () => {
    const engine = core.newEngine();
    engine.restore(copy);
    return engine;
  };
}
