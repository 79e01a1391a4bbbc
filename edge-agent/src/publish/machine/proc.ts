/**
 * Texts of Linux's /proc to counters and figures. Pure: the texts are passed in. Unknown lines are passed over, since kernels
 * differ; what is absent is absent in the answer.
 */

/** Clock ticks since boot that a processor spent. */
export interface CpuTicks {
  user: number;
  system: number;
  iowait: number;
  idle: number;
}

/** Ticks of all processors together and of each. */
export interface CpuCounters {
  total: CpuTicks;
  cores: CpuTicks[];
}

/** /proc/stat */
export function parseCpu(stat: string): CpuCounters {
  let total: CpuTicks = { user: 0, system: 0, iowait: 0, idle: 0 };
  const cores: CpuTicks[] = [];
  for (const line of stat.split('\n')) {
    const match = /^cpu(\d*)\s+(.*)$/.exec(line);
    if (match === null) continue;
    const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = (match[2] ?? '')
      .split(/\s+/)
      .map(Number);
    const ticks = { user: user + nice, system: system + irq + softirq + steal, iowait, idle };
    if (match[1] === '') total = ticks;
    else cores.push(ticks);
  }
  return { total, cores };
}

/** /proc/loadavg: `0.55 0.29 0.38 2/431 1234` */
export function parseLoad(loadavg: string): Record<string, number> {
  const [one, five, fifteen, processes = ''] = loadavg.trim().split(/\s+/);
  const [running, all] = processes.split('/').map(Number);
  return finite({ one: Number(one), five: Number(five), fifteen: Number(fifteen), running, processes: all });
}

/** /proc/meminfo: figures in MiB and the share in use. */
export function parseMemory(meminfo: string): Record<string, number> {
  const mib = new Map<string, number>();
  for (const line of meminfo.split('\n')) {
    const match = /^(\w+):\s+(\d+) kB/.exec(line);
    if (match?.[1] !== undefined) mib.set(match[1], Number(match[2]) / 1024);
  }
  const total = mib.get('MemTotal') ?? Number.NaN;
  const available = mib.get('MemAvailable') ?? mib.get('MemFree') ?? Number.NaN;
  return finite({
    used: (100 * (total - available)) / total,
    available,
    cached: mib.get('Cached'),
    dirty: mib.get('Dirty'),
    swap_used: (mib.get('SwapTotal') ?? 0) - (mib.get('SwapFree') ?? 0),
  });
}

/** Bytes since boot. */
export interface DiskCounters {
  read: number;
  written: number;
  /** Milliseconds with requests under way, of the busiest disk's share. */
  busy_ms: number;
}

const SECTOR_BYTES = 512;

/** /proc/diskstats: whole disks only, so that nothing counts twice. */
export function parseDisk(diskstats: string): DiskCounters {
  const counters = { read: 0, written: 0, busy_ms: 0 };
  for (const line of diskstats.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (!/^(sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(fields[2] ?? '')) continue;
    counters.read += Number(fields[5] ?? 0) * SECTOR_BYTES;
    counters.written += Number(fields[9] ?? 0) * SECTOR_BYTES;
    counters.busy_ms = Math.max(counters.busy_ms, Number(fields[12] ?? 0));
  }
  return counters;
}

/** Since boot. */
export interface NetworkCounters {
  received: number;
  sent: number;
  packets: number;
  errors: number;
}

/** /proc/net/dev, without the loopback. */
export function parseNetwork(dev: string): NetworkCounters {
  const counters = { received: 0, sent: 0, packets: 0, errors: 0 };
  for (const line of dev.split('\n')) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === 'lo') continue;
    const fields = (match[2] ?? '').split(/\s+/).map(Number);
    counters.received += fields[0] ?? 0;
    counters.packets += (fields[1] ?? 0) + (fields[9] ?? 0);
    counters.errors += (fields[2] ?? 0) + (fields[10] ?? 0);
    counters.sent += fields[8] ?? 0;
  }
  return counters;
}

/** A file of /proc/pressure: the share of the last ten seconds in which some task waited, %. */
export function parsePressure(pressure: string): number | undefined {
  const match = /^some avg10=([\d.]+)/m.exec(pressure);
  return match === null ? undefined : Number(match[1]);
}

/** Without what is absent or not a number. */
function finite(figures: Record<string, number | undefined>): Record<string, number> {
  const entries = Object.entries(figures).filter(([, value]) => value !== undefined && Number.isFinite(value));
  return Object.fromEntries(entries) as Record<string, number>;
}
