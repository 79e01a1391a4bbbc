/**
 * The machine's figures, group by group: rates out of two samples of counters, levels as they are. Reads /proc where there is
 * one; elsewhere what node:os knows, which is less.
 */
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import {
  type CpuCounters,
  type CpuTicks,
  type DiskCounters,
  type NetworkCounters,
  parseCpu,
  parseDisk,
  parseLoad,
  parseMemory,
  parseNetwork,
  parsePressure,
} from './proc.ts';

/** Cores with a figure of their own; a larger machine shows these and the total. */
export const CORES_MAX = 16;

/** Names of the groups, each one message. */
export const GROUPS = ['cpu', 'load', 'memory', 'disk', 'network', 'pressure'] as const;
export type Group = (typeof GROUPS)[number];

/** The figures of a group: numbers by name, and for cpu one number per core. */
export type Figures = Record<string, number | number[]>;

/** What a sample reads; rates come from two of them. */
export interface Counters {
  at_ms: number;
  cpu: CpuCounters;
  disk: DiskCounters | undefined;
  network: NetworkCounters | undefined;
  levels: Partial<Record<Group, Figures>>;
}

/** Reads all counters once. `at_ms` is any steady clock. */
export async function readCounters(at_ms: number): Promise<Counters> {
  const [stat, loadavg, meminfo, diskstats, net, ...pressures] = await Promise.all([
    text('/proc/stat'),
    text('/proc/loadavg'),
    text('/proc/meminfo'),
    text('/proc/diskstats'),
    text('/proc/net/dev'),
    text('/proc/pressure/cpu'),
    text('/proc/pressure/memory'),
    text('/proc/pressure/io'),
  ]);
  const levels: Counters['levels'] = {
    load: loadavg === undefined ? loadOf(os.loadavg()) : parseLoad(loadavg),
    memory: meminfo === undefined ? memoryOf(os.totalmem(), os.freemem()) : parseMemory(meminfo),
  };
  const [cpu, memory, io] = pressures.map((one) => (one === undefined ? undefined : parsePressure(one)));
  const pressure = Object.entries({ cpu, memory, io }).filter(([, value]) => value !== undefined);
  if (pressure.length > 0) levels.pressure = Object.fromEntries(pressure) as Figures;
  return {
    at_ms,
    cpu: stat === undefined ? cpuOf(os.cpus()) : parseCpu(stat),
    disk: diskstats === undefined ? undefined : parseDisk(diskstats),
    network: net === undefined ? undefined : parseNetwork(net),
    levels,
  };
}

/** The figures between two samples; groups that the machine does not tell are absent. */
export function figuresBetween(before: Counters, now: Counters): Partial<Record<Group, Figures>> {
  const seconds = Math.max(0.001, (now.at_ms - before.at_ms) / 1000);
  const groups: Partial<Record<Group, Figures>> = { cpu: cpuBetween(before.cpu, now.cpu), ...now.levels };
  if (before.disk !== undefined && now.disk !== undefined) {
    groups.disk = {
      read_kib: rate(before.disk.read, now.disk.read, seconds * 1024),
      written_kib: rate(before.disk.written, now.disk.written, seconds * 1024),
      busy: Math.min(100, rate(before.disk.busy_ms, now.disk.busy_ms, seconds * 10)),
    };
  }
  if (before.network !== undefined && now.network !== undefined) {
    groups.network = {
      received_kib: rate(before.network.received, now.network.received, seconds * 1024),
      sent_kib: rate(before.network.sent, now.network.sent, seconds * 1024),
      packets: rate(before.network.packets, now.network.packets, seconds),
      errors: rate(before.network.errors, now.network.errors, seconds),
    };
  }
  return groups;
}

function cpuBetween(before: CpuCounters, now: CpuCounters): Figures {
  const all = sharesOf(before.total, now.total);
  const cores = now.cores.slice(0, CORES_MAX).map((core, index) => {
    const earlier = before.cores[index];
    return earlier === undefined ? 0 : sharesOf(earlier, core).total;
  });
  return { ...all, core: cores };
}

/** Shares of the time between two samples, %. */
function sharesOf(before: CpuTicks, now: CpuTicks): { total: number; user: number; system: number; iowait: number } {
  const user = Math.max(0, now.user - before.user);
  const system = Math.max(0, now.system - before.system);
  const iowait = Math.max(0, now.iowait - before.iowait);
  const idle = Math.max(0, now.idle - before.idle);
  const all = user + system + iowait + idle;
  const share = (ticks: number) => (all === 0 ? 0 : round((100 * ticks) / all));
  return { total: share(user + system), user: share(user), system: share(system), iowait: share(iowait) };
}

/** Counters only grow; one that shrank was reset. */
function rate(before: number, now: number, divisor: number): number {
  return now < before ? 0 : round((now - before) / divisor);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

async function text(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // not Linux, or a kernel without it
  }
}

function cpuOf(cpus: os.CpuInfo[]): CpuCounters {
  const cores = cpus.map(({ times }) => ({
    user: times.user + times.nice,
    system: times.sys + times.irq,
    iowait: 0,
    idle: times.idle,
  }));
  const total = { user: 0, system: 0, iowait: 0, idle: 0 };
  for (const core of cores) {
    total.user += core.user;
    total.system += core.system;
    total.idle += core.idle;
  }
  return { total, cores };
}

function loadOf([one = 0, five = 0, fifteen = 0]: number[]): Figures {
  return { one, five, fifteen };
}

function memoryOf(total: number, free: number): Figures {
  return { used: round((100 * (total - free)) / total), available: Math.round(free / 2 ** 20) };
}
