/**
 * `npm run bench -- log`: what one durable write of the log costs into a file that grows, into one that was filled with zeros
 * before, and into an old segment that is written over (recycled). It answers whether recycling segments would pay.
 *
 * The three take turns in short runs, so that what else the machine does meets all of them; CPU is that of the whole process
 * (the kernel's part of a write is charged to the thread that asks for it; what the disk's own threads do is not seen).
 */
import { constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, median, quantile } from '../machine.ts';

const KINDS = ['growing', 'zeroed', 'recycled'] as const;
type Kind = (typeof KINDS)[number];
const FILE_BYTES = 16 * 1024 * 1024;

interface Turn {
  cpuUs: number;
  ms: number[];
}

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      bytes: { type: 'string', default: '12288' },
      writes: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '7' },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log('--bytes N (12288) --writes N (200) --rounds N (7) --directory DIR (where to write) --json');
    return 0;
  }
  const [bytes, writes, rounds] = [values.bytes, values.writes, values.rounds].map(Number) as [number, number, number];
  const directory = await mkdtemp(join(values.directory, 'rivulet-bench-log-'));
  const turns: Record<Kind, Turn[]> = { growing: [], zeroed: [], recycled: [] };
  try {
    for (let round = 0; round < rounds; round++) {
      // Each begins once: the one after a pause is not always the same.
      for (let at = 0; at < KINDS.length; at++) {
        const kind = KINDS[(round + at) % KINDS.length] as Kind;
        turns[kind].push(await turn(join(directory, kind), kind, bytes, writes));
      }
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const machine = await describeMachine(values.directory);
  const found = Object.fromEntries(KINDS.map((kind) => [kind, figures(turns[kind])]));
  if (values.json) {
    console.log(JSON.stringify({ machine, bytes, writes, rounds, ...found }));
    return 0;
  }
  console.log(`${machine.cpu}, ${machine.cores} cores, load ${machine.load_1m.toFixed(1)}`);
  console.log(`${rounds} rounds of ${writes} durable writes of ${bytes} bytes, taking turns; medians of the rounds`);
  for (const [kind, { cpuUs, p50Ms, p99Ms, spread }] of Object.entries(found)) {
    const cpu = `${cpuUs.toFixed(0)} us of CPU (${spread.map((us) => us.toFixed(0)).join(' to ')})`;
    console.log(`${kind.padEnd(9)} ${cpu}, ${p50Ms.toFixed(2)} ms p50, ${p99Ms.toFixed(2)} ms p99`);
  }
  return 0;
}

/** Some writes into a file of this kind, one after the other. */
async function turn(path: string, kind: Kind, bytes: number, writes: number): Promise<Turn> {
  await rm(path, { force: true });
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_DSYNC, 0o644);
  try {
    if (kind !== 'growing') {
      await file.writeFile(
        Buffer.alloc(Math.max(FILE_BYTES, bytes * writes), kind === 'zeroed' ? 0 : 'an old segment '),
      );
      await file.sync();
    }
    const block = Buffer.alloc(bytes, 'what devices say ');
    const ms: number[] = [];
    const before = process.cpuUsage();
    for (let write = 0; write < writes; write++) {
      const started = performance.now();
      await file.write(block, 0, bytes, write * bytes);
      ms.push(performance.now() - started);
    }
    const { user, system } = process.cpuUsage(before);
    return { cpuUs: (user + system) / writes, ms };
  } finally {
    await file.close();
  }
}

function figures(turns: readonly Turn[]) {
  const cpu = turns.map(({ cpuUs }) => cpuUs);
  const of = (share: number): number => median(turns.map(({ ms }) => quantile(ms, share)));
  return { cpuUs: median(cpu), p50Ms: of(0.5), p99Ms: of(0.99), spread: [Math.min(...cpu), Math.max(...cpu)] };
}
