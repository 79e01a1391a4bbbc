/**
 * What a figure depends on beside the code: processor, load, and how long this disk takes to make a small write durable.
 * Every bench prints it, since a figure without it cannot be compared with another.
 */
import { constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';

/** About what a beat of 10 ms carries at 10,000 messages/s. */
const WRITE_BYTES = 12 * 1024;
const WRITES = 100;

export interface Machine {
  cpu: string;
  cores: number;
  node: string;
  load_1m: number;
  /** One write of 12 KiB on a descriptor that syncs data, as the log does it. */
  disk_sync_ms: { p50: number; p99: number };
}

/** @param directory where the bench will write: its disk is the one that is probed */
export async function describeMachine(directory: string): Promise<Machine> {
  const [first, ...others] = cpus();
  return {
    cpu: first?.model ?? 'unknown',
    cores: others.length + 1,
    node: process.version,
    load_1m: loadNow(),
    disk_sync_ms: await probeDisk(directory),
  };
}

/** Load of the last minute. */
export function loadNow(): number {
  return loadavg()[0] ?? 0;
}

async function probeDisk(directory: string): Promise<Machine['disk_sync_ms']> {
  const place = await mkdtemp(join(directory, 'probe-'));
  const file = await open(join(place, 'probe'), constants.O_WRONLY | constants.O_CREAT | (constants.O_DSYNC ?? 0));
  const bytes = Buffer.alloc(WRITE_BYTES, 1);
  const took: number[] = [];
  try {
    for (let write = 0; write < WRITES; write++) {
      const from = performance.now();
      await file.write(bytes);
      took.push(performance.now() - from);
    }
  } finally {
    await file.close();
    await rm(place, { recursive: true });
  }
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}

/** The value below which a share `q` of the values lies; NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
