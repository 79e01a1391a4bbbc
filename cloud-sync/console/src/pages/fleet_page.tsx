// The first page: how the fleet is, in a sentence, in figures, by gateway and by task.
import { useEffect } from 'preact/hooks';
import { connection, HISTORY_MAX, history, now, tasks } from '../live/store.ts';
import {
  figureOfCount,
  figureOfCountShort,
  figureOfDuration,
  figureOfMebibytes,
  figureOfRate,
} from '../model/figures.ts';
import { addsUp, sumOfLedgers } from '../model/ledger.ts';
import type { Fleet } from '../model/wire.ts';
import { GatewayTable } from '../parts/gateway_table.tsx';
import { type KeyFigure, KeyFigures } from '../parts/key_figures.tsx';
import { Records } from '../parts/records.tsx';
import { Spark } from '../parts/spark.tsx';
import { Empty } from '../parts/states.tsx';
import { TaskSection } from '../parts/task_section.tsx';

export function FleetPage({ fleet, task }: { fleet: Fleet; task: string | null }) {
  useEffect(() => {
    if (task !== null) document.getElementById(`task-${task}`)?.scrollIntoView();
  }, [task]);
  const known = connection.value.state === 'live';
  return (
    <div class="page">
      <h1 class="sentence">{fleet.sentence}</h1>
      <KeyFigures label="Key figures" figures={keyFigures(fleet)} />
      <section aria-labelledby="gateways">
        <h2 id="gateways">Gateways</h2>
        {fleet.gateways.length === 0 ? (
          <Empty title="No gateway yet">
            Give a gateway this address as <code>sync.url</code> in its configuration; it appears here when it first
            reports.
          </Empty>
        ) : (
          <GatewayTable gateways={fleet.gateways} known={known} now={now.value} />
        )}
        {fleet.gateways_total > fleet.gateways.length && (
          <p class="quiet">
            The first {figureOfCount(fleet.gateways.length)} of {figureOfCount(fleet.gateways_total)} by name.
          </p>
        )}
      </section>
      {tasks.value.map((entry) => (
        <TaskSection key={entry.name} task={entry} />
      ))}
      <Records />
      <footer class="foot quiet">
        Rivulet coordinator {fleet.coordinator.version}
        {fleet.coordinator.started_at !== null &&
          ` · up ${figureOfDuration((now.value - fleet.coordinator.started_at) / 1000)}`}
        {fleet.coordinator.rss_mib !== null && ` · ${figureOfMebibytes(fleet.coordinator.rss_mib)}`} ·{' '}
        <a href="./api/v1/openapi.json">API</a>
      </footer>
    </div>
  );
}

function keyFigures(fleet: Fleet): KeyFigure[] {
  const pulses = history.value;
  const last = pulses.at(-1);
  const ledger = sumOfLedgers(fleet.gateways.map((gateway) => gateway.ledger));
  const balanced = fleet.gateways.every((gateway) => addsUp(gateway.ledger));
  const unread = ledger.quarantined;
  return [
    {
      name: 'Gateways up',
      value: `${figureOfCount(fleet.gateways_up)} / ${figureOfCount(fleet.gateways_total)}`,
      note: simulatedNote(fleet),
    },
    {
      name: 'Messages/s',
      value: figureOfRate(last?.messages_per_s ?? null),
      spark: <Spark values={pulses.map((pulse) => pulse.messages_per_s)} places={HISTORY_MAX} />,
    },
    {
      name: 'Predictions/s',
      value: figureOfRate(last?.predictions_per_s ?? null),
      spark: <Spark values={pulses.map((pulse) => pulse.predictions_per_s)} places={HISTORY_MAX} />,
    },
    {
      name: 'Messages received',
      value: figureOfCountShort(ledger.received),
      note: balanced
        ? unread === 0
          ? 'all accounted for'
          : `${figureOfCount(unread)} quarantined`
        : 'ledger does not add up',
    },
    {
      name: 'Deltas merged',
      value: figureOfCountShort(fleet.coordinator.deltas),
      note:
        fleet.coordinator.quarantined > 0
          ? `${figureOfCount(fleet.coordinator.quarantined)} quarantined`
          : `${figureOfCount(fleet.coordinator.duplicates)} repeats left out`,
    },
    {
      name: 'Releases',
      value: figureOfCountShort(fleet.coordinator.releases),
      note: `accepted ${figureOfCount(fleet.gateways.reduce((sum, gateway) => sum + gateway.releases_accepted, 0))} times`,
    },
  ];
}

function simulatedNote(fleet: Fleet): string {
  const simulated = fleet.gateways.filter((gateway) => gateway.simulated).length;
  return simulated === 0 ? 'none simulated' : `${simulated} simulated`;
}
