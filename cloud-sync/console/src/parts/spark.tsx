// A sparkline of the last two minutes: shape only, the figure stands beside it.

const WIDTH = 96;
const HEIGHT = 24;

export function Spark({ values, places }: { values: readonly number[]; places: number }) {
  const highest = Math.max(...values, Number.MIN_VALUE);
  const step = WIDTH / (places - 1);
  const start = WIDTH - (values.length - 1) * step;
  const points = values.map((value, index) => {
    const y = HEIGHT - 2 - (value / highest) * (HEIGHT - 4);
    return `${(start + index * step).toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      width={WIDTH}
      height={HEIGHT}
      aria-hidden="true"
      focusable="false"
    >
      <line x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {points.length > 1 && <polyline points={points.join(' ')} />}
    </svg>
  );
}
