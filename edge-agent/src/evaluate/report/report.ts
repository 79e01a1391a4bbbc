/**
 * The report of `rivulet evaluate --report`: learning curves and tables of all runs, as one HTML page or one SVG picture
 * that loads nothing and runs no script.
 */
import type { Comparison } from '../compare.ts';
import { type CurvePoint, type Measure, measureOf } from '../curve.ts';
import type { EvaluationResult } from '../evaluation.ts';
import { CHART_SIZE, type ChartLine, chart } from './chart.ts';
import { escapeMarkup } from './markup.ts';
import { CHART_STYLE, COLOURS, PAGE_STYLE } from './style.ts';

/** Share of a curve's points that the score of the latest rows is taken over. */
const LATEST = 0.05;

/** Runs over the same rows, with labels late by different numbers of rows. */
export interface ReportedData {
  /** Files as given. */
  readonly data: string;
  readonly task: 'classification' | 'regression' | 'forecast';
  readonly target: string;
  readonly runs: readonly (EvaluationResult & { label_delay: number })[];
}

/** The page. */
export function htmlReport(all: readonly ReportedData[]): string {
  const parts = all.map(
    (one, at) =>
      `<section>\n<h2>${escapeMarkup(one.data)}</h2>\n<p>${escapeMarkup(subtitle(one))}</p>\n${scoresTable(one)}\n${chartsOf(one, at).join('\n')}\n${one.runs.map(reliabilityTable).join('\n')}\n${one.runs.map((run) => compareTable(run, one)).join('\n')}\n</section>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rivulet evaluation</title>
<style>
${CHART_STYLE}
${PAGE_STYLE}
</style>
</head>
<body>
<main>
<h1>Rivulet evaluation</h1>
<p>Each row is predicted, scored as it was served, then learned from when its label is there. Solid lines: the panel; dashed: its baseline; dotted: alarms of the drift detector, where there is one.</p>
${parts.join('\n')}
</main>
</body>
</html>
`;
}

/** The charts alone, one below the other. */
export function svgReport(all: readonly ReportedData[]): string {
  const charts = all.flatMap((one, at) =>
    chartsOf(one, at, all.length > 1 ? `${one.data}: ` : `${one.task} of ${one.target}: `),
  );
  const { width, height } = CHART_SIZE;
  const placed = charts.map((svg, at) =>
    svg.replace('<svg ', `<svg y="${at * height}" width="${width}" height="${height}" `),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height * charts.length}" width="${width}" height="${height * charts.length}">
<style>
${CHART_STYLE}
</style>
<rect width="100%" height="100%" fill="var(--page)"/>
${placed.join('\n')}
</svg>
`;
}

function subtitle({ task, target, runs }: ReportedData): string {
  return `${task} of ${target}, ${(runs[0]?.rows ?? 0).toLocaleString('en')} rows`;
}

function chartsOf({ task, runs }: ReportedData, place: number, prefix = ''): string[] {
  const measure = measureOf(task);
  const unit = measure.metric === 'mae' ? 'error' : 'accuracy';
  const lines = (score: (curve: readonly CurvePoint[], of: 'score' | 'baseline') => [number, number][]): ChartLine[] =>
    runs.flatMap(({ curve = [], label_delay: delay, drift }, at): ChartLine[] => {
      const colour = at % COLOURS;
      const late = runs.length > 1 ? `, ${delay} late` : '';
      return [
        { name: `panel${late}`, colour, dashed: false, points: score(curve, 'score'), marks: drift?.rows ?? [] },
        { name: `${measure.baselineName}${late}`, colour, dashed: true, points: score(curve, 'baseline') },
      ];
    });
  const what = measure.metric === 'mae' ? 'mean absolute error' : 'accuracy';
  return [
    chart(`latest-${place}`, `${prefix}${what} of the latest rows`, unit, lines(latest)),
    chart(`so-far-${place}`, `${prefix}${what} of all rows so far`, unit, lines(soFar)),
  ];
}

function soFar(curve: readonly CurvePoint[], of: 'score' | 'baseline'): [number, number][] {
  return curve.flatMap((point): [number, number][] => {
    const score = point[of];
    return score === null ? [] : [[point.rows, score]];
  });
}

/** Means over the latest points; a single one is too few rows to see anything through the noise. */
function latest(curve: readonly CurvePoint[], of: 'score' | 'baseline'): [number, number][] {
  const points = soFar(curve, of);
  const width = Math.max(1, Math.round(LATEST * points.length));
  return points.map(([rows, score], at) => {
    const [from, before] = points[at - width] ?? [0, 0];
    return [rows, (score * rows - before * from) / (rows - from)];
  });
}

function scoresTable({ runs }: ReportedData): string {
  const metrics = Object.keys(runs[0]?.metrics ?? {});
  const head = ['labels late by', ...metrics.map((name) => name.replaceAll('_', ' ')), 'µs per row'];
  const rows = runs.map((run) => [
    `${run.label_delay} rows`,
    ...metrics.map((name) => scoreText(run.metrics[name] ?? null)),
    run.us_per_row.toFixed(2),
  ]);
  return tableOf(head, rows, () => false);
}

function reliabilityTable({ reliability, label_delay: delay }: ReportedData['runs'][number]): string {
  if (reliability === undefined) return '';
  const title = `How often an answer was right, by the probability it was served with, labels ${delay} rows late`;
  const rows = reliability.map(({ rows: count, probability, accuracy }) => [
    percent(probability),
    percent(accuracy),
    count.toLocaleString('en'),
  ]);
  return `<h3>${title}</h3>\n${tableOf(['probability served', 'right', 'rows'], rows, () => false)}`;
}

function compareTable({ compare, label_delay: delay }: ReportedData['runs'][number], { task }: ReportedData): string {
  if (compare === undefined) return '';
  const rows = comparedLines(compare, measureOf(task));
  const title = `Each expert alone, labels ${delay} rows late, over ${compare.rows.toLocaleString('en')} rows`;
  const ours = rows.findIndex(([name]) => name === PANEL);
  const cells = rows.map(([name, score, weight]) => [name, scoreText(score), weight === null ? '' : percent(weight)]);
  const name = compare.metric === 'mae' ? 'mean absolute error' : 'accuracy';
  return `<h3>${title}</h3>\n${tableOf(['', name, 'weight at the end'], cells, (at) => at === ours)}`;
}

const PANEL = 'the panel';

/** Panel, baseline and experts in one list, best first: name, score, weight at the end. */
export function comparedLines(compare: Comparison, measure: Measure): [string, number | null, number | null][] {
  const lines: [string, number | null, number | null][] = [
    [PANEL, compare.panel, null],
    [measure.baselineName, compare.baseline, null],
    ...compare.experts.map(({ expert, score, weight }): [string, number, number] => [expert, score, weight]),
  ];
  const sign = measure.higherIsBetter ? -1 : 1;
  const last = Number.POSITIVE_INFINITY;
  const rank = (score: number | null): number => (score === null ? last : sign * score);
  return lines.sort((a, b) => (rank(a[1]) === rank(b[1]) ? 0 : rank(a[1]) - rank(b[1])));
}

function tableOf(head: readonly string[], rows: readonly string[][], marked: (row: number) => boolean): string {
  const cells = (tag: 'th' | 'td', texts: readonly string[]): string =>
    texts.map((text) => `<${tag}>${escapeMarkup(text)}</${tag}>`).join('');
  const body = rows.map((row, at) => `<tr${marked(at) ? ' class="us"' : ''}>${cells('td', row)}</tr>`);
  return `<div class="scroll" tabindex="0"><table>\n<tr>${cells('th', head)}</tr>\n${body.join('\n')}\n</table></div>`;
}

/** Five digits, as the command prints them. */
export function scoreText(value: number | null): string {
  return value === null ? 'none' : value.toPrecision(5);
}

/** A share in percent. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
