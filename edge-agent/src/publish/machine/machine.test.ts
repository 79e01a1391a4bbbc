import { describe, expect, test } from 'vitest';
import { type Counters, figuresBetween } from './figures.ts';
import { createMachine, machineConfig } from './machine.ts';
import { parseCpu, parseDisk, parseLoad, parseMemory, parseNetwork, parsePressure } from './proc.ts';

const STAT = `cpu  100 10 50 800 20 5 5 0 0 0
cpu0 60 5 25 400 10 5 0 0 0 0
cpu1 40 5 25 400 10 0 5 0 0 0
intr 12345 0 9
ctxt 99`;

describe('figures of /proc', () => {
  test('processor ticks, total and per core', () => {
    const { total, cores } = parseCpu(STAT);
    expect(total).toEqual({ user: 110, system: 60, iowait: 20, idle: 800 });
    expect(cores).toHaveLength(2);
  });

  test('load, memory, disks without partitions, network without loopback, pressure', () => {
    expect(parseLoad('0.55 0.29 0.38 2/431 1234\n')).toEqual({
      one: 0.55,
      five: 0.29,
      fifteen: 0.38,
      running: 2,
      processes: 431,
    });
    expect(parseMemory('MemTotal: 2048 kB\nMemAvailable: 1024 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB')).toMatchObject({
      used: 50,
      available: 1,
      swap_used: 0,
    });
    const disks = '  8 0 sda 10 0 100 5 20 0 200 9 0 30 14\n  8 1 sda1 10 0 100 5 20 0 200 9 0 30 14';
    expect(parseDisk(disks)).toEqual({ read: 51_200, written: 102_400, busy_ms: 30 });
    const dev = 'Inter-| Receive\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 500 5 1 0 0 0 0 0 700 7 2 0 0 0 0 0';
    expect(parseNetwork(dev)).toEqual({ received: 500, sent: 700, packets: 12, errors: 3 });
    expect(parsePressure('some avg10=1.25 avg60=0.5 avg300=0 total=1\nfull avg10=0')).toBe(1.25);
    expect(parsePressure('')).toBeUndefined();
  });

  test('rates come from two samples, and a counter that was reset gives no rate', () => {
    const sample = (at_ms: number, user: number, idle: number, read: number): Counters => ({
      at_ms,
      cpu: { total: { user, system: 0, iowait: 0, idle }, cores: [{ user, system: 0, iowait: 0, idle }] },
      disk: { read, written: 0, busy_ms: 0 },
      network: undefined,
      levels: { load: { one: 0.5 } },
    });
    const groups = figuresBetween(sample(0, 100, 100, 0), sample(2000, 150, 250, 4096));
    expect(groups).toEqual({
      cpu: { total: 25, user: 25, system: 0, iowait: 0, core: [25] },
      load: { one: 0.5 },
      disk: { read_kib: 2, written_kib: 0, busy: 0 },
    });
    expect(figuresBetween(sample(0, 0, 0, 4096), sample(1000, 0, 0, 0)).disk?.read_kib).toBe(0);
  });
});

test('the machine publishes its groups once a second with growing numbers, and stops when told', async () => {
  const stop = new AbortController();
  const feed = createMachine('here', stop.signal);
  const first = await feed.next();
  const second = await feed.next();
  const cpu = (step: typeof first) => JSON.parse(step?.messages[0]?.payload ?? '{}') as Record<string, number>;
  expect(first?.messages.map((message) => message.topic)).toEqual(
    expect.arrayContaining(['machine/here/cpu', 'machine/here/load', 'machine/here/memory']),
  );
  expect(cpu(second).seq).toBeGreaterThan(cpu(first).seq ?? Number.POSITIVE_INFINITY);
  expect(cpu(first).total).toBeGreaterThanOrEqual(0);
  stop.abort();
  expect(await feed.next()).toBeNull();
});

test('the configuration names a field for every figure, and tasks whose features are such fields', async () => {
  const config = await machineConfig();
  const fields = config.sources.flatMap((source) => Object.keys(source.fields as object));
  expect(fields).toEqual(expect.arrayContaining(['cpu', 'core0', 'load_one', 'memory_used']));
  expect(new Set(fields).size).toBe(fields.length);
});
