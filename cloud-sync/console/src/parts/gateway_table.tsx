// All gateways: a table where there is room for its columns, a list of cards where there is not.
import { figureOfAge, figureOfCount, figureOfMebibytes, figureOfMicroseconds, figureOfRate } from '../model/figures.ts';
import { sumOfLedgers } from '../model/ledger.ts';
import type { Gateway } from '../model/wire.ts';
import { gatewayLink } from '../route.ts';
import { Simulated, Twice, UpDown } from './badges.tsx';
import { LedgerCells, LedgerHeads, LedgerList, SumMark } from './ledger_cells.tsx';
import { narrow } from './narrow.ts';
import { ScrollTable } from './scroll_table.tsx';

interface Props {
  gateways: readonly Gateway[];
  known: boolean;
  now: number;
}

export function GatewayTable({ gateways, known, now }: Props) {
  if (narrow.value) return <GatewayCards gateways={gateways} known={known} now={now} />;
  const total = sumOfLedgers(gateways.map((gateway) => gateway.ledger));
  return (
    <ScrollTable label="Gateways" class="gateways">
      <thead>
        <tr class="groups">
          <td colSpan={4} />
          <th scope="colgroup" colSpan={7} class="group">
            Ledger: what became of every message
          </th>
          <td colSpan={3} />
        </tr>
        <tr>
          <th scope="col">Gateway</th>
          <th scope="col">State</th>
          <th scope="col" class="n">
            Messages/s
          </th>
          <th scope="col" class="n">
            Predictions/s
          </th>
          <LedgerHeads />
          <th scope="col" class="n" title="CPU time of the gateway's process per message">
            CPU/message
          </th>
          <th scope="col" class="n">
            Memory
          </th>
          <th scope="col" class="n" title="Releases that joined its panels">
            Releases
          </th>
        </tr>
      </thead>
      <tbody>
        {gateways.map((gateway) => (
          <tr key={gateway.id}>
            <th scope="row">
              <Name gateway={gateway} />
            </th>
            <td>
              <State gateway={gateway} known={known} now={now} />
            </td>
            <td class="n">{figureOfRate(gateway.messages_per_s)}</td>
            <td class="n">{figureOfRate(gateway.predictions_per_s)}</td>
            <LedgerCells ledger={gateway.ledger} />
            <td class="n">{figureOfMicroseconds(gateway.cpu_us_per_message)}</td>
            <td class="n">{figureOfMebibytes(gateway.rss_mib)}</td>
            <td class="n">{figureOfCount(gateway.releases_accepted)}</td>
          </tr>
        ))}
      </tbody>
      {gateways.length > 1 && (
        <tfoot>
          <tr>
            <th scope="row">All gateways</th>
            <td />
            <td class="n">{figureOfRate(sum(gateways, (gateway) => gateway.messages_per_s))}</td>
            <td class="n">{figureOfRate(sum(gateways, (gateway) => gateway.predictions_per_s))}</td>
            <LedgerCells ledger={total} />
            <td />
            <td class="n">{figureOfMebibytes(sum(gateways, (gateway) => gateway.rss_mib))}</td>
            <td class="n">{figureOfCount(sum(gateways, (gateway) => gateway.releases_accepted))}</td>
          </tr>
        </tfoot>
      )}
    </ScrollTable>
  );
}

function GatewayCards({ gateways, known, now }: Props) {
  return (
    <ul class="cards">
      {gateways.map((gateway) => (
        <li key={gateway.id} class="card">
          <div class="card-head">
            <Name gateway={gateway} />
            <State gateway={gateway} known={known} now={now} />
          </div>
          <dl class="pairs">
            <Pair name="Messages/s" value={figureOfRate(gateway.messages_per_s)} />
            <Pair name="Predictions/s" value={figureOfRate(gateway.predictions_per_s)} />
            <Pair name="CPU/message" value={figureOfMicroseconds(gateway.cpu_us_per_message)} />
            <Pair name="Memory" value={figureOfMebibytes(gateway.rss_mib)} />
            <Pair name="Releases" value={figureOfCount(gateway.releases_accepted)} />
          </dl>
          <details class="more">
            <summary>
              Ledger <span class="more-figure">{figureOfCount(gateway.ledger.received)} received</span>{' '}
              <SumMark ledger={gateway.ledger} />
            </summary>
            <LedgerList ledger={gateway.ledger} />
          </details>
        </li>
      ))}
    </ul>
  );
}

function Pair({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Name({ gateway }: { gateway: Gateway }) {
  return (
    <span class="name">
      <span class="name-line">
        <a href={gatewayLink(gateway.id)}>{gateway.id}</a>
        {gateway.simulated && <Simulated />}
        {gateway.cloned_since !== null && <Twice />}
      </span>
      <span class="about">{gateway.about}</span>
    </span>
  );
}

function State({ gateway, known, now }: { gateway: Gateway; known: boolean; now: number }) {
  return (
    <span class="state">
      <UpDown up={gateway.up} known={known} />
      {!gateway.up && <span class="state-note">{figureOfAge(gateway.last_seen, now)}</span>}
      {gateway.up && !gateway.connected && <span class="state-note bad">no broker</span>}
      {gateway.last_error !== null && (
        <span class="state-note bad" title={gateway.last_error.message}>
          {gateway.last_error.code}
        </span>
      )}
    </span>
  );
}

function sum(gateways: readonly Gateway[], of: (gateway: Gateway) => number | null): number {
  return gateways.reduce((total, gateway) => total + (of(gateway) ?? 0), 0);
}
