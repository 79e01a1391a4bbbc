/** The statistics of the reference: each from all readings of a window, as a textbook writes it. */
import { moment, quotient, sum, UNITS, units } from './exact.ts';

export interface Reading {
  time: number;
  value: number;
}

const HOUR = 3_600_000;

/**
 * @param readings in the order of arrival
 * @param asTheyCame in that order, whatever their times
 */
export function statistic(
  name: string,
  readings: readonly Reading[],
  asTheyCame: boolean,
): number | [number, number][] {
  // Array.sort is stable: of equal times the order of arrival stays.
  const inTime = asTheyCame ? [...readings] : [...readings].sort((a, b) => a.time - b.time);
  const values = inTime.map(({ value }) => value);
  const exact = values.map(units);
  const count = values.length;
  const first = inTime[0] as Reading;
  const last = inTime[count - 1] as Reading;
  const sorted = [...values].sort((a, b) => a - b);
  const [word, parameter = ''] = name.split(/_(.*)/s);
  const gaps = inTime.slice(1).map((to, index) => ({ from: inTime[index] as Reading, to }));
  switch (word) {
    case 'count':
      return count;
    case 'sum':
      return quotient(sum(exact), BigInt(UNITS));
    case 'mean':
      return quotient(sum(exact), BigInt(count * UNITS));
    case 'min':
      return sorted[0] as number;
    case 'max':
      return sorted[count - 1] as number;
    case 'range':
      return (sorted[count - 1] as number) - (sorted[0] as number);
    case 'variance':
      return variance(exact);
    case 'std':
      return Math.sqrt(variance(exact));
    case 'skew':
      return normalized(exact, 3n) / variance(exact) ** 1.5;
    case 'kurtosis':
      return normalized(exact, 4n) / variance(exact) ** 2 - 3;
    case 'first':
      return first.value;
    case 'last':
      return last.value;
    case 'delta':
      return last.value - first.value;
    case 'rate':
      return ((last.value - first.value) / (last.time - first.time)) * HOUR;
    case 'slope':
      return slope(inTime);
    case 'median':
      return sorted[Math.max(Math.ceil(count / 2), 1) - 1] as number;
    case 'entropy':
      return entropy(values);
    case 'distinct':
      return new Set(values).size;
    case 'mode':
      return (ranked(values)[0] as [number, number])[0];
    case 'top':
      return ranked(values).slice(0, Number(parameter));
    case 'ewma': {
      const weights = inTime.map(({ time }) => 2 ** ((time - last.time) / duration(parameter)));
      const weighted = values.map((value, index) => value * (weights[index] as number));
      return total(weighted) / total(weights);
    }
    case 'integral':
      return area(gaps);
    case 'time':
      return last.time > first.time ? area(gaps) / ((last.time - first.time) / HOUR) : last.value;
    case 'duration':
      return total(gaps.map(({ from, to }) => (from.value === decimal(parameter) ? to.time - from.time : 0)));
    case 'changes':
      return states(inTime).length - 1;
    case 'state':
      return states(inTime).at(-Number(parameter))?.value ?? Number.NaN;
    case 'states':
      return states(inTime)
        .slice(-Number(parameter))
        .reverse()
        .map(({ value, time }) => [value, time]);
    case 'autocorrelation':
      return correlation(exact.slice(0, -Number(parameter)), exact.slice(Number(parameter)));
    default: {
      if (!word?.startsWith('p')) throw new Error(`no statistic ${name}`);
      const percent = decimal(name.slice(1));
      return sorted[Math.max(Math.ceil((percent * count) / 100), 1) - 1] as number;
    }
  }
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const decimal = (text: string): number => Number(text.replace('_', '.'));

function duration(text: string): number {
  const [, number, unit] = /^(\d+)(\w+)$/.exec(text) ?? [];
  return Number(number) * ({ ms: 1, s: 1000, m: 60_000, h: HOUR }[unit ?? ''] ?? Number.NaN);
}

/** The k-th central moment. */
function normalized(exact: readonly bigint[], k: bigint): number {
  return quotient(moment(exact, k), BigInt(exact.length) ** (k + 1n) * BigInt(UNITS) ** k);
}

function variance(exact: readonly bigint[]): number {
  return normalized(exact, 2n);
}

function slope(inTime: readonly Reading[]): number {
  const count = BigInt(inTime.length);
  const times = inTime.map(({ time }) => BigInt(time));
  const exact = inTime.map(({ value }) => units(value));
  const [timeSum, valueSum] = [sum(times), sum(exact)];
  const product = sum(times.map((time, index) => (count * time - timeSum) * (count * (exact[index] ?? 0n) - valueSum)));
  return quotient(product * BigInt(HOUR), moment(times, 2n) * BigInt(UNITS));
}

function correlation(a: readonly bigint[], b: readonly bigint[]): number {
  const count = BigInt(a.length);
  const [sumA, sumB] = [sum(a), sum(b)];
  const product = sum(a.map((value, index) => (count * value - sumA) * (count * (b[index] ?? 0n) - sumB)));
  const size = Math.sqrt(Number(moment(a, 2n))) * Math.sqrt(Number(moment(b, 2n)));
  return Number(product) / size;
}

function area(gaps: readonly { from: Reading; to: Reading }[]): number {
  return total(gaps.map(({ from, to }) => ((to.time - from.time) / HOUR) * ((from.value + to.value) / 2)));
}

function states(inTime: readonly Reading[]): Reading[] {
  return inTime.filter(({ value }, index) => index === 0 || value !== inTime[index - 1]?.value);
}

function ranked(values: readonly number[]): [number, number][] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

/** Entropy in bits of the buckets of the sketch: 64 to an octave, by sign; valid while no buckets are joined. */
function entropy(values: readonly number[]): number {
  const buckets = new Map<string, number>();
  for (const value of values) {
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    const step = Math.floor((Math.abs(value) / 2 ** exponent - 1) * 64);
    const bucket = value === 0 ? '0' : `${Math.sign(value)} ${exponent} ${step}`;
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }
  return -total([...buckets.values()].map((count) => (count / values.length) * Math.log2(count / values.length)));
}
