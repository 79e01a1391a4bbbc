// The learning curve: each gateway's error (solid) against its last value (dashed) over time, with a mark wherever a
// release was made. uPlot draws on a canvas; the legend, the figures under the pointer and the table are ordinary HTML.
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { type CurveColumns, curveCeiling, curveColumns, curveRows } from '../model/curve.ts';
import { figureOfDuration, figureOfError, figureOfTime } from '../model/figures.ts';
import { baselineName } from '../model/tasks.ts';
import type { CurvePoint, Release } from '../model/wire.ts';
import { coloursVersion } from '../theme.ts';
import { ScrollTable } from './scroll_table.tsx';
import { Empty } from './states.tsx';

/** Rows of the table that says the same as the chart. */
const TABLE_ROWS_MAX = 60;

interface Props {
  task: string;
  kind: string;
  /** undefined: not asked for yet. */
  points: readonly CurvePoint[] | undefined;
  /** Gateways to draw and the place of each in the palette. */
  gateways: readonly { id: string; colour: number }[];
  releases: readonly Release[];
}

export function LearningCurve({ task, kind, points, gateways, releases }: Props) {
  const hovered = useSignal<number | null>(null);
  // The array of gateways is new at every draw; its names tell whether it is another one.
  const names = gateways.map((gateway) => gateway.id).join('\n');
  const columns = useMemo(
    () =>
      curveColumns(
        points ?? [],
        gateways.map((gateway) => gateway.id),
      ),
    [points, names],
  );
  const empty = columns.x.length < 2;
  const baseline = baselineName(kind);
  const at = hovered.value ?? columns.x.length - 1;
  return (
    <figure class="curve" aria-label={`Learning curve of ${task}`}>
      <div class="curve-chart">
        {empty ? (
          <Empty title={points === undefined ? 'Asking for the learning curve …' : 'No learning curve yet'}>
            {points === undefined ? undefined : 'It begins when the first predictions have met their labels.'}
          </Empty>
        ) : (
          <Chart
            columns={columns}
            kind={kind}
            colours={gateways.map((gateway) => gateway.colour)}
            releases={releases}
            describe={describe(task, kind, columns)}
            hover={(index) => {
              hovered.value = index;
            }}
          />
        )}
      </div>
      <figcaption>
        <div class="curve-time" aria-hidden="true">
          {!empty && (
            <>
              {hovered.value === null ? 'latest' : figureOfTime((columns.x[at] ?? 0) * 1000)}
              {` · mean of ${figureOfDuration(columns.mean_ms / 1000)}`}
            </>
          )}
        </div>
        <ul class="legend" aria-label="Lines">
          {gateways.map(({ id, colour }) => (
            <li key={id}>
              <span class={`swatch series-${colour}`} aria-hidden="true" />
              <span class="legend-name">{id}</span>
              <span class="legend-figures">
                <b>{figureOfError(valueAt(columns, id, 'error', at), kind)}</b>
                <span class="quiet"> / {figureOfError(valueAt(columns, id, 'baseline', at), kind)}</span>
              </span>
            </li>
          ))}
        </ul>
        <ul class="key" aria-hidden="true">
          <li>
            <span class="stroke" /> error
          </li>
          <li>
            <span class="stroke dashed" /> {baseline}
          </li>
          <li>
            <span class="tick-mark" /> release
          </li>
        </ul>
      </figcaption>
      {!empty && (
        <CurveTable task={task} kind={kind} points={points ?? []} gateways={gateways.map((gateway) => gateway.id)} />
      )}
    </figure>
  );
}

interface ChartProps {
  columns: CurveColumns;
  kind: string;
  colours: readonly number[];
  releases: readonly Release[];
  describe: string;
  hover: (index: number | null) => void;
}

function Chart({ columns, kind, colours, releases, describe, hover }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const marks = useRef<readonly Release[]>(releases);
  marks.current = releases;
  const version = coloursVersion.value;
  const palette = colours.join();

  // A new chart when its lines or colours are others; new data otherwise only replaces the data.
  useEffect(() => {
    const host = place.current;
    if (host === null) return;
    const chart = new uPlot(
      optionsFor(host, kind, colours, () => marks.current, hover),
      dataOf(columns),
      host,
    );
    plot.current = chart;
    const watch = new ResizeObserver(() => {
      const size = { width: host.clientWidth, height: host.clientHeight };
      if (size.width > 0 && (size.width !== chart.width || size.height !== chart.height)) chart.setSize(size);
    });
    watch.observe(host);
    return () => {
      watch.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [palette, kind, version]);

  useEffect(() => {
    plot.current?.setData(dataOf(columns));
  }, [columns]);

  useEffect(() => {
    if (releases.length > 0) plot.current?.redraw(false, false);
  }, [releases]);

  return <div ref={place} class="curve-canvas" role="img" aria-label={describe} />;
}

function optionsFor(
  host: HTMLElement,
  kind: string,
  colours: readonly number[],
  releases: () => readonly Release[],
  hover: (index: number | null) => void,
): uPlot.Options {
  const colour = colourReader(host);
  const ink = colour('--muted');
  const axis: uPlot.Axis = {
    stroke: ink,
    font: `12px ${getComputedStyle(host).fontFamily}`,
    grid: { stroke: colour('--line-soft'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(200, host.clientWidth),
    height: host.clientHeight,
    padding: [10, 26, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { x: false, y: false },
    },
    scales: {
      x: { time: true },
      y: { range: (chart) => [0, ceilingOf(chart.data)] },
    },
    axes: [
      {
        ...axis,
        size: 30,
        space: 90,
        values: (_chart, splits, _index, _space, increment) => splits.map((at) => tickOf(at, increment)),
      },
      {
        ...axis,
        size: kind === 'classification' ? 56 : 52,
        space: 40,
        values: (_chart, splits) => splits.map((value) => tickOfError(value, kind)),
      },
    ],
    series: [
      {},
      ...colours.flatMap((place): uPlot.Series[] => [
        { stroke: colour(`--series-${place}`), width: 2, points: { show: false }, spanGaps: false },
        {
          stroke: colour(`--series-${place}`),
          width: 1.25,
          dash: [4, 4],
          alpha: 0.6,
          points: { show: false },
          spanGaps: false,
        },
      ]),
    ],
    hooks: {
      setCursor: [(chart) => hover(chart.cursor.idx ?? null)],
      draw: [(chart) => drawReleases(chart, releases(), colour('--accent'))],
    },
  };
}

/** A short stroke at the foot of the chart for each release. */
function drawReleases(chart: uPlot, releases: readonly Release[], colour: string): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = Math.max(1, devicePixelRatio * 1.5);
  ctx.setLineDash([]);
  ctx.beginPath();
  for (const release of releases) {
    const x = chart.valToPos((release.created_at ?? 0) / 1000, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.moveTo(x, bbox.top + bbox.height - 9 * devicePixelRatio);
    ctx.lineTo(x, bbox.top + bbox.height);
  }
  ctx.stroke();
  ctx.restore();
}

interface TableProps {
  task: string;
  kind: string;
  points: readonly CurvePoint[];
  gateways: readonly string[];
}

function CurveTable({ task, kind, points, gateways }: TableProps) {
  const open = useSignal(false);
  return (
    <details
      class="more"
      onToggle={(event) => {
        open.value = event.currentTarget.open;
      }}
    >
      <summary>As a table</summary>
      {open.value && (
        <ScrollTable label={`Learning curve of ${task} as a table`} class="plain short">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Gateway</th>
              <th scope="col" class="n">
                Error
              </th>
              <th scope="col" class="n">
                {baselineName(kind) === 'last class' ? 'Last class' : 'Last value'}
              </th>
            </tr>
          </thead>
          <tbody>
            {curveRows(points, gateways, TABLE_ROWS_MAX).map((point) => (
              <tr key={`${point.at} ${point.gateway}`}>
                <td>{figureOfTime(point.at)}</td>
                <td>{point.gateway}</td>
                <td class="n">{figureOfError(point.error, kind)}</td>
                <td class="n">{figureOfError(point.error_last_value, kind)}</td>
              </tr>
            ))}
          </tbody>
        </ScrollTable>
      )}
    </details>
  );
}

/** What a reader who cannot see the chart should know of it. */
function describe(task: string, kind: string, columns: CurveColumns): string {
  const last = columns.x.length - 1;
  const lines = columns.lines
    .filter((line) => line.role === 'error')
    .map((line) => {
      const error = figureOfError(valueAt(columns, line.gateway, 'error', last), kind);
      const baseline = figureOfError(valueAt(columns, line.gateway, 'baseline', last), kind);
      return `${line.gateway}: error ${error}, ${baselineName(kind)} ${baseline}`;
    });
  return `Learning curve of ${task}. Latest ${lines.join('; ')}.`;
}

/** The figure of a line at a place of the time axis, or the nearest one before it. */
function valueAt(columns: CurveColumns, gateway: string, role: 'error' | 'baseline', at: number): number | null {
  const values = columns.lines.find((line) => line.gateway === gateway && line.role === role)?.values ?? [];
  for (let index = Math.min(at, values.length - 1); index >= 0; index -= 1) {
    const value = values[index];
    if (typeof value === 'number') return value;
  }
  return null;
}

function dataOf(columns: CurveColumns): uPlot.AlignedData {
  return [columns.x, ...columns.lines.map((line) => line.values)] as uPlot.AlignedData;
}

function ceilingOf(data: uPlot.AlignedData): number {
  const [x, ...lines] = data;
  return curveCeiling({
    x: [...x],
    mean_ms: 0,
    lines: lines.map((values) => ({ gateway: '', role: 'error', values: [...values] })),
  });
}

function tickOf(at: number, increment: number): string {
  if (increment >= 86_400) {
    const date = new Date(at * 1000);
    return `${date.getMonth() + 1}-${String(date.getDate()).padStart(2, '0')}`;
  }
  return figureOfTime(at * 1000, increment < 60);
}

function tickOfError(value: number, kind: string): string {
  if (kind === 'classification') return `${Number((value * 100).toPrecision(3))} %`;
  return String(Number(value.toPrecision(3)));
}

/** Canvas needs colours that are resolved; custom properties hold light-dark() pairs. */
function colourReader(host: HTMLElement): (name: string) => string {
  return (name) => {
    const probe = document.createElement('span');
    probe.style.color = `var(${name})`;
    host.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };
}
