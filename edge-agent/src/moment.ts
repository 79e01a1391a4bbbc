/** A moment of a log: before a message, by its offset, or before the first block that arrived at a time or later. */
import { BLOCK_HEADER_BYTES, BLOCK_KIND, decodeBlockHeader, encodeBlockHeader, RivuletError } from '@rivulet/host';
import { messagesIn, type OpenedBlock, openBlock } from './packets.ts';
import { blocksOf } from './set_aside.ts';

export type Moment = { offset: number } | { wallMs: number };

/** @throws RIV_USAGE when the text is neither an offset nor a time */
export function parseMoment(text: string, option: string): Moment {
  if (/^\d{1,15}$/.test(text)) {
    return { offset: Number(text) };
  }
  const wallMs = Date.parse(text);
  if (Number.isNaN(wallMs)) {
    const expected = 'an offset such as 12000, or a time such as 2026-05-01T12:00:00Z';
    throw new RivuletError('RIV_USAGE', { found: `${option} ${text}`, expected });
  }
  return { wallMs };
}

/**
 * Parts a batch of whole blocks in the first block that is not all before the moment.
 * @returns the blocks before; the blocks from that one on, null when there are none; and whether the first of these holds
 * messages from before the moment as well
 */
export function partAt(blocks: Buffer, moment: Moment): { before: Buffer; from: Buffer | null; within: boolean } {
  for (const { at, end } of blocksOf(blocks)) {
    const block = openBlock(blocks.subarray(at, end));
    if (reaches(block, moment)) {
      const within = 'offset' in moment && block.firstOffset < moment.offset;
      return { before: blocks.subarray(0, at), from: blocks.subarray(at), within };
    }
  }
  return { before: blocks, from: null, within: false };
}

function reaches({ firstOffset, count, wallMs }: OpenedBlock, moment: Moment): boolean {
  // A block without messages that stands before the message belongs to what came before it.
  return 'offset' in moment ? count > 0 && firstOffset + count > moment.offset : wallMs >= moment.wallMs;
}

/** The block at the beginning of `blocks`, with those of its messages only that come before an offset. */
export function shortened(blocks: Buffer, offset: number): Buffer {
  const header = decodeBlockHeader(blocks);
  const count = offset - header.firstOffset;
  const payload = blocks.subarray(BLOCK_HEADER_BYTES, BLOCK_HEADER_BYTES + header.payloadLength);
  const isMessages = header.kind === BLOCK_KIND.messagesV4 || header.kind === BLOCK_KIND.messagesV5;
  const length = (isMessages ? messagesIn(payload)[count]?.at : undefined) ?? payload.length;
  const block = Buffer.from(blocks.subarray(0, BLOCK_HEADER_BYTES + length));
  encodeBlockHeader(block, 0, { ...header, payloadLength: length, count });
  return block;
}
