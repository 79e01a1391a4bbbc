// The coordinator's own records: what it did not take, and what operators decided. Shown only when there is something.
import type { ComponentChildren } from 'preact';
import { decisions, now, refused } from '../live/store.ts';
import { figureOfAge, figureOfMoment } from '../model/figures.ts';
import { decisionInWords } from '../model/records.ts';
import { ScrollTable } from './scroll_table.tsx';

export function Records() {
  return (
    <>
      {refused.value.length > 0 && (
        <Record title="Not taken by the coordinator" id="refused" columns={['When', 'Gateway', 'Code', 'Reason']}>
          {refused.value.map(({ at, gateway, code, reason }, index) => (
            <tr key={`${at}-${index}`}>
              <When at={at} />
              <td>{gateway ?? 'unknown'}</td>
              <td>
                <code>{code}</code>
              </td>
              <td class="prose">{reason}</td>
            </tr>
          ))}
        </Record>
      )}
      {decisions.value.length > 0 && (
        <Record title="Decisions of operators" id="decisions" columns={['When', 'Decision', 'About', 'Effect']}>
          {decisions.value.map((decision, index) => (
            <tr key={`${decision.at}-${index}`}>
              <When at={decision.at} />
              <td>{decision.action.replaceAll('_', ' ')}</td>
              <td>{decision.subject}</td>
              <td class="prose">{decisionInWords(decision)}</td>
            </tr>
          ))}
        </Record>
      )}
    </>
  );
}

interface RecordProps {
  title: string;
  id: string;
  columns: readonly string[];
  children: ComponentChildren;
}

function Record({ title, id, columns, children }: RecordProps) {
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <ScrollTable label={title} class="records">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </ScrollTable>
    </section>
  );
}

function When({ at }: { at: number | null }) {
  return (
    <th scope="row" class="when" title={figureOfMoment(at)}>
      {figureOfAge(at, now.value)}
    </th>
  );
}
