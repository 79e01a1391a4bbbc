/** A line chart as SVG text: axes with round ticks, lines with their names, nothing to load. Colours come from `style.ts`. */
import { escapeMarkup } from './markup.ts';

/** One line of a chart. */
export interface ChartLine {
  readonly name: string;
  /** Which of the style's colours. */
  readonly colour: number;
  readonly dashed: boolean;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Places to mark by a line from top to bottom. */
  readonly marks?: readonly number[];
}

const WIDTH = 880;
const HEIGHT = 320;
/** Room around the lines for titles, ticks and names. */
const LEFT = 64;
const RIGHT = 190;
const TOP = 34;
const BOTTOM = 40;
const INNER_WIDTH = WIDTH - LEFT - RIGHT;
const INNER_HEIGHT = HEIGHT - TOP - BOTTOM;
/** Names at the right edge are so far apart at least. */
const NAME_HEIGHT = 16;
/** The first rows say more about the start than about the learner: the scale is made without them. */
const SCALE_FROM = 0.05;
const TICKS = 5;

/** Size of every chart, in its own units. */
export const CHART_SIZE = { width: WIDTH, height: HEIGHT } as const;

/**
 * The chart as an `svg` element.
 * @param id unique in the document
 * @param unit what y is; x is rows
 */
export function chart(id: string, title: string, unit: string, lines: readonly ChartLine[]): string {
  const drawn = lines.filter(({ points }) => points.length > 0);
  const rows = Math.max(1, ...drawn.flatMap(({ points }) => points.map(([x]) => x)));
  const [low, high] = scaleOf(drawn, rows);
  const x = (value: number): number => LEFT + (INNER_WIDTH * value) / rows;
  const y = (value: number): number => TOP + INNER_HEIGHT * (1 - (value - low) / (high - low));
  const place = (value: number): string => value.toFixed(1);

  const yTicks = ticks(low, high).map((value) => {
    const at = place(y(value));
    return `<line class="grid" x1="${LEFT}" x2="${LEFT + INNER_WIDTH}" y1="${at}" y2="${at}"/><text class="tick" x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end">${numberText(value)}</text>`;
  });
  const xTicks = ticks(0, rows).map(
    (value) =>
      `<text class="tick" x="${place(x(value))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${value.toLocaleString('en')}</text>`,
  );
  const paths = drawn.map(({ points, colour, dashed }) => {
    const path = points
      .map(([px, py], at) => `${at === 0 ? 'M' : 'L'}${place(x(px))} ${place(y(clip(py, low, high)))}`)
      .join('');
    return `<path class="line c${colour}${dashed ? ' dashed' : ''}" d="${path}"/>`;
  });
  const marks = drawn.flatMap(({ marks = [], colour }) =>
    marks.map((at) => `<path class="mark c${colour}" d="M${place(x(at))} ${TOP}V${TOP + INNER_HEIGHT}"/>`),
  );
  const wanted = drawn.map(({ points }) => y(clip(points.at(-1)?.[1] ?? low, low, high)));
  const spots = spread(wanted);
  const names = drawn.map(
    ({ name, colour }, at) =>
      `<text class="name t${colour}" x="${LEFT + INNER_WIDTH + 8}" y="${place(spots[at] ?? 0)}" dy="4">${escapeMarkup(name)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}">`,
    `<title id="${id}">${escapeMarkup(title)}</title>`,
    `<text class="title" x="${LEFT}" y="18">${escapeMarkup(title)}</text>`,
    ...yTicks,
    ...xTicks,
    `<text class="tick" x="${LEFT - 8}" y="18" text-anchor="end">${escapeMarkup(unit)}</text>`,
    `<text class="tick" x="${LEFT + INNER_WIDTH + 8}" y="${HEIGHT - BOTTOM + 18}">rows</text>`,
    ...marks,
    ...paths,
    ...names,
    '</svg>',
  ].join('\n');
}

/** Lowest and highest value to show, a little apart from the lines. */
function scaleOf(lines: readonly ChartLine[], rows: number): [number, number] {
  const all = lines.flatMap(({ points }) => points.filter(([x]) => x >= SCALE_FROM * rows).map(([, y]) => y));
  if (all.length === 0) return [0, 1];
  const low = all.reduce((least, value) => Math.min(least, value));
  const high = all.reduce((most, value) => Math.max(most, value));
  const margin = high > low ? 0.06 * (high - low) : Math.max(Math.abs(high), 1e-9) * 0.1;
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin];
}

/** Round numbers from `low` to `high`. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => one >= rough) ?? rough;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, at) => (first + at) * step);
}

function numberText(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function clip(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** Places for names: as near to the wanted ones as they go without covering each other, within the chart. */
function spread(wanted: readonly number[]): number[] {
  const order = wanted.map((_, at) => at).sort((a, b) => (wanted[a] ?? 0) - (wanted[b] ?? 0));
  const places = new Array<number>(wanted.length).fill(0);
  let above = Number.NEGATIVE_INFINITY;
  for (const at of order) {
    above = Math.max(wanted[at] ?? 0, above + NAME_HEIGHT);
    places[at] = above;
  }
  let below = HEIGHT - BOTTOM;
  for (const at of order.reverse()) {
    below = Math.min(places[at] ?? 0, below);
    places[at] = below;
    below -= NAME_HEIGHT;
  }
  return places;
}
