/** Rows of a scenario as the log would hold them: MQTT PUBLISH packets in blocks (FORMATS.md section 1). */
import { BLOCK_HEADER_BYTES, BLOCK_KIND, type BlockKind, encodeBlockHeader } from '@rivulet/host';

/** Where a log stands. */
export interface LogEnd {
  offset: number;
  sequence: number;
}

/** One block at the end of a log, which moves on; `own`: the agent itself wrote it. */
export function block(
  kind: BlockKind,
  payload: Buffer,
  count: number,
  wallMs: number,
  end: LogEnd,
  own = kind !== BLOCK_KIND.messagesV4,
): Buffer {
  const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + payload.length);
  payload.copy(bytes, BLOCK_HEADER_BYTES);
  encodeBlockHeader(bytes, 0, {
    kind,
    door: own ? 0 : 1,
    payloadLength: payload.length,
    count,
    firstOffset: end.offset,
    sequence: end.sequence,
    wallMs,
    monoUs: 0,
    epoch: 0,
    boot: 1,
    segment: 1,
    beginsWrite: true,
  });
  end.offset += count;
  end.sequence += 1;
  return bytes;
}
