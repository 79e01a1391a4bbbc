// The log against what it is there for: processes killed at any instant and disks that are full.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_HEADER_BYTES, BLOCK_KIND, type BlockDraft, decodeBlockHeader, type Log, openLog } from '@rivulet/host';
import { afterEach, beforeEach, expect, test } from 'vitest';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rivulet-log-faults-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Sequences of all blocks, after a check that each holds what `log_writer.ts` gave it. */
async function verifiedBlocks(log: Log): Promise<number> {
  let sequence = 0;
  for await (const chunk of log.read(0)) {
    for (let at = 0; at < chunk.length; sequence++) {
      const header = decodeBlockHeader(chunk, at);
      expect([header.sequence, header.firstOffset, chunk[at + BLOCK_HEADER_BYTES]]).toEqual([
        sequence,
        sequence,
        sequence % 251,
      ]);
      at += BLOCK_HEADER_BYTES + header.payloadLength;
    }
  }
  return sequence;
}

/** Lets a writer run until it has acknowledged `acks` appends, kills it, and answers the last sequence it vouched for. */
async function killedWriter(acks: number): Promise<number> {
  const writer: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, 'log_writer.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  writer.stdout?.on('data', (chunk) => {
    printed += chunk;
    if (printed.split('\n').length > acks) writer.kill('SIGKILL');
  });
  await once(writer, 'close');
  return Number(printed.split('\n').at(-2));
}

test('no_kill_loses_a_block_that_was_durable', async () => {
  for (const acks of [1, 20, 60]) {
    const vouched = await killedWriter(acks);
    const log = await openLog({ directory });
    expect(vouched).toBeGreaterThan(0);
    expect(log.nextSequence).toBeGreaterThanOrEqual(vouched);
    expect(await verifiedBlocks(log)).toBe(log.nextSequence);
    await log.close();
  }
});

test('a_full_disk_ends_the_log_with_its_own_code_and_keeps_what_was_durable', async (context) => {
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', directory]).status !== 0)
    return context.skip('needs the right to mount a small tmpfs');
  const draft: BlockDraft = {
    kind: BLOCK_KIND.messagesV4,
    door: 1,
    epoch: 1,
    count: 1,
    payload: Buffer.alloc(30_000),
    wallMs: 0,
    monoUs: 0,
    boot: 0,
  };
  try {
    const log = await openLog({ directory: join(directory, 'log') });
    let durable = 0;
    const fill = async () => {
      for (; durable < 100; durable++) await log.append([draft]).durable;
    };
    await expect(fill()).rejects.toMatchObject({ code: 'RIV_LOG_FULL', mend: 'operator', retry: false });
    expect(durable).toBeGreaterThan(5);
    expect(() => log.append([draft])).toThrow(expect.objectContaining({ code: 'RIV_LOG_FULL' }));
    await log.close();
    const again = await openLog({ directory: join(directory, 'log') });
    expect(again.nextSequence).toBe(durable);
    await again.close();
  } finally {
    spawnSync('umount', [directory]);
  }
});
