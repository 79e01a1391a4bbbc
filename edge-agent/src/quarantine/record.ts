/**
 * A quarantine record: one message that did not get into the state, as the bytes that came, with where it stood and why
 * (FORMATS.md section 8).
 */
import {
  BLOCK_KIND,
  BLOCK_PAYLOAD_BYTES_MAX,
  type BlockKind,
  byteReader,
  crc32c,
  RivuletError,
  readMagic,
  writeBytes,
} from '@rivulet/host';

const MAGIC = 'RVQR';
const VERSION = 2;
const TEXT_BYTES_MAX = 65_536;
/** Version 1 did not say where in the message what is wrong stands. */
const WITHOUT_PATH = 1;
/** Stands for "no position": the whole block. */
const NO_POSITION = 0xffff_ffff;

export interface QuarantineRecord {
  /** Kind of the block: it says how the packet is framed. */
  kind: BlockKind;
  door: number;
  offset: number;
  sequence: number;
  /** Byte position of the packet in the payload of its block; null: the record holds a whole payload. */
  at: number | null;
  /** When it arrived. */
  wallMs: number;
  /** Name of the source (or account) that it came to. */
  source: string;
  code: string;
  reason: string;
  /** Where in the message what is wrong stands, as a JSON pointer; empty when that is not known. */
  path: string;
  packet: Buffer;
}

export function encodeRecord(record: QuarantineRecord): Buffer {
  const head = writeBytes([
    ...[{ ascii: MAGIC }, { u16: VERSION }, { u8: record.kind }, { u8: 0 }, { u16: record.door }],
    ...[{ u64: record.offset }, { u64: record.sequence }, { u32: record.at ?? NO_POSITION }, { i64: record.wallMs }],
    ...[
      { str: record.source },
      { str: record.code },
      { str: record.reason },
      { str: record.path },
      { bytes: record.packet },
    ],
  ]);
  return Buffer.concat([head, writeBytes([{ u32: crc32c(head) }])]);
}

/** @throws RIV_TRUNCATED, RIV_FOREIGN, RIV_TOO_NEW, RIV_CORRUPT */
export function decodeRecord(bytes: Uint8Array): QuarantineRecord {
  const reader = byteReader(bytes, 'a quarantine record');
  const version = readMagic(reader, MAGIC, VERSION, 'a quarantine record');
  const kind = reader.u8();
  if (kind < BLOCK_KIND.messagesV4 || kind > BLOCK_KIND.release) {
    throw new RivuletError('RIV_CORRUPT', { found: `a quarantine record of block kind ${kind}` });
  }
  reader.u8();
  // Object literals are evaluated in order: the fields stand in the order of the format.
  const fields = {
    kind: kind as BlockKind,
    door: reader.u16(),
    offset: reader.u64(),
    sequence: reader.u64(),
    at: reader.u32() as number | null,
    wallMs: reader.i64(),
    source: reader.str(TEXT_BYTES_MAX),
    code: reader.str(TEXT_BYTES_MAX),
    reason: reader.str(TEXT_BYTES_MAX),
    path: version === WITHOUT_PATH ? '' : reader.str(TEXT_BYTES_MAX),
    packet: reader.bytes(BLOCK_PAYLOAD_BYTES_MAX),
  };
  const covered = reader.at;
  if (reader.u32() !== crc32c(bytes, 0, 0, covered)) {
    throw new RivuletError('RIV_CORRUPT', { found: 'a quarantine record whose checksum is wrong' });
  }
  reader.finish();
  return { ...fields, at: fields.at === NO_POSITION ? null : fields.at };
}
