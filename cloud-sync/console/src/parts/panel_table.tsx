// The panel of experts: one row an expert, one column a gateway, weights as bars. The release among them is marked.
import { useSignal } from '@preact/signals';
import { figureOfError, figureOfShare } from '../model/figures.ts';
import { type PanelRow, panelRows, type TaskOfGateway } from '../model/tasks.ts';
import { gatewayLink } from '../route.ts';
import { ReleaseMark } from './badges.tsx';
import { ScrollTable } from './scroll_table.tsx';
import { Empty } from './states.tsx';

/** Experts shown before the rest is asked for; the release is always among them. */
const ROWS_AT_FIRST = 7;

/** Share of the table's width that all bars have together; the names of the experts have the rest. */
const WEIGHTS_PERCENT = 68;

interface Props {
  task: string;
  kind: string;
  members: readonly TaskOfGateway[];
  /** On a gateway's own page the error of each expert has room. */
  errors?: boolean;
}

export function PanelTable({ task, kind, members, errors = false }: Props) {
  const all = useSignal(false);
  const rows = panelRows(members.map((member) => member.task));
  if (rows.length === 0) {
    return <Empty title="No panel yet">It is weighed from the first label on.</Empty>;
  }
  const shown = all.value ? rows : rows.filter((row, index) => index < ROWS_AT_FIRST || row.isRelease);
  const hidden = rows.length - shown.length;
  return (
    <>
      <ScrollTable label={`Panel of ${task}`} class="panel">
        <thead>
          <tr>
            <th scope="col">Expert</th>
            {members.map(({ gateway }) => (
              <th scope="col" key={gateway.id} class="weight" style={{ width: `${WEIGHTS_PERCENT / members.length}%` }}>
                {errors ? 'Weight' : <a href={gatewayLink(gateway.id)}>{gateway.id}</a>}
              </th>
            ))}
            {errors && (
              <th scope="col" class="n">
                Error
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={row.expert} class={row.isRelease ? 'of-release' : ''}>
              <th scope="row">
                <span class="expert">{row.expert}</span>
                {row.isRelease && <ReleaseMark />}
              </th>
              {row.weights.map((weight, index) => (
                <td key={members[index]?.gateway.id} class="weight">
                  <Weight weight={weight} />
                </td>
              ))}
              {errors && <td class="n">{figureOfError(row.errors[0] ?? null, kind)}</td>}
            </tr>
          ))}
        </tbody>
      </ScrollTable>
      {(hidden > 0 || all.value) && (
        <button
          type="button"
          class="button quiet-button"
          aria-expanded={all.value}
          onClick={() => {
            all.value = !all.value;
          }}
        >
          {all.value ? 'Show the heaviest only' : `Show ${hidden} more with ${restOf(rows, shown)} of the weight`}
        </button>
      )}
    </>
  );
}

function Weight({ weight }: { weight: number | null }) {
  return (
    <span class="weight-cell">
      <span class="weight-track" aria-hidden="true">
        <span class="weight-bar" style={{ width: `${Math.min(100, (weight ?? 0) * 100)}%` }} />
      </span>
      <span class="weight-figure">{figureOfShare(weight)}</span>
    </span>
  );
}

function restOf(rows: readonly PanelRow[], shown: readonly PanelRow[]): string {
  const rest = rows.filter((row) => !shown.includes(row));
  return figureOfShare(rest.reduce((sum, row) => sum + row.mean, 0));
}
