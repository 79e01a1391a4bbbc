/**
 * The windows of one series, computed the slow and obvious way: every window keeps all of its readings, and after every
 * reading every window is looked at. WINDOWS.md in code; nothing here is shared with the core.
 */
import type { WindowConfig } from '@rivulet/host';
import { type Reading, statistic } from './statistics.ts';

/** A result as the core puts it out. */
export interface Result {
  start: number;
  end: number;
  count: number;
  revision: number;
  final: boolean;
  statistics: Record<string, number | [number, number][]>;
}

interface Open {
  start: number;
  end: number;
  readings: Reading[];
  results: number;
  /** Readings in the last result. */
  told: number;
  onTime: boolean;
  /** A late reading or a count asks for a result. */
  now: boolean;
  earlyMs: number;
}

/** Statistics that need the readings in order. */
const ORDERED = /^(integral|time_mean|duration_|changes|states?_|autocorrelation_|energy_)/;

interface Reference {
  /** @param completeMs the time of what the windows belong to; without it, that of the readings themselves */
  add(reading: Reading, completeMs?: number): void;
  /** Lets the key's time pass. */
  complete(ms: number): void;
  results: Result[];
  /** Readings that the window did not take. */
  refused: Reading[];
}

export function reference(config: WindowConfig): Reference {
  const { shape, trigger, latenessMs, allowedLatenessMs } = config;
  const results: Result[] = [];
  const refused: Reading[] = [];
  const holdMs = latenessMs + allowedLatenessMs;
  const ordered = config.stats.some((name) => ORDERED.test(name)) && shape.kind !== 'count';
  let opens: Open[] = [];
  let completeMs = Number.NEGATIVE_INFINITY;
  /** All readings, for windows that count them. */
  const all: Reading[] = [];

  function put(open: Open, final: boolean): void {
    const { start, end, readings } = open;
    const statistics = Object.fromEntries(
      config.stats.map((name) => [name, statistic(name, readings, shape.kind === 'count' && ORDERED.test(name))]),
    );
    results.push({ start, end, count: readings.length, revision: open.results++, final, statistics });
    open.told = readings.length;
    open.now = false;
  }

  function early(fromMs: number): number {
    const every = trigger?.everyMs ?? 0;
    return every === 0 ? Number.POSITIVE_INFINITY : (Math.floor(fromMs / every) + 1) * every;
  }

  /** Gives every window the results that are due. */
  function look(): void {
    opens.sort((a, b) => a.start - b.start);
    opens = opens.filter((open) => {
      const onTime = shape.kind !== 'global' && open.end + latenessMs <= completeMs;
      const final = onTime && open.end + holdMs <= completeMs;
      const isNew = open.readings.length > open.told;
      const isEarly = !open.onTime && completeMs >= open.earlyMs;
      if (final) put(open, true);
      else if (onTime && !open.onTime) put(open, false);
      else if ((open.now || isEarly) && isNew) put(open, trigger?.reset === true);
      else if (!isEarly) return true;
      open.onTime ||= onTime;
      open.earlyMs = early(completeMs);
      return !(final || (trigger?.reset === true && open.told === open.readings.length));
    });
  }

  function add(reading: Reading, givenMs?: number): void {
    const { time } = reading;
    complete(Math.max(completeMs, givenMs ?? time));
    if (shape.kind === 'count') {
      all.push(reading);
      const start = all.length - shape.count;
      if (start >= 0 && start % shape.step === 0) {
        const readings = all.slice(start);
        const times = readings.map((other) => other.time);
        put({ ...opened(0, 0), start: Math.min(...times), end: Math.max(...times), readings }, true);
      }
      return;
    }
    const taken = ordered && time < completeMs - holdMs ? [] : windowsOf(time);
    if (taken.length === 0) refused.push(reading);
    for (const open of taken) {
      open.readings.push(reading);
      if (shape.kind === 'global') {
        open.start = Math.min(open.start, time);
        open.end = Math.max(open.end, time);
      }
      if (shape.kind === 'session') open.end = Math.max(open.end, time + shape.gapMs);
      // A session that goes on is not done.
      open.onTime &&= open.end + latenessMs <= completeMs;
      open.now ||= open.onTime;
      if (trigger !== null && trigger.count > 0) open.now ||= open.readings.length - open.told >= trigger.count;
    }
    // A punctuation asks for a result of all that is open, wherever it lies itself; one that nothing takes is none.
    if (taken.length > 0 && trigger?.on?.value === reading.value) {
      for (const open of opens) open.now ||= open.readings.length > open.told;
    }
    look();
  }

  function opened(start: number, end: number): Open {
    const earlyMs = early(Math.max(start, completeMs));
    return { start, end, readings: [], results: 0, told: 0, onTime: false, now: false, earlyMs };
  }

  /** The windows that take a reading of this time, opened where they are not yet. */
  function windowsOf(time: number): Open[] {
    switch (shape.kind) {
      case 'tumbling':
      case 'sliding': {
        const size = shape.kind === 'tumbling' ? shape.everyMs : shape.sizeMs;
        const found: Open[] = [];
        for (
          let start = Math.floor(time / shape.everyMs) * shape.everyMs;
          start + size > time;
          start -= shape.everyMs
        ) {
          if (start + size + holdMs <= completeMs) continue;
          const open = opens.find((other) => other.start === start) ?? opened(start, start + size);
          if (!opens.includes(open)) opens.push(open);
          found.push(open);
        }
        return found;
      }
      case 'session': {
        const near = opens.filter((open) => time - open.end < 0 && open.start - time < shape.gapMs);
        if (near.length === 0) {
          if (time + shape.gapMs + holdMs <= completeMs) return [];
          const open = opened(time, time + shape.gapMs);
          opens.push(open);
          return [open];
        }
        const [first, ...others] = near.sort((a, b) => a.start - b.start) as [Open, ...Open[]];
        for (const gone of time < first.start ? near : others) withdraw(gone);
        first.start = Math.min(first.start, time);
        for (const other of others) {
          first.readings.push(...other.readings);
          first.end = other.end;
          first.onTime ||= other.onTime;
        }
        opens = opens.filter((open) => !others.includes(open));
        return [first];
      }
      case 'global':
        if (opens.length === 0) opens.push(opened(time, time));
        return opens;
      case 'count':
        return [];
    }
  }

  function withdraw(open: Open): void {
    if (open.results === 0) return;
    const { start, end } = open;
    results.push({ start, end, count: 0, revision: open.results, final: true, statistics: {} });
    open.results = 0;
  }

  function complete(ms: number): void {
    completeMs = ms;
    look();
  }

  return { add, complete, results, refused };
}
