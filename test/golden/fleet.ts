/** A golden script of the coordinator's fold: gateways come, come again, leave and return; models are solved in between. */
import { createHash } from 'node:crypto';
import { type Field, writeBytes } from '../../host/src/bytes.ts';
import { type Numbers, numbersFrom } from './numbers.ts';
import type { Step } from './script.ts';

const FEATURES = 5;
const SCALES = [1, 10, 100, 1000, 10_000];
const GATEWAYS = 12;
const ROWS = 30;
const RIDGE = 1e-3;
const LABELS = ['absent', 'few', 'Männer & Frauen', 'many'];

/** The script for one form of statistics. */
export function fleetScript(form: 'co-moments' | 'classes', seed: number): Step[] {
  const numbers = numbersFrom(seed);
  const number = form === 'co-moments' ? 1 : 2;
  const features = Array.from({ length: FEATURES }, (_, i) => `f${i}`);
  const schema = JSON.stringify({ task: 't', kind: 'regression', target: 'y', horizon_ms: 0, features });
  const statistics = () => (form === 'co-moments' ? coMoments(numbers) : classStatistics(numbers));
  const operation = (...fields: Field[]): Step => ({ call: 'merge', input: writeBytes(fields) });
  const put = (id: number, bytes: Buffer) => operation({ u8: 2 }, { raw: gateway(id) }, { bytes });
  const remove = (id: number) => operation({ u8: 3 }, { raw: gateway(id) });
  const solve = (ridge = RIDGE) => operation({ u8: 4 }, { f64: ridge }, { u8: 0 });

  const steps = [solve(), operation({ u8: 1 }, { bytes: Buffer.from(schema) }, { u8: number }), solve()];
  for (let id = 0; id < GATEWAYS; id++) steps.push(put(id, statistics()));
  steps.push(solve(), solve(0), put(3, statistics()), solve(), remove(5), remove(99), solve());
  steps.push(put(5, statistics()), put(6, statistics().subarray(0, 40)), put(7, hostile(statistics())), solve());
  return steps;
}

function gateway(id: number): Buffer {
  return createHash('sha256').update(`gateway-${id}`).digest();
}

/** The last number, a sum of squares, turned negative. */
function hostile(statistics: Buffer): Buffer {
  statistics.writeDoubleLE(-1, statistics.length - 8);
  return statistics;
}

function row(numbers: Numbers, shift: number): number[] {
  const x = Array.from({ length: FEATURES }, (_, i) => (SCALES[i] ?? 1) * (numbers.normal() + (i % 2) * shift));
  // The last feature is a constant, as a sensor that is stuck gives.
  x[FEATURES - 1] = 21.3;
  return x;
}

function coMoments(numbers: Numbers): Buffer {
  const rows = Array.from({ length: ROWS }, () => {
    const x = row(numbers, 1);
    return [...x, 3 * (x[0] ?? 0) - 0.02 * (x[2] ?? 0) + numbers.normal()];
  });
  const means = columnMeans(rows);
  const header: Field[] = [{ ascii: 'RVST' }, { u16: 1 }, { u8: 1 }, { u8: 0 }, { u32: FEATURES }, { f64: ROWS }];
  return writeBytes([...header, ...f64s(means), ...f64s(scatter(rows.map((values) => deviations(values, means))))]);
}

function classStatistics(numbers: Numbers): Buffer {
  // Each gateway knows two of the classes.
  const first = numbers.below(LABELS.length - 1);
  const labels = [LABELS[first] ?? '', LABELS[first + 1] ?? ''].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const within: number[][] = [];
  const classes = labels.flatMap((label): Field[] => {
    const rows = Array.from({ length: ROWS / 2 }, () => row(numbers, 2 * LABELS.indexOf(label)));
    const means = columnMeans(rows);
    within.push(...rows.map((values) => deviations(values, means)));
    return [{ str: label }, { f64: rows.length }, ...f64s(means)];
  });
  const header: Field[] = [{ ascii: 'RVST' }, { u16: 1 }, { u8: 2 }, { u8: 0 }, { u32: FEATURES }];
  return writeBytes([...header, { u32: labels.length }, ...classes, ...f64s(scatter(within))]);
}

function f64s(values: number[]): Field[] {
  return values.map((value) => ({ f64: value }));
}

function columnMeans(rows: number[][]): number[] {
  const first = rows[0] ?? [];
  return first.map((value, i) => value + rows.reduce((sum, row) => sum + ((row[i] ?? 0) - value), 0) / rows.length);
}

function deviations(values: number[], means: number[]): number[] {
  return values.map((value, i) => value - (means[i] ?? 0));
}

/** Sums of products, lower triangle by rows. */
function scatter(rows: number[][]): number[] {
  const order = rows[0]?.length ?? 0;
  const sums: number[] = [];
  for (let i = 0; i < order; i++) {
    for (let j = 0; j <= i; j++) sums.push(rows.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0));
  }
  return sums;
}
