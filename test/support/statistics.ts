/**
 * Statistics as a gateway's core makes them (FORMATS.md section 6), computed here from rows: what tests of the
 * coordinator hand in without running a gateway.
 */
import { writeBytes } from '@rivulet/host';

const MAGIC = 'RVST';

/** Form 1: count, means and centred co-moments of features and target. Each row is the features, then the target. */
export function coMoments(rows: readonly (readonly number[])[]): Buffer {
  const width = rows[0]?.length ?? 1;
  const means = meansOf(rows, width);
  return writeBytes([
    { ascii: MAGIC },
    { u16: 1 },
    { u8: 1 },
    { u8: 0 },
    { u32: width - 1 },
    { f64: rows.length },
    ...[...means, ...scatterOf([{ rows, means }], width)].map((f64) => ({ f64 })),
  ]);
}

/** Form 2: count and means per class, and the pooled scatter within classes. */
export function classStatistics(classes: Readonly<Record<string, readonly (readonly number[])[]>>): Buffer {
  const groups = Object.entries(classes)
    .filter(([, rows]) => rows.length > 0)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([label, rows]) => ({ label, rows, means: meansOf(rows, rows[0]?.length ?? 0) }));
  const width = groups[0]?.means.length ?? 0;
  return writeBytes([
    { ascii: MAGIC },
    { u16: 1 },
    { u8: 2 },
    { u8: 0 },
    { u32: width },
    { u32: groups.length },
    ...groups.flatMap(({ label, rows, means }) => [
      { str: label },
      { f64: rows.length },
      ...means.map((f64) => ({ f64 })),
    ]),
    ...scatterOf(groups, width).map((f64) => ({ f64 })),
  ]);
}

function meansOf(rows: readonly (readonly number[])[], width: number): number[] {
  const sums = new Array<number>(width).fill(0);
  for (const row of rows) for (let i = 0; i < width; i++) sums[i] = (sums[i] as number) + (row[i] as number);
  return sums.map((sum) => sum / rows.length);
}

/** Lower triangle by rows. */
function scatterOf(
  groups: readonly { readonly rows: readonly (readonly number[])[]; readonly means: readonly number[] }[],
  width: number,
): number[] {
  const scatter: number[] = [];
  for (let i = 0; i < width; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (const { rows, means } of groups) {
        for (const row of rows) {
          sum += ((row[i] as number) - (means[i] as number)) * ((row[j] as number) - (means[j] as number));
        }
      }
      scatter.push(sum);
    }
  }
  return scatter;
}
