// One gateway: what it takes in and what is promised about it, source by source, and how its tasks do.
import { connection, details, now, tasks } from '../live/store.ts';
import {
  ABSENT,
  figureOfAge,
  figureOfCount,
  figureOfDuration,
  figureOfMebibytes,
  figureOfMicroseconds,
  figureOfMoment,
  figureOfRate,
  shortHash,
} from '../model/figures.ts';
import { reasonsOf, sumOfLedgers } from '../model/ledger.ts';
import type { Fleet, Gateway, GatewayDetail, Source } from '../model/wire.ts';
import { Simulated, UpDown } from '../parts/badges.tsx';
import { type KeyFigure, KeyFigures } from '../parts/key_figures.tsx';
import { LedgerCells, LedgerHeads, LedgerList, SumMark } from '../parts/ledger_cells.tsx';
import { narrow } from '../parts/narrow.ts';
import { ScrollTable } from '../parts/scroll_table.tsx';
import { Empty } from '../parts/states.tsx';
import { TaskSection } from '../parts/task_section.tsx';

export function GatewayPage({ id, fleet }: { id: string; fleet: Fleet }) {
  const gateway = fleet.gateways.find((candidate) => candidate.id === id);
  if (gateway === undefined) {
    return (
      <div class="page">
        <Back />
        <h1 class="sentence">No gateway is called “{id}”.</h1>
        <Empty title="It has never reported to this coordinator">
          See <a href="#/">all gateways</a>.
        </Empty>
      </div>
    );
  }
  const detail = details.value.get(id);
  const own = tasks.value.filter((task) => task.members.some((member) => member.gateway.id === id));
  return (
    <div class="page">
      <Back />
      <div class="gateway-head">
        <h1 class="sentence">{gateway.id}</h1>
        <UpDown up={gateway.up} known={connection.value.state === 'live'} />
        {gateway.simulated && <Simulated />}
        <p class="about">{gateway.about}</p>
      </div>
      {gateway.cloned_since !== null && (
        <p class="notice">
          Two gateways live with this one's key since {figureOfMoment(gateway.cloned_since)}; what they hand in does not
          count. Stop one of them, give it an identity of its own, then run{' '}
          <code>rivulet-cloud forget {gateway.id} --allow-return</code>.
        </p>
      )}
      {gateway.last_error !== null && (
        <p class="notice">
          <code>{gateway.last_error.code}</code> {gateway.last_error.message}
        </p>
      )}
      <KeyFigures label={`Key figures of ${id}`} figures={keyFigures(gateway, detail)} />
      <section aria-labelledby="sources">
        <h2 id="sources">Sources and their ledger</h2>
        {detail === undefined ? (
          <Empty title="Asking for the sources …" />
        ) : detail.sources.length === 0 ? (
          <Empty title="No source has reported yet" />
        ) : narrow.value ? (
          <SourceCards sources={detail.sources} />
        ) : (
          <SourceTable sources={detail.sources} />
        )}
      </section>
      {own.length === 0 && <Empty title="No task yet">A task appears here with its first report.</Empty>}
      {own.map((task) => (
        <TaskSection key={`${id} ${task.name}`} task={task} only={id} />
      ))}
      {detail !== undefined && (
        <footer class="foot quiet">
          Enrolled {figureOfMoment(detail.enrolled_at)} · key <code>{shortHash(detail.key_fingerprint)}</code> · core{' '}
          {detail.core_build === '' ? ABSENT : detail.core_build} <code>{shortHash(detail.core_kernel)}</code>
        </footer>
      )}
    </div>
  );
}

function Back() {
  return (
    <nav aria-label="Back">
      <a class="back" href="#/">
        <span aria-hidden="true">←</span> Fleet
      </a>
    </nav>
  );
}

function keyFigures(gateway: Gateway, detail: GatewayDetail | undefined): KeyFigure[] {
  return [
    {
      name: 'Messages/s',
      value: figureOfRate(gateway.messages_per_s),
      note: `${figureOfCount(gateway.messages)} in all`,
    },
    {
      name: 'Predictions/s',
      value: figureOfRate(gateway.predictions_per_s),
      note: `${figureOfCount(gateway.tasks.reduce((sum, task) => sum + task.predictions, 0))} in all`,
    },
    { name: 'CPU per message', value: figureOfMicroseconds(gateway.cpu_us_per_message), note: 'whole process' },
    { name: 'Memory', value: figureOfMebibytes(gateway.rss_mib), note: 'resident' },
    { name: 'Releases accepted', value: figureOfCount(gateway.releases_accepted), note: 'joined its panels' },
    {
      name: 'Last heard',
      value: figureOfAge(gateway.last_seen, now.value),
      note: detail?.uptime_s == null ? ' ' : `up ${figureOfDuration(detail.uptime_s)}`,
    },
  ];
}

function SourceTable({ sources }: { sources: readonly Source[] }) {
  return (
    <ScrollTable label="Sources" class="gateways sources">
      <thead>
        <tr>
          <th scope="col">Source</th>
          <th scope="col">Guarantee</th>
          <LedgerHeads />
          <th scope="col" class="n" title="Numbers missing in the devices' own counting">
            Gaps
          </th>
        </tr>
      </thead>
      <tbody>
        {sources.map((source) => (
          <tr key={source.name}>
            <th scope="row">
              <span class="name">
                <span class="name-line">{source.name}</span>
                <Reasons source={source} />
              </span>
            </th>
            <td>
              <Guarantee source={source} />
            </td>
            <LedgerCells ledger={source.ledger} />
            <td class={source.gaps === 0 ? 'n zero' : 'n'}>{figureOfCount(source.gaps)}</td>
          </tr>
        ))}
      </tbody>
      {sources.length > 1 && (
        <tfoot>
          <tr>
            <th scope="row">All sources</th>
            <td />
            <LedgerCells ledger={sumOfLedgers(sources.map((source) => source.ledger))} />
            <td class="n">{figureOfCount(sources.reduce((sum, source) => sum + (source.gaps ?? 0), 0))}</td>
          </tr>
        </tfoot>
      )}
    </ScrollTable>
  );
}

function SourceCards({ sources }: { sources: readonly Source[] }) {
  return (
    <ul class="cards">
      {sources.map((source) => (
        <li key={source.name} class="card">
          <div class="card-head">
            <strong>{source.name}</strong>
          </div>
          <Guarantee source={source} />
          <details class="more" open={sources.length < 3}>
            <summary>
              Ledger <span class="more-figure">{figureOfCount(source.ledger.received)} received</span>{' '}
              <SumMark ledger={source.ledger} />
            </summary>
            <LedgerList ledger={source.ledger} />
            <Reasons source={source} />
          </details>
        </li>
      ))}
    </ul>
  );
}

function Reasons({ source }: { source: Source }) {
  return (
    <>
      {reasonsOf(source).map((reason) => (
        <span key={reason} class="about reason">
          {reason}
        </span>
      ))}
    </>
  );
}

function Guarantee({ source }: { source: Source }) {
  return (
    <span class="name">
      <span class="name-line">{source.guarantee === '' ? ABSENT : source.guarantee}</span>
      <span class="about">{source.guarantee_why}</span>
    </span>
  );
}
