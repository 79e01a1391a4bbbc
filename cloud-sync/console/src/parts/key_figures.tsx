// The strip of figures under the sentence: a name, a number, and what puts the number into proportion.
import type { ComponentChildren } from 'preact';

export interface KeyFigure {
  name: string;
  value: string;
  note?: ComponentChildren;
  spark?: ComponentChildren;
}

export function KeyFigures({ label, figures }: { label: string; figures: readonly KeyFigure[] }) {
  return (
    <dl class="figures" aria-label={label}>
      {figures.map((figure) => (
        <div class="figure" key={figure.name}>
          <dt>{figure.name}</dt>
          <dd>
            <span class="figure-value">{figure.value}</span>
            {figure.spark}
            <span class="figure-note">{figure.note}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}
