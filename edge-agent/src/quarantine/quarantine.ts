/**
 * Quarantine: messages that the core could not use, kept for a look, one record each (record.ts), in files named
 * `<offset>-<position>.rvqr`. Bounded in files and in bytes (drop_oldest), and in how many are written per second: a flood
 * of bad messages must not become a flood of files. What is not written is still in the log and counted in the ledger.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Config,
  fromCoreOfMessage,
  makeDirectory,
  type Output,
  type Quarantined,
  topicMatches,
} from '@rivulet/host';
import { messagesIn, type OpenedBlock, openBlock, topicOf } from '../packets.ts';
import { type Aside, blocksOf } from '../set_aside.ts';
import { decodeRecord, encodeRecord, type QuarantineRecord } from './record.ts';

const FILES_MAX = 256;
const BYTES_MAX = 16 * 1024 * 1024;
const FILES_PER_SECOND_MAX = 10;
const SUFFIX = '.rvqr';

export interface Quarantine {
  /** Keeps what of these outputs says quarantine; `blocks` is the batch that was folded: whole blocks back to back. */
  keep(outputs: readonly Output[], blocks: Buffer): void;
  /** Keeps what was set aside, with its block. */
  keepAside(aside: Aside, block: Buffer): void;
  /** Resolves when what was kept so far is written. */
  settled(): Promise<void>;
}

/** @param config the configuration that is followed */
export async function openQuarantine(
  directory: string,
  config: () => Config,
  nowMs: () => number,
): Promise<Quarantine> {
  await makeDirectory(directory);
  const files: { name: string; bytes: number }[] = [];
  for (const name of await recordFiles(directory)) {
    files.push({ name, bytes: (await stat(join(directory, name))).size });
  }
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let second = 0;
  let writtenInSecond = 0;
  let tail = Promise.resolve();
  /** Names of what was set aside: to the core these are messages with a QoS that there is not, which is not the reason. */
  const aside = new Set<string>();

  async function write(record: QuarantineRecord): Promise<void> {
    const name = fileName(record);
    const encoded = encodeRecord(record);
    await writeFile(join(directory, name), encoded);
    if (files.some((file) => file.name === name)) {
      return;
    }
    files.push({ name, bytes: encoded.length });
    bytes += encoded.length;
    while (files.length > FILES_MAX || bytes > BYTES_MAX) {
      const oldest = files.shift();
      if (oldest === undefined) {
        break;
      }
      bytes -= oldest.bytes;
      await rm(join(directory, oldest.name), { force: true });
    }
  }

  function put(record: QuarantineRecord): void {
    // A copy: the batch is reused. A full disk must not stop the intake here; the log notices it itself.
    const copy = { ...record, packet: Buffer.from(record.packet) };
    tail = tail.then(() => write(copy)).catch(() => undefined);
  }

  function keep(output: Quarantined, blocks: Buffer): void {
    const now = Math.floor(nowMs() / 1000);
    writtenInSecond = now === second ? writtenInSecond + 1 : 1;
    second = now;
    const block = writtenInSecond <= FILES_PER_SECOND_MAX ? blockOf(blocks, output.sequence) : null;
    if (block === null || output.at >= block.payload.length || aside.has(fileName(output))) {
      return;
    }
    const { code, message } = fromCoreOfMessage(output.code);
    const source = accountNames(config())[output.source] ?? '(earlier plans)';
    const { offset, path } = output;
    put({ ...placed(block, output.at), offset, source, code, reason: message, path });
  }

  return {
    keep(outputs, blocks) {
      for (const output of outputs) {
        if (output.kind === 'quarantine') {
          keep(output, blocks);
        }
      }
    },
    keepAside({ at, offset, topic, code, reason }, block) {
      aside.add(fileName({ offset, at }));
      const source = topic === null ? '(no source)' : sourceOf(config(), topic);
      put({ ...placed(openBlock(block), at), offset, source, code, reason, path: '' });
    },
    settled: () => tail,
  };
}

/** What is kept in a state directory, oldest first. A file that cannot be read is named with the reason. */
export async function readQuarantine(
  directory: string,
): Promise<{ id: string; record: QuarantineRecord | null; why: string }[]> {
  const found = [];
  for (const name of await recordFiles(directory)) {
    const id = name.slice(0, -SUFFIX.length);
    try {
      found.push({ id, record: decodeRecord(await readFile(join(directory, name))), why: '' });
    } catch (error) {
      found.push({ id, record: null, why: (error as Error).message });
    }
  }
  return found;
}

async function recordFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => name.endsWith(SUFFIX)).sort();
}

function fileName({ offset, at }: Pick<QuarantineRecord, 'offset' | 'at'>): string {
  return `${String(offset).padStart(16, '0')}-${at === null ? 'block' : String(at).padStart(8, '0')}${SUFFIX}`;
}

/** The accounts of the ledger as outputs number them (FORMATS.md section 4). */
function accountNames(config: Config): string[] {
  const labels = config.tasks.filter((task) => task.label !== null).map((task) => `labels:${task.name}`);
  return [...config.sources.map((source) => source.name), ...labels, '(no source)'];
}

function sourceOf(config: Config, topic: string): string {
  return config.sources.find((source) => topicMatches(source.topic, topic))?.name ?? '(no source)';
}

function blockOf(blocks: Buffer, sequence: number): OpenedBlock | null {
  for (const block of blocksOf(blocks)) {
    if (block.sequence === sequence) {
      return openBlock(blocks.subarray(block.at, block.end));
    }
  }
  return null;
}

/** The packet at a position of a block (or its whole payload), and where it stands. */
function placed({ kind, door, sequence, wallMs, payload }: OpenedBlock, at: number | null) {
  const rest = at === null ? payload : payload.subarray(at);
  const end = at === null ? payload.length : (messagesIn(rest)[0]?.end ?? rest.length);
  return { kind, door, sequence, at, wallMs, packet: rest.subarray(0, end) };
}

/** Topic of a record's packet; null for a whole block or a broken packet. */
export function recordTopic({ at, packet }: QuarantineRecord): string | null {
  return at === null ? null : topicOf(packet);
}
