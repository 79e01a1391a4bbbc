// The block: the unit of the log and of a call into the core (FORMATS.md section 1). Encoding and decoding of its header,
// and of the payloads that the host itself writes (session, plan).

import { byteReader, writeBytes } from './bytes.ts';
import { crc32c } from './crc32c.ts';
import { RivuletError } from './errors.ts';

/** Length of the header in bytes. */
export const BLOCK_HEADER_BYTES = 64;

/** Longest payload: a batch larger than this is cut into several blocks. */
export const BLOCK_PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

/** What a block holds. */
export const BLOCK_KIND = { messagesV4: 1, messagesV5: 2, plan: 3, session: 4, tick: 5, release: 6 } as const;

/** One of the numbers of `BLOCK_KIND`. */
export type BlockKind = (typeof BLOCK_KIND)[keyof typeof BLOCK_KIND];

const BLOCK_MAGIC = 0x4b425652; // the bytes "RVBK"
const BLOCK_VERSION = 1;
const CRC_AT = 60;
const BEGINS_WRITE = 0x8000_0000;

/** Segment ordinals count modulo 2^31: bit 31 of their field says whether the block begins a write. */
export const SEGMENT_ORDINALS = 0x8000_0000;

/** The header, field by field; `crc` is kept apart since it is computed. */
export interface BlockHeader {
  kind: BlockKind;
  /** Front door by its place in the config, from 1; 0: the agent itself. */
  door: number;
  payloadLength: number;
  /** Messages in the payload; 0 for kinds other than messages. */
  count: number;
  /** Offset of the first message; for other kinds of the next message. */
  firstOffset: number;
  /** Ordinal of the block in the log, from 0. */
  sequence: number;
  wallMs: number;
  monoUs: number;
  /** Connection epoch of the door. */
  epoch: number;
  boot: number;
  /** Ordinal of the segment file, below `SEGMENT_ORDINALS`. */
  segment: number;
  /** True for the first block of each durable write: all blocks before it were durable when it was written. */
  beginsWrite: boolean;
}

/**
 * Writes header and checksum at `target[at]`; the payload must already stand behind it.
 */
export function encodeBlockHeader(target: Buffer, at: number, header: BlockHeader): void {
  // A view instead of a method of the buffer for each field: it is written on every beat.
  const view = new DataView(target.buffer, target.byteOffset + at, BLOCK_HEADER_BYTES);
  view.setUint32(0, BLOCK_MAGIC, true);
  view.setUint8(4, BLOCK_VERSION);
  view.setUint8(5, header.kind);
  view.setUint16(6, header.door, true);
  view.setUint32(8, header.payloadLength, true);
  view.setUint32(12, header.count, true);
  set64(view, 16, header.firstOffset);
  set64(view, 24, header.sequence);
  set64(view, 32, header.wallMs);
  set64(view, 40, header.monoUs);
  view.setUint32(48, header.epoch, true);
  view.setUint32(52, header.boot, true);
  view.setUint32(56, header.segment + (header.beginsWrite ? BEGINS_WRITE : 0), true);
  view.setUint32(CRC_AT, blockCrc(target, at, header.payloadLength), true);
}

/**
 * Reads the header at `bytes[at]` without looking at the payload.
 * @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_CORRUPT, RIV_TOO_LARGE
 */
export function decodeBlockHeader(bytes: Buffer, at = 0): BlockHeader {
  const reader = byteReader(bytes, 'a block', at);
  const magic = reader.u32();
  if (magic !== BLOCK_MAGIC)
    throw new RivuletError('RIV_FOREIGN', { found: `0x${magic.toString(16)} where a block should begin` });
  const version = reader.u8();
  if (version > BLOCK_VERSION) throw new RivuletError('RIV_TOO_NEW', { found: `a block of version ${version}` });
  if (version === 0) throw new RivuletError('RIV_CORRUPT', { found: 'a block of version 0' });
  const kind = reader.u8();
  if (kind < BLOCK_KIND.messagesV4 || kind > BLOCK_KIND.release)
    throw new RivuletError('RIV_CORRUPT', { found: `a block of kind ${kind}`, expected: '1 to 6' });
  const door = reader.u16();
  const payloadLength = reader.u32();
  if (payloadLength > BLOCK_PAYLOAD_BYTES_MAX)
    throw new RivuletError('RIV_TOO_LARGE', {
      found: `a block with a payload of ${payloadLength} bytes`,
      expected: `at most ${BLOCK_PAYLOAD_BYTES_MAX}`,
    });
  const count = reader.u32();
  const firstOffset = reader.u64();
  const sequence = reader.u64();
  const wallMs = reader.i64();
  const monoUs = reader.u64();
  const epoch = reader.u32();
  const boot = reader.u32();
  const segment = reader.u32();
  return {
    kind: kind as BlockKind,
    door,
    payloadLength,
    count,
    firstOffset,
    sequence,
    wallMs,
    monoUs,
    epoch,
    boot,
    segment: segment % SEGMENT_ORDINALS,
    beginsWrite: segment >= SEGMENT_ORDINALS,
  };
}

/** The version of a block header that is newer than this Rivulet; null when it is none, or none of a block. */
export function newerBlockVersion(header: Buffer): number | null {
  if (header.length < BLOCK_HEADER_BYTES || header.readUInt32LE(0) !== BLOCK_MAGIC) return null;
  const version = header.readUInt8(4);
  return version > BLOCK_VERSION ? version : null;
}

/** True when the checksum of the whole block at `bytes[at]` is right; the block must be there in full. */
export function blockVerifies(bytes: Buffer, at: number, payloadLength: number): boolean {
  return bytes.readUInt32LE(at + CRC_AT) === blockCrc(bytes, at, payloadLength);
}

/** Where a block may begin at or behind `from`, or -1. */
export function findBlockMagic(bytes: Buffer, from: number): number {
  return bytes.indexOf('RVBK', from, 'latin1');
}

function blockCrc(bytes: Buffer, at: number, payloadLength: number): number {
  const header = crc32c(bytes, 0, at, at + CRC_AT);
  return crc32c(bytes, header, at + BLOCK_HEADER_BYTES, at + BLOCK_HEADER_BYTES + payloadLength);
}

/** A safe integer, in two's complement when it is below 0. */
function set64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setInt32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

/** What a session block tells: a door's connection came or went. */
export interface Session {
  event: 'connected' | 'disconnected';
  sessionPresent: boolean;
  protocol: 4 | 5;
  sessionId: string;
}

/** The payload of a session block. */
export function encodeSession(session: Session): Buffer {
  return writeBytes([
    { u8: session.event === 'connected' ? 1 : 2 },
    { u8: session.sessionPresent ? 1 : 0 },
    { u8: session.protocol },
    { str: session.sessionId },
  ]);
}

/** The payload of a plan block: 32 bytes kernel hash, then the plan's canonical JSON. */
export function encodePlanPayload(kernelHash: Uint8Array, plan: Uint8Array): Buffer {
  return writeBytes([{ raw: kernelHash }, { raw: plan }]);
}

/**
 * Takes the payload of a plan block apart.
 * @throws RIV_TRUNCATED
 */
export function decodePlanPayload(payload: Uint8Array): { kernelHash: Buffer; plan: Buffer } {
  const reader = byteReader(payload, 'a plan block');
  return { kernelHash: reader.raw(32), plan: reader.raw(reader.remaining) };
}
