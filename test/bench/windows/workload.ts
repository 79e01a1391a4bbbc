/** The load of the bench: readings of many keys at even distances, encoded once as blocks that an engine folds. */
import { BLOCK_HEADER_BYTES, BLOCK_KIND, encodeBlockHeader } from '@rivulet/host';
import { publishPacket } from '../../support/fold.ts';

const START_MS = Date.UTC(2026, 0, 1);

export interface Load {
  keys: number;
  /** Readings of each key. */
  rounds: number;
  /** Event time between two readings of a key. */
  stepMs: number;
}

/** One block for each round: a reading of every key. */
export function* blocks({ keys, rounds, stepMs }: Load): Generator<Buffer> {
  for (let round = 0; round < rounds; round++) {
    const time = START_MS + round * stepMs;
    const packets: Buffer[] = [];
    for (let key = 0; key < keys; key++) {
      // Values that a sensor might give, without a random number: the sketches see some hundred different ones.
      const value = (20 + 5 * Math.sin((round * 7 + key) / 40) + ((round * key) % 7) * 0.01).toFixed(2);
      packets.push(publishPacket({ topic: `plant/${key}`, payload: `{"v":${value},"t":${time}}` }));
    }
    const payload = Buffer.concat(packets);
    const block = Buffer.concat([Buffer.alloc(BLOCK_HEADER_BYTES), payload]);
    encodeBlockHeader(block, 0, {
      ...{ kind: BLOCK_KIND.messagesV4, door: 1, payloadLength: payload.length, count: keys },
      ...{ firstOffset: round * keys, sequence: round, wallMs: time, monoUs: round * stepMs * 1000 },
      ...{ epoch: 1, boot: 1, segment: 1, beginsWrite: true },
    });
    yield block;
  }
}
