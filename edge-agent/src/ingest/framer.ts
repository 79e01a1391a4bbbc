/**
 * Cuts a TCP byte stream into whole MQTT packets without parsing them (MQTT 3.1.1 and 5, section 2.1: fixed header).
 * It knows a packet's type byte and length, nothing else, and it holds at most one unfinished packet. A packet above the
 * limit is never held: its head is handed on, its rest is skipped as it comes.
 *
 * Invariant: however the stream was cut into chunks, the visitor sees the same packets with the same bytes.
 */

/** Longest fixed header: type byte and a length of four bytes. */
const FIXED_HEADER_BYTES_MAX = 5;

/**
 * As much of an oversized packet as is kept: fixed header, the longest topic and the packet id. That is enough to
 * acknowledge it and to count it; unacknowledged, a broker would send it again for ever.
 */
export const OVERSIZED_HEAD_BYTES = FIXED_HEADER_BYTES_MAX + 2 + 65_535 + 2;

/** What the framer calls. The bytes are only valid during the call when the chunk's buffer is reused. */
export interface PacketVisitor {
  /** One whole packet is `bytes[start..end)`; its variable header begins at `body`. */
  packet(bytes: Buffer, start: number, body: number, end: number): void;
  /** The head of a packet that is longer than the limit, as `packet` would get it, cut short. */
  oversized(head: Buffer, body: number): void;
}

/** A framer of one connection. */
export interface Framer {
  /**
   * Takes the next bytes of the stream.
   * @throws MalformedStream when the bytes are no MQTT packet; the connection must be given up.
   */
  push(chunk: Buffer): void;
}

/** The peer sent what MQTT does not allow: nothing behind this point of the stream can be trusted. */
export class MalformedStream extends Error {}

/**
 * @param packetBytesMax longest packet handed on whole; the framer's memory is bounded by it
 */
export function createFramer(visitor: PacketVisitor, packetBytesMax: number): Framer {
  /** The unfinished packet, `heldLength` bytes of it; null between packets. */
  let held: Buffer | null = null;
  let heldLength = 0;
  /** Whole length of the packet in `held` once its fixed header is complete, else 0. */
  let heldTotal = 0;
  let heldBody = 0;
  /** Bytes of an oversized packet that are still to come and to be forgotten. */
  let skip = 0;

  function push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (skip > 0) {
        const skipped = Math.min(skip, chunk.length - at);
        skip -= skipped;
        at += skipped;
      } else if (held !== null) {
        at = continueHeld(chunk, at);
      } else {
        at = frameInPlace(chunk, at);
      }
    }
  }

  /** The hot path: whole packets are visited where they lie. Returns where it stopped. */
  function frameInPlace(chunk: Buffer, from: number): number {
    let start = from;
    while (start < chunk.length) {
      let body = start + 1;
      let length = 0;
      let shift = 0;
      for (;;) {
        if (body >= chunk.length) {
          return hold(chunk, start);
        }
        const digit = chunk[body++] as number;
        length |= (digit & 0x7f) << shift;
        if (digit < 0x80) {
          break;
        }
        shift += 7;
        if (shift > 21) {
          throw new MalformedStream('a packet length of more than four bytes');
        }
      }
      const end = body + length;
      if (end > chunk.length || end - start > packetBytesMax) {
        return hold(chunk, start);
      }
      visitor.packet(chunk, start, body, end);
      start = end;
    }
    return start;
  }

  /** Begins to hold the packet at `start`, whose end is not in this chunk (or which is too long). */
  function hold(chunk: Buffer, start: number): number {
    held = Buffer.allocUnsafe(FIXED_HEADER_BYTES_MAX);
    heldLength = 0;
    heldTotal = 0;
    return continueHeld(chunk, start);
  }

  /** Adds bytes to the held packet; visits it when it is complete. Returns where the next packet begins. */
  function continueHeld(chunk: Buffer, from: number): number {
    let at = from;
    while (heldTotal === 0) {
      if (at >= chunk.length) {
        return at;
      }
      const digit = chunk[at++] as number;
      (held as Buffer)[heldLength++] = digit;
      if (heldLength > 1 && digit < 0x80) {
        sizeHeld();
      } else if (heldLength === FIXED_HEADER_BYTES_MAX) {
        throw new MalformedStream('a packet length of more than four bytes');
      }
    }
    const packet = held as Buffer;
    const copied = Math.min(packet.length - heldLength, chunk.length - at);
    chunk.copy(packet, heldLength, at, at + copied);
    heldLength += copied;
    at += copied;
    if (heldLength === packet.length) {
      held = null;
      if (heldTotal > packetBytesMax) {
        skip = heldTotal - packet.length;
        visitor.oversized(packet, heldBody);
      } else {
        visitor.packet(packet, 0, heldBody, packet.length);
      }
    }
    return at;
  }

  /** The fixed header is complete: makes room for the packet, or for the head of one that is too long. */
  function sizeHeld(): void {
    const header = held as Buffer;
    let length = 0;
    for (let index = 1; index < heldLength; index++) {
      length |= ((header[index] as number) & 0x7f) << (7 * (index - 1));
    }
    heldBody = heldLength;
    heldTotal = heldLength + length;
    const kept = heldTotal > packetBytesMax ? Math.min(heldTotal, OVERSIZED_HEAD_BYTES) : heldTotal;
    held = Buffer.allocUnsafe(kept);
    header.copy(held, 0, 0, heldLength);
  }

  return { push };
}
