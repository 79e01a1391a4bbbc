/**
 * Envelopes that come in pieces: put together in memory, one per gateway, and handed on when the last piece is there.
 * What is lost with the process is sent again: the answer to each piece says from where on. An envelope counts once
 * however often its pieces come, since that is decided where envelopes are taken in.
 */
import { decodePiece, expandBody, type Piece, RivuletError, sha256, UPLOAD_BYTES_MAX } from '@rivulet/host';
import type { Keys } from './keys.ts';

/** Memory for all uploads under way; the one that was touched the longest ago goes. */
const BYTES_MAX = 64 * 1024 * 1024;

interface Upload {
  readonly hash: string;
  readonly whole: Buffer;
  received: number;
}

export interface Pieces {
  /** Takes a piece in. `envelope` is there with the last one; `received`: bytes of the whole that are here. */
  receive(bytes: Uint8Array): { gateway: string; received: number; envelope: Uint8Array | null };
}

export function openPieces(keys: Pick<Keys, 'check'>): Pieces {
  /** By gateway, the one touched last at the end. */
  const uploads = new Map<string, Upload>();

  function uploadOf({ gateway, hash, length }: Piece): Upload {
    const name = Buffer.from(hash).toString('hex');
    const known = uploads.get(gateway);
    const upload =
      known?.hash === name && known.whole.length === length
        ? known
        : { hash: name, whole: Buffer.alloc(length), received: 0 };
    uploads.delete(gateway);
    uploads.set(gateway, upload);
    let bytes = [...uploads.values()].reduce((sum, { whole }) => sum + whole.length, 0);
    for (const [other, { whole }] of uploads) {
      if (bytes <= BYTES_MAX) break;
      uploads.delete(other);
      bytes -= whole.length;
    }
    return upload;
  }

  return {
    receive(bytes) {
      const piece = decodePiece(bytes);
      const { gateway, encoding, offset, part, length } = piece;
      keys.check(gateway, piece.signed, piece.signature);
      const upload = uploadOf(piece);
      if (offset === upload.received) upload.received += Buffer.from(part).copy(upload.whole, offset);
      if (upload.received < length) return { gateway, received: upload.received, envelope: null };
      uploads.delete(gateway);
      if (sha256(upload.whole).toString('hex') !== upload.hash) {
        throw new RivuletError('RIV_CORRUPT', 'pieces whose whole has another hash than they say');
      }
      return { gateway, received: length, envelope: expandBody(upload.whole, encoding, UPLOAD_BYTES_MAX) };
    },
  };
}
