import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { run } from './evaluate.ts';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-evaluate-cli-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, rows: number): string {
  const path = join(directory, name);
  writeFileSync(path, `x,y\n${Array.from({ length: rows }, (_, row) => `${row % 5},${row % 5}`).join('\n')}\n`);
  return path;
}

async function printed(...argv: string[]): Promise<unknown> {
  const said = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    expect(await run([...argv, '--task', 'regression', '--target', 'y', '--json'])).toBe(0);
    return JSON.parse(String(said.mock.lastCall?.[0]));
  } finally {
    said.mockRestore();
  }
}

test('several files are one table, or with --each one run each, at every label delay', async () => {
  const [a, b] = [file('a.csv', 40), file('b.csv', 60)];
  expect(await printed('--data', a, '--data', b)).toMatchObject({ rows: 100, label_delay: 0 });
  expect(await printed(a, b)).toMatchObject({ rows: 100, label_delay: 0 });
  const report = join(directory, 'report.svg');
  const all = await printed('--data', a, '--data', b, '--each', '--label-delay', '0,5', '--report', report);
  expect(all).toMatchObject([
    { data: a, rows: 40, label_delay: 0 },
    { data: a, rows: 40, label_delay: 5 },
    { data: b, rows: 60, label_delay: 0 },
    { data: b, rows: 60, label_delay: 5 },
  ]);
  expect(existsSync(report)).toBe(true);
});

test('runs end in a table that has them side by side', async () => {
  const said = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    expect(await run([file('side.csv', 30), '--task', 'regression', '--target', 'y', '--label-delay', '0,5'])).toBe(0);
    const lines = String(said.mock.lastCall?.[0]).trim().split('\n');
    expect(lines[0]).toMatch(/^data +late by +rows +mae/);
    expect(lines.slice(1).map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ['side.csv', '0', '30'],
      ['side.csv', '5', '30'],
    ]);
  } finally {
    said.mockRestore();
  }
});

test('experts are named as in a configuration, and only those of the task', async () => {
  const data = ['--data', file('named.csv', 10), '--task', 'regression', '--target', 'y'];
  for (const wrong of ['oracle', 'naive_bayes', '']) {
    await expect(run([...data, '--experts', wrong])).rejects.toThrow(expect.objectContaining({ code: 'RIV_USAGE' }));
  }
});

test('a file that is no text is refused as that', async () => {
  const path = join(directory, 'picture.csv');
  writeFileSync(path, Buffer.from('x,y\n1,\0\0\0\n', 'latin1'));
  await expect(run(['--data', path, '--task', 'regression', '--target', 'y'])).rejects.toThrow(/no text/);
});
