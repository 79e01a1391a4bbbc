// A process that appends to a log until it is killed, and prints the next sequence after each durable append.
// `node log_writer.ts DIRECTORY`

import { writeSync } from 'node:fs';
import { BLOCK_KIND, type BlockDraft, openLog } from '@rivulet/host';

const log = await openLog({ directory: process.argv[2] as string, segmentBytes: 200_000 });

/** A block whose payload follows from its sequence. */
function draft(sequence: number): BlockDraft {
  const payload = Buffer.alloc(100 + ((sequence * 37) % 5000), sequence % 251);
  return { kind: BLOCK_KIND.messagesV4, door: 1, epoch: 1, count: 1, payload, wallMs: 0, monoUs: 0, boot: 0 };
}

for (;;) {
  const next = log.nextSequence;
  const drafts = Array.from({ length: 1 + (next % 3) }, (_, index) => draft(next + index));
  await log.append(drafts).durable;
  writeSync(1, `${log.nextSequence}\n`);
}
