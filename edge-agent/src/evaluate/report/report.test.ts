import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadCore } from '@rivulet/host';
import { afterAll, describe, expect, test } from 'vitest';
import { openTable } from '../../table/table.ts';
import { type EvaluationResult, evaluate } from '../evaluation.ts';
import { reportFile } from './file.ts';
import { htmlReport, type ReportedData, svgReport } from './report.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-report-'));
afterAll(() => rmSync(directory, { recursive: true }));

const REQUEST = {
  task: 'regression',
  target: 'y',
  time: undefined,
  key: undefined,
  drop: [],
  horizon: 1,
  labelDelay: 0,
  classes: [],
} as const;

async function run(labelDelay: number, extra: object, limit = Number.POSITIVE_INFINITY): Promise<EvaluationResult> {
  const path = join(directory, 'steps.csv');
  const lines = Array.from({ length: 1500 }, (_, row) => `${row % 17},${(row % 17) * 2 + (row % 3)}`);
  writeFileSync(path, `x,y\n${lines.join('\n')}\n`);
  const request = { ...REQUEST, labelDelay };
  const settings = { limit, positive: undefined, progress: () => {}, ...extra };
  return evaluate(await loadCore(), await openTable(path), request, settings);
}

describe('comparison and curve', () => {
  test('change nothing of what is learned, and the last point is the score', async () => {
    const plain = await run(10, {});
    const both = await run(10, { compare: true, curve: true });
    expect([both.digest, both.metrics]).toEqual([plain.digest, plain.metrics]);
    expect(both.curve?.at(-1)).toMatchObject({ rows: 1500, score: plain.metrics.mae });
    const sum = both.curve?.reduce((total, point, at) => {
      const before = both.curve?.[at - 1]?.rows ?? 0;
      return total + (point.recent ?? 0) * (point.rows - before);
    }, 0);
    expect((sum ?? 0) / 1500).toBeCloseTo(plain.metrics.mae ?? 0, 9);
  });

  test('with late labels the panel is compared over the rows whose labels the experts had', async () => {
    const { compare } = await run(100, { compare: true });
    const shorter = await run(100, {}, 1400);
    expect(compare?.rows).toBe(1400);
    expect([compare?.panel, compare?.baseline]).toEqual([shorter.metrics.mae, shorter.metrics.mae_last_value]);
    const last = compare?.experts.find(({ expert }) => expert === 'last');
    expect(last?.score).toBeCloseTo(compare?.baseline ?? 0, 9);
  });

  test('an expert without any label has no score', async () => {
    expect((await run(5000, { compare: true })).compare).toEqual({
      rows: 0,
      metric: 'mae',
      panel: null,
      baseline: null,
      experts: [],
    });
  });
});

test('a detector on the error says where the world changed, in the report and on the chart', async () => {
  const path = join(directory, 'turns.csv');
  const lines = Array.from({ length: 6000 }, (_, row) => {
    const x = (row * 7919) % 101;
    return `${x},${row < 3000 ? 2 * x : 300 - x + ((row * 104_729) % 97)}`;
  });
  writeFileSync(path, `x,y\n${lines.join('\n')}\n`);
  const settings = { limit: Number.POSITIVE_INFINITY, positive: undefined, curve: true, progress: () => {} };
  const core = await loadCore();
  const plain = await evaluate(core, await openTable(path), REQUEST, settings);
  const drift = { detector: 'adwin', runLength: 100_000 } as const;
  const watched = await evaluate(core, await openTable(path), { ...REQUEST, drift }, settings);
  expect([plain.drift, watched.digest]).toEqual([undefined, plain.digest]);
  expect(watched.drift).toMatchObject({ detector: 'adwin', run_length: 100_000 });
  expect(watched.drift?.rows.some((row) => row > 3000 && row < 3200)).toBe(true);
  const picture = svgReport([{ data: path, task: 'regression', target: 'y', runs: [{ label_delay: 0, ...watched }] }]);
  expect(picture.match(/class="mark/g)).toHaveLength(2 * (watched.drift?.rows.length ?? 0)); // on both charts
});

describe('a report', () => {
  const hostile = '<img src=x onerror=alert(1)>"&\u0007.csv';
  async function reported(): Promise<ReportedData[]> {
    const runs = [
      { label_delay: 0, ...(await run(0, { compare: true, curve: true })) },
      { label_delay: 10, ...(await run(10, { curve: true })) },
    ];
    return [{ data: hostile, task: 'regression', target: 'y', runs }];
  }

  test('loads nothing, runs nothing and shows names as what they are', async () => {
    const page = htmlReport(await reported());
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;&quot;&amp;\ufffd.csv');
    expect(page).not.toMatch(/<script|<img|<link|\ssrc="|\shref="|@import|url\(/);
    expect(page.match(/<svg /g)).toHaveLength(2);
    expect(page).toContain('Each expert alone, labels 0 rows late, over 1,500 rows');
  });

  test('as a picture has all charts, and a table of one row draws too', async () => {
    expect(svgReport(await reported()).match(/<path class="line/g)).toHaveLength(8);
    const one = { label_delay: 0, ...(await run(0, { curve: true }, 1)) };
    const picture = svgReport([{ data: 'one.csv', task: 'regression', target: 'y', runs: [one] }]);
    expect(picture).not.toMatch(/NaN|Infinity/);
  });

  test('goes into a file; a name or place that cannot be is refused before the work', async () => {
    const path = join(directory, 'report.html');
    await (await reportFile(path)).write([]);
    expect(readFileSync(path, 'utf8')).toMatch(/^<!doctype html>/);
    await expect(reportFile('report.pdf')).rejects.toThrow(/ending "\.pdf"; expected \.html or \.svg/);
    await expect(reportFile(join(directory, 'absent', 'r.svg'))).rejects.toThrow(/ENOENT/);
  });
});
