/**
 * Quarantine: messages that the core could not use, kept as raw packets for a look, one file each, named
 * `<block sequence>-<position>-<code>.packet`. Bounded in files and in bytes (drop_oldest), and in how many are written
 * per second: a flood of bad messages must not become a flood of files. What is not written is still in the log and
 * counted in the ledger.
 */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK_HEADER_BYTES, decodeBlockHeader, type Output, type Quarantined } from '@rivulet/host';

const FILES_MAX = 256;
const BYTES_MAX = 16 * 1024 * 1024;
const FILES_PER_SECOND_MAX = 10;

export interface Quarantine {
  /** Keeps what of these outputs says quarantine; `blocks` is the batch that was folded: whole blocks back to back. */
  keep(outputs: readonly Output[], blocks: Buffer): void;
  /** Resolves when what was kept so far is written. */
  settled(): Promise<void>;
}

export async function openQuarantine(directory: string, nowMs: () => number): Promise<Quarantine> {
  await mkdir(directory, { recursive: true });
  const files: { name: string; bytes: number }[] = [];
  for (const name of (await readdir(directory)).filter((entry) => entry.endsWith('.packet')).sort()) {
    files.push({ name, bytes: (await stat(join(directory, name))).size });
  }
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let second = 0;
  let writtenInSecond = 0;
  let tail = Promise.resolve();

  async function write(name: string, packet: Buffer): Promise<void> {
    await writeFile(join(directory, name), packet);
    files.push({ name, bytes: packet.length });
    bytes += packet.length;
    while (files.length > FILES_MAX || bytes > BYTES_MAX) {
      const oldest = files.shift();
      if (oldest === undefined) {
        break;
      }
      bytes -= oldest.bytes;
      await rm(join(directory, oldest.name), { force: true });
    }
  }

  function keep(output: Quarantined, blocks: Buffer): void {
    const now = Math.floor(nowMs() / 1000);
    writtenInSecond = now === second ? writtenInSecond + 1 : 1;
    second = now;
    const packet = writtenInSecond <= FILES_PER_SECOND_MAX ? packetAt(blocks, output.sequence, output.at) : null;
    if (packet === null) {
      return;
    }
    const sequence = String(output.sequence).padStart(16, '0');
    const name = `${sequence}-${String(output.at).padStart(8, '0')}-${-output.code}.packet`;
    // A copy: the batch is reused. A full disk must not stop the intake here; the log notices it itself.
    const copy = Buffer.from(packet);
    tail = tail.then(() => write(name, copy)).catch(() => undefined);
  }

  return {
    keep(outputs, blocks) {
      for (const output of outputs) {
        if (output.kind === 'quarantine') {
          keep(output, blocks);
        }
      }
    },
    settled: () => tail,
  };
}

/** The MQTT packet at a position of a block's payload; null when the batch does not hold it. */
function packetAt(blocks: Buffer, sequence: number, at: number): Buffer | null {
  for (let block = 0; block + BLOCK_HEADER_BYTES <= blocks.length; ) {
    const header = decodeBlockHeader(blocks, block);
    const payload = blocks.subarray(block + BLOCK_HEADER_BYTES, block + BLOCK_HEADER_BYTES + header.payloadLength);
    if (header.sequence === sequence) {
      return at < payload.length ? firstPacket(payload.subarray(at)) : null;
    }
    block += BLOCK_HEADER_BYTES + header.payloadLength;
  }
  return null;
}

function firstPacket(bytes: Buffer): Buffer {
  let length = 0;
  let at = 1;
  for (let shift = 0; at < bytes.length && shift <= 21; shift += 7) {
    const digit = bytes[at++] as number;
    length |= (digit & 0x7f) << shift;
    if (digit < 0x80) {
      break;
    }
  }
  return bytes.subarray(0, at + length);
}
